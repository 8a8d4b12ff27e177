import { VhostPair } from '@vhostlab/backend-sdk';
import type { CoreContext } from '@vhostlab/engine';
import { FeatureSet } from '@vhostlab/virtio-net';
import type { VhostCoreConfig } from './config.ts';

/** The queue pairs that a core polls, by guest. */
export function createPairs(context: CoreContext, config: VhostCoreConfig): VhostPair[] {
  const { pair, pageBytes } = config;
  const offered = new FeatureSet(config.offered.low, config.offered.high);
  return Array.from({ length: config.guests }, (_, guest) => {
    const vhost = new VhostPair(context, { guest, pair, offered, pageBytes });
    // a polled ring needs no kicks, neither for frames nor for fresh buffers
    vhost.onChange = () => {
      vhost.tx?.disableNotifications();
      vhost.rx?.disableNotifications();
    };
    return vhost;
  });
}
