/**
 * Both positions of a packed ring in one number, the form of VHOST_USER_GET_VRING_BASE: bits 0-14 available slot, 15
 * its wrap counter, 16-30 used slot, 31 its wrap counter.
 */
export function packedBase(slot: number, wrap: number, usedSlot: number, usedWrap: number): number {
  return (slot | (wrap << 15) | (usedSlot << 16) | (usedWrap << 31)) >>> 0;
}

/**
 * The two halves of a base that a peer sent, or undefined when one is outside a ring of `size`. Peers that know 16 bits
 * only mean both positions by them (0x8000 style: high half 0, wrap counter set).
 */
export function splitPackedBase(base: number, size: number): { avail: number; used: number } | undefined {
  const avail = base & 0xffff;
  const high = (base >>> 16) & 0xffff;
  const used = high === 0 && (avail & 0x8000) !== 0 ? avail : high;
  if ((avail & 0x7fff) >= size || (used & 0x7fff) >= size) return undefined;
  return { avail, used };
}
