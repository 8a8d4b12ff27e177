/**
 * The internet checksum (RFC 1071) as a *folded ones' complement sum*, 0..0xffff, NOT inverted, so that sums of
 * parts can be added to each other. Turn it into the value of a header field with `finishChecksum`.
 */

/** Bytes that two signed 32-bit sums of bytes can hold without overflow once one of them is multiplied by 256. */
const CHUNK_BYTES = 65536;

/**
 * Sum of `length` bytes from `offset`, at any alignment, added to `seed` (another folded sum, 0..0xffff).
 * An odd last byte counts as the high half of a word. Reads only inside the array: the caller checks bounds.
 */
export function internetChecksum(u8: Uint8Array, offset: number, length: number, seed = 0): number {
  let sum = seed;
  let at = offset;
  const end = offset + length;
  while (at < end) {
    const stop = end - at > CHUNK_BYTES ? at + CHUNK_BYTES : end;
    const even = at + ((stop - at) & ~1);
    const wide = at + ((stop - at) & ~7);
    let high = 0;
    let low = 0;
    for (; at < wide; at += 8) {
      high += u8[at] + u8[at + 2] + u8[at + 4] + u8[at + 6];
      low += u8[at + 1] + u8[at + 3] + u8[at + 5] + u8[at + 7];
    }
    for (; at < even; at += 2) {
      high += u8[at];
      low += u8[at + 1];
    }
    if (at < stop) high += u8[at++];
    const total = (high << 8) + low;
    sum = foldSum(sum + (total & 0xffff) + (total >>> 16));
  }
  return sum;
}

/** Folds the carries of a sum below 2^32 into 16 bits. */
export function foldSum(sum: number): number {
  let folded = (sum & 0xffff) + (sum >>> 16);
  folded = (folded & 0xffff) + (folded >>> 16);
  return folded;
}

/** Adds two folded sums. */
export function addSums(a: number, b: number): number {
  const sum = a + b;
  return (sum & 0xffff) + (sum >>> 16);
}

/** The value of a checksum field: the complement of a folded sum. UDP sends 0xffff for 0: `finishUdpChecksum`. */
export function finishChecksum(sum: number): number {
  return ~sum & 0xffff;
}

/** As `finishChecksum`, with 0 ("no checksum", RFC 768) replaced by its other spelling 0xffff. */
export function finishUdpChecksum(sum: number): number {
  const value = ~sum & 0xffff;
  return value === 0 ? 0xffff : value;
}

/**
 * Checksum field after one 16-bit word of the covered bytes changed: RFC 1624, equation 3
 * (HC' = ~(~HC + ~m + m')). All arguments and the answer are 0..0xffff.
 */
export function updateChecksum(checksum: number, oldWord: number, newWord: number): number {
  return ~foldSum((~checksum & 0xffff) + (~oldWord & 0xffff) + newWord) & 0xffff;
}

/** As `updateChecksum` for a 32-bit word that starts at an even distance from the start of the covered bytes. */
export function updateChecksum32(checksum: number, oldWord: number, newWord: number): number {
  const once = updateChecksum(checksum, oldWord >>> 16, newWord >>> 16);
  return updateChecksum(once, oldWord & 0xffff, newWord & 0xffff);
}

/**
 * Sum of the IPv4 pseudo header (RFC 793, 3.1; RFC 768). `addressOffset`: where source and destination address
 * lie one after the other (IPv4 header + 12); `l4Length`: bytes of the TCP segment or UDP datagram.
 */
export function pseudoHeaderSum4(
  u8: Uint8Array,
  addressOffset: number,
  protocol: number,
  l4Length: number,
): number {
  return foldSum(internetChecksum(u8, addressOffset, 8) + protocol + (l4Length & 0xffff) + (l4Length >>> 16));
}

/** Sum of the IPv6 pseudo header (RFC 8200, 8.1). `addressOffset`: IPv6 header + 8. */
export function pseudoHeaderSum6(
  u8: Uint8Array,
  addressOffset: number,
  protocol: number,
  l4Length: number,
): number {
  return foldSum(
    internetChecksum(u8, addressOffset, 32) + protocol + (l4Length & 0xffff) + (l4Length >>> 16),
  );
}

/** Writes the header checksum of the IPv4 header at `offset` (its IHL field says how long it is). */
export function writeIpv4Checksum(u8: Uint8Array, offset: number): void {
  u8[offset + 10] = 0;
  u8[offset + 11] = 0;
  const value = finishChecksum(internetChecksum(u8, offset, (u8[offset] & 15) * 4));
  u8[offset + 10] = value >>> 8;
  u8[offset + 11] = value & 0xff;
}
