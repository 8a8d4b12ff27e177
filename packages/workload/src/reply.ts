/**
 * Turns frames round in place. Checksums stay valid, because swapping words does not change a ones' complement
 * sum.
 */

/** Swaps source and destination MAC address of the frame at `offset` (what a forwarding guest does). */
export function swapMacs(u8: Uint8Array, offset: number): void {
  swap(u8, offset, offset + 6, 6);
}

/**
 * Turns an untagged UDP or TCP request over IPv4 (no options) or IPv6 (no extension headers) into its response:
 * MAC addresses, IP addresses and ports change places. Frames of other shape only have their MACs swapped; answers
 * whether the frame had the shape.
 */
export function reflect(u8: Uint8Array, offset: number, length: number): boolean {
  swapMacs(u8, offset);
  const etherType = (u8[offset + 12] << 8) | u8[offset + 13];
  const ip = offset + 14;
  if (etherType === 0x0800 && length >= 42 && u8[ip] === 0x45 && hasPorts(u8[ip + 9])) {
    swap(u8, ip + 12, ip + 16, 4);
    swap(u8, ip + 20, ip + 22, 2);
    return true;
  }
  if (etherType === 0x86dd && length >= 62 && hasPorts(u8[ip + 6])) {
    swap(u8, ip + 8, ip + 24, 16);
    swap(u8, ip + 40, ip + 42, 2);
    return true;
  }
  return false;
}

function hasPorts(protocol: number): boolean {
  return protocol === 17 || protocol === 6;
}

function swap(u8: Uint8Array, a: number, b: number, length: number): void {
  for (let i = 0; i < length; i++) {
    const byte = u8[a + i];
    u8[a + i] = u8[b + i];
    u8[b + i] = byte;
  }
}

/**
 * The 64-bit sequence number of a synthetic UDP frame, at most 2^53; -1 for other frames (untagged or one VLAN tag;
 * IPv4 without options or IPv6 without extension headers).
 */
export function readSequence(u8: Uint8Array, offset: number, length: number): number {
  let l3 = 14;
  let etherType = (u8[offset + 12] << 8) | u8[offset + 13];
  if (etherType === 0x8100) {
    l3 = 18;
    etherType = (u8[offset + 16] << 8) | u8[offset + 17];
  }
  const ip = offset + l3;
  let payload = -1;
  if (etherType === 0x0800 && u8[ip] === 0x45 && u8[ip + 9] === 17) payload = l3 + 28;
  if (etherType === 0x86dd && u8[ip + 6] === 17) payload = l3 + 48;
  if (payload < 0 || payload + 8 > length) return -1;
  const at = offset + payload;
  const high = (u8[at] << 24) | (u8[at + 1] << 16) | (u8[at + 2] << 8) | u8[at + 3];
  const low = (u8[at + 4] << 24) | (u8[at + 5] << 16) | (u8[at + 6] << 8) | u8[at + 7];
  return high >>> 21 !== 0 ? -1 : high * 4294967296 + (low >>> 0);
}
