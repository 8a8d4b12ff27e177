import { crcTable } from './crc-table.ts';

/** CRC-32 of Ethernet, polynomial 0x04C11DB7 reflected (IEEE 802.3, clause 3.2.9). */

const TABLE = crcTable(0xedb88320);

/** CRC-32 of `length` bytes from `offset`, an unsigned 32-bit number: the FCS of a frame, least significant byte first. */
export function crc32(u8: Uint8Array, offset: number, length: number): number {
  let crc = ~0;
  const end = offset + length;
  for (let at = offset; at < end; at++) crc = TABLE[(crc ^ u8[at]) & 0xff] ^ (crc >>> 8);
  return ~crc >>> 0;
}
