import type { Arena } from '@vhostlab/memory';
import type { RingBase } from '@vhostlab/vhost-user';
import type { RingStart } from '../control/commands.ts';

/** Bytes from the beginning of a split ring's used area to its `idx` (virtio 1.3, 2.7.8). */
const USED_INDEX_BYTES = 2;

/**
 * Where a ring really goes on. A queue that is worked off in order has given back everything below the used index and
 * nothing above it, so that a split ring's own used index outranks SET_VRING_BASE, as it does in DPDK's vhost and in
 * libvhost-user. A front end that lost its back end cannot know better: DPDK's virtio-user then sends base 0 for a ring
 * in full use. Buffers between the two were taken and never given back, and are taken again.
 */
export function resumedBase({ format, areas, base }: RingStart, arena: Arena): RingBase {
  if (format !== 'split') return base;
  return { format, lastAvail: Atomics.load(arena.u16, (areas.device + USED_INDEX_BYTES) >>> 1) };
}
