import { featureByName } from '@vhostlab/virtio-net';

/** The mask of a virtio feature. */
export function feature(name: string): bigint {
  return 1n << BigInt(featureByName(name).bit);
}
