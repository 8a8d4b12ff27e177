import { crcTable } from './crc-table.ts';

/** CRC32c (Castagnoli), polynomial 0x1EDC6F41 reflected, as SCTP uses it (RFC 9260, appendix A). */

const TABLE = crcTable(0x82f63b78);

/** CRC32c of `length` bytes from `offset`, an unsigned 32-bit number. `seed`: the CRC of the bytes before them. */
export function crc32c(u8: Uint8Array, offset: number, length: number, seed = 0): number {
  let crc = ~seed;
  const end = offset + length;
  for (let at = offset; at < end; at++) crc = TABLE[(crc ^ u8[at]) & 0xff] ^ (crc >>> 8);
  return ~crc >>> 0;
}

/** Computes and stores the checksum of the SCTP packet at `offset`; it goes out least significant byte first. */
export function writeSctpChecksum(u8: Uint8Array, offset: number, length: number): void {
  u8.fill(0, offset + 8, offset + 12);
  const crc = crc32c(u8, offset, length);
  u8[offset + 8] = crc & 0xff;
  u8[offset + 9] = (crc >>> 8) & 0xff;
  u8[offset + 10] = (crc >>> 16) & 0xff;
  u8[offset + 11] = crc >>> 24;
}

/** True when the SCTP packet at `offset` carries its right checksum. */
export function sctpChecksumOk(u8: Uint8Array, offset: number, length: number): boolean {
  if (length < 12) return false;
  let crc = crc32c(u8, offset, 8);
  crc = crc32c(ZERO, 0, 4, crc);
  crc = crc32c(u8, offset + 12, length - 12, crc);
  const at = offset + 8;
  const stored = (u8[at] | (u8[at + 1] << 8) | (u8[at + 2] << 16) | (u8[at + 3] << 24)) >>> 0;
  return crc === stored;
}

const ZERO = new Uint8Array(4);
