/** Stores the low 16 bits of `value`, big-endian. */
export function put16(u8: Uint8Array, at: number, value: number): void {
  u8[at] = value >>> 8;
  u8[at + 1] = value;
}

/** Stores the low 32 bits of `value`, big-endian. */
export function put32(u8: Uint8Array, at: number, value: number): void {
  u8[at] = value >>> 24;
  u8[at + 1] = value >>> 16;
  u8[at + 2] = value >>> 8;
  u8[at + 3] = value;
}

/** Sum of the two 16-bit halves of 32 bits, as the internet checksum adds them. */
export function halves(word: number): number {
  return (word >>> 16) + (word & 0xffff);
}
