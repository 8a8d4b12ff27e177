import type { Arena, Publisher } from '@vhostlab/memory';
import { NIC_DESC_BYTES, nicRingBytes } from './descriptors.ts';

/** What both ends of a ring are made of. Each end has its own view: arenas and offsets may differ. */
export interface NicRingOptions {
  readonly arena: Arena;
  readonly publisher: Publisher;
  /** Where the ring starts in this end's arena, a multiple of 16. */
  readonly ringOffset: number;
  /** Descriptors, a power of two from 32 to 8192. At most `size - 1` are posted at a time. */
  readonly size: number;
}

/** Throws a RangeError that names what is wrong with a ring's place or size. */
export function checkRing(options: NicRingOptions): void {
  const { arena, ringOffset, size } = options;
  if (size < 32 || size > 8192 || (size & (size - 1)) !== 0) {
    throw new RangeError(`a NIC ring of ${size} descriptors: use a power of two from 32 to 8192`);
  }
  if (
    ringOffset % NIC_DESC_BYTES !== 0 ||
    ringOffset < 0 ||
    ringOffset + nicRingBytes(size) > arena.sizeBytes
  ) {
    throw new RangeError(`a NIC ring at arena offset ${ringOffset} is unaligned or outside the arena`);
  }
}

/** Covers `count` descriptors from index `first` on, in one range or two. */
export function coverDescriptors(options: NicRingOptions, first: number, count: number): void {
  const { publisher, ringOffset, size } = options;
  const straight = Math.min(count, size - first);
  if (straight > 0) publisher.cover(ringOffset + first * NIC_DESC_BYTES, straight * NIC_DESC_BYTES);
  if (count > straight) publisher.cover(ringOffset, (count - straight) * NIC_DESC_BYTES);
}
