/**
 * Where a ring goes on. Split: `lastAvail`, 0 to 65535. Packed: next available and next used slot with their wrap
 * counters.
 */
export type RingBase =
  | { readonly format: 'split'; readonly lastAvail: number }
  | {
      readonly format: 'packed';
      readonly avail: number;
      readonly availWrap: boolean;
      readonly used: number;
      readonly usedWrap: boolean;
    };

/** The base of a ring that was never used: slot 0, both wrap counters 1 (virtio 1.3, 2.8.1). */
export function initialBase(format: 'split' | 'packed'): RingBase {
  return format === 'split'
    ? { format, lastAvail: 0 }
    : { format, avail: 0, availWrap: true, used: 0, usedWrap: true };
}

/**
 * The `num` of SET_VRING_BASE as a base (vhost-user, "A vring state description"). Packed rings: bits 0 to 14 next
 * available slot, 15 its wrap counter, 16 to 30 next used slot, 31 its wrap counter. DPDK sends the low half only: with
 * the high half 0 and the available wrap counter 1, used is taken to equal available. Null: split and above 65535.
 */
export function decodeBase(format: 'split' | 'packed', num: number): RingBase | null {
  if (format === 'split') return num > 0xffff ? null : { format, lastAvail: num };
  const low = num & 0xffff;
  const high = num >>> 16;
  const used = high === 0 && (low & 0x8000) !== 0 ? low : high;
  return {
    format,
    avail: low & 0x7fff,
    availWrap: (low & 0x8000) !== 0,
    used: used & 0x7fff,
    usedWrap: (used & 0x8000) !== 0,
  };
}

/** The same as the `num` of GET_VRING_BASE, with all 32 bits for packed rings. */
export function encodeBase(base: RingBase): number {
  if (base.format === 'split') return base.lastAvail & 0xffff;
  const low = base.avail | (base.availWrap ? 0x8000 : 0);
  const high = base.used | (base.usedWrap ? 0x8000 : 0);
  return ((high << 16) | low) >>> 0;
}
