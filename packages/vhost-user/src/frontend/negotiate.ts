import { missingRequirements, PROTOCOL_F, protocolMask } from '../registry/protocol-features.ts';
import { F_PROTOCOL_FEATURES } from '../registry/virtio-features.ts';
import type { FrontendOptions, Negotiated } from './session-api.ts';

/** Protocol features that a FrontendSession implements. */
export const FRONTEND_PROTOCOL_FEATURES: bigint = protocolMask(
  'MQ',
  'LOG_SHMFD',
  'RARP',
  'REPLY_ACK',
  'MTU',
  'BACKEND_REQ',
  'BACKEND_SEND_FD',
  'CONFIG',
  'INFLIGHT_SHMFD',
  'RESET_DEVICE',
  'INBAND_NOTIFICATIONS',
  'CONFIGURE_MEM_SLOTS',
  'STATUS',
  'DEVICE_STATE',
);

/** Rings are called on the channel instead of through eventfds with this one, so it is used only when asked for. */
const BY_DEFAULT = FRONTEND_PROTOCOL_FEATURES & ~protocolMask('INBAND_NOTIFICATIONS');

/** The protocol features to acknowledge: offered, wanted, and with all that they require. */
export function chooseProtocol(offered: bigint, options: FrontendOptions): bigint {
  const channel = options.makeChannel === undefined ? PROTOCOL_F.BACKEND_REQ : 0n;
  let chosen = offered & (options.protocolFeatures ?? BY_DEFAULT) & FRONTEND_PROTOCOL_FEATURES & ~channel;
  for (;;) {
    const missing = missingRequirements(chosen);
    if (missing.length === 0) return chosen;
    for (const [feature] of missing) chosen &= ~PROTOCOL_F[feature];
  }
}

/** What both sides agree on before queues and slots are asked for. */
export function agree(
  offered: bigint,
  offeredProtocol: bigint,
  protocolFeatures: bigint,
  options: FrontendOptions,
): Negotiated {
  return {
    offered,
    offeredProtocol,
    features: offered & (options.features | F_PROTOCOL_FEATURES),
    protocolFeatures,
    queuePairs: 1,
    memSlots: 8,
  };
}
