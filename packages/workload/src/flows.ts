/**
 * Flow numbers as 5-tuples. Source port and the destination address count, so that 2^30 flows differ; destination
 * port and source address are scattered by a hash, so that tables and RSS see no regular pattern.
 */

/** Flows that have 5-tuples of their own. */
export const MAX_FLOWS = 2 ** 30;

/** Added to the source port 32768. */
export function sourcePortOf(flow: number): number {
  return 32768 + (flow & 0x7fff);
}

export function destinationPortOf(flow: number): number {
  return 1024 + ((scatter(flow) >>> 16) & 0x3fff);
}

/** Low 16 bits of the source address: 1 to 32768, never a network's own address. */
export function sourceHostOf(flow: number): number {
  return 1 + (scatter(flow) & 0x7fff);
}

/** Low 16 bits of the destination address: 1 to 32768. */
export function destinationHostOf(flow: number): number {
  return 1 + ((flow >>> 15) & 0x7fff);
}

/** Mixes 32 bits (the finaliser of MurmurHash3). */
function scatter(value: number): number {
  let h = value;
  h ^= h >>> 16;
  h = Math.imul(h, 0x85ebca6b);
  h ^= h >>> 13;
  h = Math.imul(h, 0xc2b2ae35);
  return h ^ (h >>> 16);
}
