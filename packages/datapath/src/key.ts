/**
 * The flow key: a fixed layout of 32-bit words in one Uint32Array, so that a burst of keys is one array and a
 * key is an offset into it. The words that only IPv6 uses come last: keys of anything else are compared and
 * hashed over `KEY_WORDS_V4` words.
 */

/** Words of a key. */
export const KEY_WORDS = 20;
/** Words of a key that is not IPv6; the rest of it is zero. */
export const KEY_WORDS_V4 = 13;

/** Datapath port the frame arrived on. */
export const W_IN_PORT = 0;
/** Recirculation id; 0 for a frame fresh from a port. */
export const W_RECIRC = 1;
/** Tunnel id of a decapsulated frame (VNI, GRE key); 0 without a tunnel. */
export const W_TUN_ID = 2;
/** First 4 bytes of the destination MAC. */
export const W_ETH0 = 3;
/** Last 2 bytes of the destination MAC, then the first 2 of the source. */
export const W_ETH1 = 4;
/** Last 4 bytes of the source MAC. */
export const W_ETH2 = 5;
/** EtherType after the VLAN tags << 16 | outer TCI with bit 12 set as "tag present", 0 without a tag. */
export const W_TYPE_TCI = 6;
/** TPID of the outer tag << 16 | inner TCI, as above. */
export const W_TPID_TCI2 = 7;
/** IPv4 source, ARP sender address, or the first 4 bytes of the IPv6 source. */
export const W_IP_SRC = 8;
/** IPv4 destination, ARP target address, or the first 4 bytes of the IPv6 destination. */
export const W_IP_DST = 9;
/** IP protocol or ARP opcode << 24 | TOS << 16 | TTL << 8 | fragment bits. */
export const W_IP_META = 10;
/** Source port or ICMP type << 16 | destination port or ICMP code. */
export const W_TP = 11;
/** TPID of the inner tag << 16 | TCP flags, 12 bits. */
export const W_TCP_FLAGS = 12;
/** Bytes 4..15 of the IPv6 source: 3 words. */
export const W_IP6_SRC = 13;
/** Bytes 4..15 of the IPv6 destination: 3 words. */
export const W_IP6_DST = 16;
/** IPv6 flow label, 20 bits. */
export const W_IP6_LABEL = 19;

/** Fragment bits of `W_IP_META`: any fragment. */
export const FRAG_ANY = 1;
/** Fragment bits of `W_IP_META`: a fragment that is not the first. */
export const FRAG_LATER = 2;
/** Bit 12 of a TCI in a key: a tag is present (as in Open vSwitch; the frame's own DEI bit is not kept). */
export const TCI_PRESENT = 0x1000;
/** EtherType of a frame whose length field is followed by no SNAP type. */
export const ETH_TYPE_NONE = 0x05ff;

/** Lookup stages in the order of Open vSwitch: metadata, L2, L3, L4. */
export const STAGE_OF_WORD: readonly number[] = [0, 0, 0, 1, 1, 1, 1, 1, 2, 2, 2, 3, 3, 2, 2, 2, 2, 2, 2, 2];

/** Part of a field: `width` bits at `shift` of a word. Parts run from the most significant bits down. */
export interface FieldPart {
  readonly word: number;
  readonly shift: number;
  readonly width: number;
}

/** A named field of the key. */
export interface FieldSpec {
  readonly name: string;
  readonly bits: number;
  readonly parts: readonly FieldPart[];
}

function field(name: string, ...parts: [word: number, shift: number, width: number][]): FieldSpec {
  return {
    name,
    bits: parts.reduce((sum, part) => sum + part[2], 0),
    parts: parts.map(([word, shift, width]) => ({ word, shift, width })),
  };
}

/** Every field of the key. `ipv4_*` and the first word of `ipv6_*` share their place: the EtherType tells. */
export const KEY_FIELDS = {
  in_port: field('in_port', [W_IN_PORT, 0, 32]),
  recirc_id: field('recirc_id', [W_RECIRC, 0, 32]),
  tun_id: field('tun_id', [W_TUN_ID, 0, 32]),
  eth_dst: field('eth_dst', [W_ETH0, 0, 32], [W_ETH1, 16, 16]),
  eth_src: field('eth_src', [W_ETH1, 0, 16], [W_ETH2, 0, 32]),
  eth_type: field('eth_type', [W_TYPE_TCI, 16, 16]),
  vlan_tci: field('vlan_tci', [W_TYPE_TCI, 0, 16]),
  vlan_tpid: field('vlan_tpid', [W_TPID_TCI2, 16, 16]),
  vlan_tci2: field('vlan_tci2', [W_TPID_TCI2, 0, 16]),
  vlan_tpid2: field('vlan_tpid2', [W_TCP_FLAGS, 16, 16]),
  ipv4_src: field('ipv4_src', [W_IP_SRC, 0, 32]),
  ipv4_dst: field('ipv4_dst', [W_IP_DST, 0, 32]),
  ipv6_src: field(
    'ipv6_src',
    [W_IP_SRC, 0, 32],
    [W_IP6_SRC, 0, 32],
    [W_IP6_SRC + 1, 0, 32],
    [W_IP6_SRC + 2, 0, 32],
  ),
  ipv6_dst: field(
    'ipv6_dst',
    [W_IP_DST, 0, 32],
    [W_IP6_DST, 0, 32],
    [W_IP6_DST + 1, 0, 32],
    [W_IP6_DST + 2, 0, 32],
  ),
  ipv6_label: field('ipv6_label', [W_IP6_LABEL, 0, 20]),
  ip_proto: field('ip_proto', [W_IP_META, 24, 8]),
  ip_tos: field('ip_tos', [W_IP_META, 16, 8]),
  ip_ttl: field('ip_ttl', [W_IP_META, 8, 8]),
  ip_frag: field('ip_frag', [W_IP_META, 0, 2]),
  tp_src: field('tp_src', [W_TP, 16, 16]),
  tp_dst: field('tp_dst', [W_TP, 0, 16]),
  tcp_flags: field('tcp_flags', [W_TCP_FLAGS, 0, 12]),
} as const satisfies Record<string, FieldSpec>;

/** Name of a field of the key. */
export type KeyFieldName = keyof typeof KEY_FIELDS;

/** Reads a field of the key at word offset `at`. Control path: allocates. */
export function readField(words: Uint32Array, at: number, spec: FieldSpec): bigint {
  let value = 0n;
  for (const part of spec.parts) {
    const bits = (words[at + part.word] >>> part.shift) & maskOf(part.width);
    value = (value << BigInt(part.width)) | BigInt(bits >>> 0);
  }
  return value;
}

/** Writes a field of the key at word offset `at`; bits above the field's width are ignored. Control path. */
export function writeField(words: Uint32Array, at: number, spec: FieldSpec, value: bigint): void {
  let rest = BigInt.asUintN(spec.bits, value);
  for (let i = spec.parts.length - 1; i >= 0; i--) {
    const part = spec.parts[i];
    const bits = Number(BigInt.asUintN(part.width, rest));
    rest >>= BigInt(part.width);
    const mask = (maskOf(part.width) << part.shift) >>> 0;
    words[at + part.word] = (words[at + part.word] & ~mask) | ((bits << part.shift) & mask);
  }
}

/** Sets every bit of a field in the mask at word offset `at`. */
export function coverField(mask: Uint32Array, at: number, spec: FieldSpec): void {
  for (const part of spec.parts) mask[at + part.word] |= maskOf(part.width) << part.shift;
}

/** True when the key's EtherType is IPv6: its last words carry data. */
export function isIpv6Key(words: Uint32Array, at: number): boolean {
  return words[at + W_TYPE_TCI] >>> 16 === 0x86dd;
}

function maskOf(width: number): number {
  return width === 32 ? 0xffffffff : (1 << width) - 1;
}
