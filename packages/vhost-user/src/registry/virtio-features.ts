import { FEATURES, featureByBit, featureByName } from '@vhostlab/virtio-net';

/** VHOST_USER_F_PROTOCOL_FEATURES, bit 30 of the virtio feature word. */
export const F_PROTOCOL_FEATURES = maskOf('PROTOCOL_FEATURES');
/** VHOST_F_LOG_ALL, bit 26. */
export const F_LOG_ALL = maskOf('LOG_ALL');
export const F_EVENT_IDX = maskOf('EVENT_IDX');
export const F_ACCESS_PLATFORM = maskOf('ACCESS_PLATFORM');
export const F_RING_PACKED = maskOf('RING_PACKED');

function maskOf(name: string): bigint {
  return 1n << BigInt(featureByName(name).bit);
}

/** Names of the virtio feature bits of a u64, rising; `bit N` for one without a name. */
export function virtioFeatureNames(mask: bigint): string[] {
  const names: string[] = [];
  for (let bit = 0; bit < 64; bit++) {
    if (((mask >> BigInt(bit)) & 1n) === 1n) names.push(featureByBit(bit)?.name ?? `bit ${bit}`);
  }
  return names;
}

/** Every virtio feature that vhost-user can carry: GET_FEATURES is one u64, so bits above 63 cannot travel. */
export const VIRTIO_FEATURES = FEATURES;
