import {
  coverField,
  type FieldSpec,
  KEY_WORDS,
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
  W_RECIRC,
  W_TCP_FLAGS,
  W_TP,
  W_TPID_TCI2,
  W_TUN_ID,
  W_TYPE_TCI,
  writeField,
} from '@vhostlab/datapath';

/**
 * Words of a flow in the pipeline: registers and metadata beside the packet's fields, IPv4 and IPv6 apart, in
 * the order of Open vSwitch's lookup stages.
 */
export const P_REG = 0;
export const P_METADATA = 16;
export const P_IN_PORT = 18;
export const P_RECIRC = 19;
export const P_TUN_ID = 20;
export const P_ETH0 = 21;
export const P_ETH1 = 22;
export const P_ETH2 = 23;
export const P_TYPE = 24;
/** TPID << 16 | TCI, bit 12 set when the tag is there. */
export const P_VLAN0 = 25;
export const P_VLAN1 = 26;
export const P_NW_SRC = 27;
export const P_NW_DST = 28;
export const P_IP6_SRC = 29;
export const P_IP6_DST = 33;
export const P_LABEL = 37;
/** Protocol << 24 | TOS << 16 | TTL << 8 | fragment bits, as in the datapath's key. */
export const P_NW = 38;
export const P_TCP_FLAGS = 39;
/** Source port << 16 | destination port. */
export const P_PORTS = 40;
/** Words of a flow. */
export const P_WORDS = 41;

/** Lookup stage of a word: 0 metadata, 1 L2, 2 L3, 3 L4. */
export function stageOf(word: number): number {
  return word < P_ETH0 ? 0 : word < P_NW_SRC ? 1 : word < P_TCP_FLAGS ? 2 : 3;
}

function spec(name: string, ...parts: [word: number, shift: number, width: number][]): FieldSpec {
  return {
    name,
    bits: parts.reduce((sum, part) => sum + part[2], 0),
    parts: parts.map(([word, shift, width]) => ({ word, shift, width })),
  };
}

function words128(name: string, first: number): FieldSpec {
  return spec(name, [first, 0, 32], [first + 1, 0, 32], [first + 2, 0, 32], [first + 3, 0, 32]);
}

/** Fields by their Open vSwitch names. */
export const FIELDS = {
  in_port: spec('in_port', [P_IN_PORT, 0, 32]),
  recirc_id: spec('recirc_id', [P_RECIRC, 0, 32]),
  tun_id: spec('tun_id', [P_TUN_ID, 0, 32]),
  metadata: spec('metadata', [P_METADATA, 0, 32], [P_METADATA + 1, 0, 32]),
  eth_dst: spec('eth_dst', [P_ETH0, 0, 32], [P_ETH1, 16, 16]),
  eth_src: spec('eth_src', [P_ETH1, 0, 16], [P_ETH2, 0, 32]),
  eth_type: spec('eth_type', [P_TYPE, 0, 16]),
  vlan_tci: spec('vlan_tci', [P_VLAN0, 0, 16]),
  vlan_vid: spec('vlan_vid', [P_VLAN0, 0, 12]),
  vlan_pcp: spec('vlan_pcp', [P_VLAN0, 13, 3]),
  nw_src: spec('nw_src', [P_NW_SRC, 0, 32]),
  nw_dst: spec('nw_dst', [P_NW_DST, 0, 32]),
  ipv6_src: words128('ipv6_src', P_IP6_SRC),
  ipv6_dst: words128('ipv6_dst', P_IP6_DST),
  ipv6_label: spec('ipv6_label', [P_LABEL, 0, 20]),
  nw_proto: spec('nw_proto', [P_NW, 24, 8]),
  nw_tos: spec('nw_tos', [P_NW, 16, 8]),
  nw_ttl: spec('nw_ttl', [P_NW, 8, 8]),
  nw_frag: spec('nw_frag', [P_NW, 0, 2]),
  tcp_flags: spec('tcp_flags', [P_TCP_FLAGS, 0, 12]),
  tp_src: spec('tp_src', [P_PORTS, 16, 16]),
  tp_dst: spec('tp_dst', [P_PORTS, 0, 16]),
} as const satisfies Record<string, FieldSpec>;

/** Name of a field of the pipeline, without the registers. */
export type FieldName = keyof typeof FIELDS;

/** Field of register `index`, 0..15. */
export function registerField(index: number): FieldSpec {
  return spec(`reg${index}`, [P_REG + index, 0, 32]);
}

/** What a rule matches: `value` under `mask`, both `P_WORDS` words; value bits outside the mask are 0. */
export interface Match {
  readonly value: Uint32Array;
  readonly mask: Uint32Array;
}

/** A match of nothing in particular. */
export function anyMatch(): Match {
  return { value: new Uint32Array(P_WORDS), mask: new Uint32Array(P_WORDS) };
}

/**
 * Adds bits of a field to a match, beside those it has; `mask` undefined: all of the field. Fields of IP need
 * their `eth_type` added too, ports their `nw_proto`.
 */
export function addToMatch(match: Match, field: FieldSpec, value: bigint, mask?: bigint): void {
  const bits = new Uint32Array(P_WORDS);
  const values = new Uint32Array(P_WORDS);
  if (mask === undefined) coverField(bits, 0, field);
  else writeField(bits, 0, field, mask);
  writeField(values, 0, field, value);
  for (const { word } of field.parts) {
    match.mask[word] |= bits[word];
    match.value[word] = (match.value[word] & ~bits[word]) | (values[word] & bits[word]);
  }
}

/** The pipeline's flow of a packet from the datapath's key; written to `flow` when it is given. */
export function flowOfKey(key: Uint32Array, flow: Uint32Array = new Uint32Array(P_WORDS)): Uint32Array {
  const type = key[W_TYPE_TCI] >>> 16;
  flow.fill(0);
  flow[P_IN_PORT] = key[W_IN_PORT];
  flow[P_RECIRC] = key[W_RECIRC];
  flow[P_TUN_ID] = key[W_TUN_ID];
  flow[P_ETH0] = key[W_ETH0];
  flow[P_ETH1] = key[W_ETH1];
  flow[P_ETH2] = key[W_ETH2];
  flow[P_TYPE] = type;
  flow[P_VLAN0] = (key[W_TPID_TCI2] & 0xffff0000) | (key[W_TYPE_TCI] & 0xffff);
  flow[P_VLAN1] = (key[W_TCP_FLAGS] & 0xffff0000) | (key[W_TPID_TCI2] & 0xffff);
  flow[P_NW] = key[W_IP_META];
  flow[P_TCP_FLAGS] = key[W_TCP_FLAGS] & 0xffff;
  flow[P_PORTS] = key[W_TP];
  if (type !== 0x86dd) {
    flow[P_NW_SRC] = key[W_IP_SRC];
    flow[P_NW_DST] = key[W_IP_DST];
    return flow;
  }
  flow[P_IP6_SRC] = key[W_IP_SRC];
  flow[P_IP6_DST] = key[W_IP_DST];
  for (let i = 0; i < 3; i++) {
    flow[P_IP6_SRC + 1 + i] = key[W_IP6_SRC + i];
    flow[P_IP6_DST + 1 + i] = key[W_IP6_DST + i];
  }
  flow[P_LABEL] = key[W_IP6_LABEL];
  return flow;
}

/**
 * Words of the datapath's key from those of a flow or of a mask. IPv4 and IPv6 share their place there; the
 * EtherType is exact in every megaflow, so that only one of the two is ever set.
 */
export function keyOfFlow(flow: Uint32Array): Uint32Array {
  const key = new Uint32Array(KEY_WORDS);
  key[W_IN_PORT] = flow[P_IN_PORT];
  key[W_RECIRC] = flow[P_RECIRC];
  key[W_TUN_ID] = flow[P_TUN_ID];
  key[W_ETH0] = flow[P_ETH0];
  key[W_ETH1] = flow[P_ETH1];
  key[W_ETH2] = flow[P_ETH2];
  key[W_TYPE_TCI] = (flow[P_TYPE] << 16) | (flow[P_VLAN0] & 0xffff);
  key[W_TPID_TCI2] = (flow[P_VLAN0] & 0xffff0000) | (flow[P_VLAN1] & 0xffff);
  key[W_IP_SRC] = flow[P_NW_SRC] | flow[P_IP6_SRC];
  key[W_IP_DST] = flow[P_NW_DST] | flow[P_IP6_DST];
  key[W_IP_META] = flow[P_NW];
  key[W_TP] = flow[P_PORTS];
  key[W_TCP_FLAGS] = (flow[P_VLAN1] & 0xffff0000) | (flow[P_TCP_FLAGS] & 0xffff);
  for (let i = 0; i < 3; i++) {
    key[W_IP6_SRC + i] = flow[P_IP6_SRC + 1 + i];
    key[W_IP6_DST + i] = flow[P_IP6_DST + 1 + i];
  }
  key[W_IP6_LABEL] = flow[P_LABEL];
  return key;
}

/** True for IPv4 and IPv6. */
export function isIp(flow: Uint32Array): boolean {
  return flow[P_TYPE] === 0x0800 || flow[P_TYPE] === 0x86dd;
}
