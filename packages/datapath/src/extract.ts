import {
  ETH_TYPE_NONE,
  FRAG_ANY,
  FRAG_LATER,
  KEY_WORDS,
  TCI_PRESENT,
  W_ETH0,
  W_ETH1,
  W_ETH2,
  W_IN_PORT,
  W_IP_DST,
  W_IP_META,
  W_IP_SRC,
  W_IP6_DST,
  W_IP6_LABEL,
  W_IP6_SRC,
  W_TCP_FLAGS,
  W_TP,
  W_TPID_TCI2,
  W_TYPE_TCI,
} from './key.ts';

const ETH_HEADER = 14;
const IPV4_HEADER = 20;
const IPV6_HEADER = 40;
const ARP_BODY = 28;
/** More bytes than this behind an IP packet make it malformed, as in Open vSwitch. */
const PADDING_MAX = 255;

/**
 * Makes flow keys of frames with the rules of Open vSwitch's `miniflow_extract` (lib/flow.c, v3.1): which
 * malformed header stops where, and which fields stay zero then, decide which megaflow a frame hits. Nothing is
 * allocated; `l3` and `l4` of the last frame are left for the caller.
 */
export class KeyExtractor {
  /** Position of the network header of the last frame, -1 when there is none that is parsed further. */
  l3 = -1;
  /** Position of the transport header of the last frame, -1 when there is none or it does not fit. */
  l4 = -1;
  /** Position behind the network packet (without padding); valid with `l3`. */
  l3End = 0;
  readonly #vlanLimit: number;

  /** `vlanLimit`: tags that are parsed, 0..2 (Open vSwitch's `vlan-limit`, there 1 by default). */
  constructor(vlanLimit = 2) {
    this.#vlanLimit = vlanLimit;
  }

  /**
   * Fills the key at word offset `at` of `keys` from the `length` bytes at `offset` of `u8`. Never throws for
   * any frame: what cannot be parsed stays 0. The recirculation and tunnel ids are set to 0.
   */
  extract(
    u8: Uint8Array,
    offset: number,
    length: number,
    inPort: number,
    keys: Uint32Array,
    at: number,
  ): void {
    for (let i = 0; i < KEY_WORDS; i++) keys[at + i] = 0;
    keys[at + W_IN_PORT] = inPort;
    this.l3 = -1;
    this.l4 = -1;
    if (length < ETH_HEADER) return;
    const end = offset + length;
    keys[at + W_ETH0] = be32(u8, offset);
    keys[at + W_ETH1] = be32(u8, offset + 4);
    keys[at + W_ETH2] = be32(u8, offset + 8);

    let p = offset + 12;
    let type = be16(u8, p);
    for (let tag = 0; tag < this.#vlanLimit && (type === 0x8100 || type === 0x88a8); tag++) {
      if (end - p < 6) break;
      const tci = be16(u8, p + 2) | TCI_PRESENT;
      if (tag === 0) {
        keys[at + W_TYPE_TCI] = tci;
        keys[at + W_TPID_TCI2] = type << 16;
      } else {
        keys[at + W_TPID_TCI2] |= tci;
        keys[at + W_TCP_FLAGS] = type << 16;
      }
      p += 4;
      type = be16(u8, p);
    }
    p += 2;
    if (type < 0x600) {
      type = snapType(u8, p, end);
      if (type !== ETH_TYPE_NONE) p += 8;
    }
    keys[at + W_TYPE_TCI] |= type << 16;
    if (type === 0x0800) this.#ipv4(u8, p, end, keys, at);
    else if (type === 0x86dd) this.#ipv6(u8, p, end, keys, at);
    else if (type === 0x0806 || type === 0x8035) this.#arp(u8, p, end, keys, at);
  }

  #arp(u8: Uint8Array, p: number, end: number, keys: Uint32Array, at: number): void {
    if (end - p < ARP_BODY) return;
    if (be32(u8, p) !== 0x00010800 || be16(u8, p + 4) !== 0x0604) return;
    const opcode = be16(u8, p + 6);
    this.l3 = p;
    this.l3End = p + ARP_BODY;
    if (opcode <= 0xff) keys[at + W_IP_META] = opcode << 24;
    keys[at + W_IP_SRC] = be32(u8, p + 14);
    keys[at + W_IP_DST] = be32(u8, p + 24);
  }

  #ipv4(u8: Uint8Array, p: number, end: number, keys: Uint32Array, at: number): void {
    const size = end - p;
    if (size < IPV4_HEADER) return;
    const headerBytes = (u8[p] & 15) * 4;
    const totalBytes = be16(u8, p + 2);
    if (headerBytes < IPV4_HEADER || size < headerBytes) return;
    if (totalBytes > size || headerBytes > totalBytes || size - totalBytes > PADDING_MAX) return;
    const fragment = be16(u8, p + 6) & 0x3fff;
    const frag = fragment === 0 ? 0 : (fragment & 0x1fff) === 0 ? FRAG_ANY : FRAG_ANY | FRAG_LATER;
    const protocol = u8[p + 9];
    this.l3 = p;
    this.l3End = p + totalBytes;
    keys[at + W_IP_SRC] = be32(u8, p + 12);
    keys[at + W_IP_DST] = be32(u8, p + 16);
    keys[at + W_IP_META] = (protocol << 24) | (u8[p + 1] << 16) | (u8[p + 8] << 8) | frag;
    if ((frag & FRAG_LATER) === 0) this.#transport(u8, p + headerBytes, protocol, keys, at);
  }

  #ipv6(u8: Uint8Array, p: number, end: number, keys: Uint32Array, at: number): void {
    const size = end - p;
    if (size < IPV6_HEADER) return;
    const payload = be16(u8, p + 4);
    if (payload + IPV6_HEADER > size || size - payload > PADDING_MAX) return;
    const stop = p + IPV6_HEADER + payload;
    this.l3 = p;
    this.l3End = stop;
    keys[at + W_IP_SRC] = be32(u8, p + 8);
    keys[at + W_IP_DST] = be32(u8, p + 24);
    for (let i = 0; i < 3; i++) {
      keys[at + W_IP6_SRC + i] = be32(u8, p + 12 + 4 * i);
      keys[at + W_IP6_DST + i] = be32(u8, p + 28 + 4 * i);
    }
    let next = u8[p + 6];
    let frag = 0;
    let h = p + IPV6_HEADER;
    // Hop-by-hop, routing, destination options, authentication and fragment headers; each is at least 8 bytes.
    while (next === 0 || next === 43 || next === 60 || next === 51 || next === 44) {
      if (stop - h < 8) return;
      const kind = next;
      next = u8[h];
      const bytes = kind === 44 ? 8 : kind === 51 ? (u8[h + 1] + 2) * 4 : (u8[h + 1] + 1) * 8;
      if (stop - h < bytes) return;
      if (kind === 44) {
        const fragment = be16(u8, h + 2);
        if (fragment !== 0) frag = FRAG_ANY;
        if ((fragment & 0xfff8) !== 0) {
          frag = FRAG_ANY | FRAG_LATER;
          next = 44;
          h += bytes;
          break;
        }
      }
      h += bytes;
    }
    keys[at + W_IP6_LABEL] = be32(u8, p) & 0xfffff;
    const tos = (be16(u8, p) >>> 4) & 0xff;
    keys[at + W_IP_META] = (next << 24) | (tos << 16) | (u8[p + 7] << 8) | frag;
    if ((frag & FRAG_LATER) === 0) this.#transport(u8, h, next, keys, at);
  }

  #transport(u8: Uint8Array, p: number, protocol: number, keys: Uint32Array, at: number): void {
    const size = this.l3End - p;
    if (protocol === 6) {
      if (size < 20) return;
      const headerBytes = (u8[p + 12] >>> 4) * 4;
      if (headerBytes < 20 || size < headerBytes) return;
      keys[at + W_TCP_FLAGS] |= be16(u8, p + 12) & 0xfff;
    } else if (protocol === 17) {
      if (size < 8) return;
    } else if (protocol === 132) {
      if (size < 12) return;
    } else if (protocol === 1 || protocol === 58 || protocol === 2) {
      if (size < 8) return;
      this.l4 = p;
      keys[at + W_TP] = (u8[p] << 16) | u8[p + 1];
      return;
    } else return;
    this.l4 = p;
    keys[at + W_TP] = be32(u8, p);
  }
}

function snapType(u8: Uint8Array, p: number, end: number): number {
  if (end - p < 8 || be32(u8, p) !== (0xaaaa0300 | 0) || be16(u8, p + 4) !== 0) return ETH_TYPE_NONE;
  const type = be16(u8, p + 6);
  return type >= 0x600 ? type : ETH_TYPE_NONE;
}

function be16(u8: Uint8Array, at: number): number {
  return (u8[at] << 8) | u8[at + 1];
}

/** Signed, because V8 boxes larger numbers. */
function be32(u8: Uint8Array, at: number): number {
  return (u8[at] << 24) | (u8[at + 1] << 16) | (u8[at + 2] << 8) | u8[at + 3];
}
