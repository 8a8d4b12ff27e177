import type { Publisher } from '@vhostlab/memory';

/**
 * Covers `entries` used descriptors of a packed ring of `size` at `descOffset`, from slot `first` to slot `last` in ring
 * order, but for the flags of the first, which are the word to be published.
 */
export function coverUsed(
  publisher: Publisher,
  descOffset: number,
  size: number,
  first: number,
  last: number,
  entries: number,
): void {
  publisher.cover(descOffset + 16 * first + 8, 6);
  if (last > first) {
    publisher.cover(descOffset + 16 * (first + 1), 16 * (last - first));
  } else if (entries > 1) {
    if (first + 1 < size) publisher.cover(descOffset + 16 * (first + 1), 16 * (size - first - 1));
    publisher.cover(descOffset, 16 * (last + 1));
  }
}
