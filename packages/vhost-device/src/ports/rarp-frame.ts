const FRAME_BYTES = 60;
const ETHERTYPE_RARP = 0x8035;
const ETHERTYPE_IPV4 = 0x0800;
const REQUEST_REVERSE = 3;

/**
 * Writes the frame with which a guest that has moved announces its address (SEND_RARP): a reverse ARP request to everybody
 * (RFC 903), padded to 60 bytes. Answers its length.
 */
export function writeRarpFrame(u8: Uint8Array, at: number, mac: Uint8Array): number {
  u8.fill(0, at, at + FRAME_BYTES);
  u8.fill(0xff, at, at + 6);
  u8.set(mac, at + 6);
  const words = [ETHERTYPE_RARP, 1, ETHERTYPE_IPV4, 0x0604, REQUEST_REVERSE];
  for (const [i, word] of words.entries()) {
    u8[at + 12 + 2 * i] = word >>> 8;
    u8[at + 13 + 2 * i] = word & 0xff;
  }
  u8.set(mac, at + 22);
  u8.set(mac, at + 32);
  return FRAME_BYTES;
}
