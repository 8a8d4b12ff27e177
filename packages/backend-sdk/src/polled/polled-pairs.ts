import type { CoreContext } from '@vhostlab/engine';
import { FeatureSet } from '@vhostlab/virtio-net';
import { VhostPair } from '../vhost-pair.ts';
import type { VhostCoreConfig } from './polled-config.ts';

/** VHOST_USER_PROTOCOL_F_MQ, LOG_SHMFD, REPLY_ACK and RESET_DEVICE (vhost-user, "Protocol features"). */
const PROTOCOL_FEATURES = (1n << 0n) | (1n << 1n) | (1n << 3n) | (1n << 13n);

/** The queue pairs that a core polls, by guest. */
export function polledPairs(context: CoreContext, config: VhostCoreConfig): VhostPair[] {
  const { pair, pageBytes } = config;
  const offered = new FeatureSet(config.offered.low, config.offered.high);
  return Array.from({ length: config.guests }, (_, guest) => {
    const vhost = new VhostPair(context, {
      guest,
      pair,
      offered,
      pageBytes,
      protocolFeatures: PROTOCOL_FEATURES,
    });
    // a polled ring needs no kicks, neither for frames nor for fresh buffers
    vhost.onChange = () => {
      vhost.tx?.disableNotifications();
      vhost.rx?.disableNotifications();
    };
    return vhost;
  });
}
