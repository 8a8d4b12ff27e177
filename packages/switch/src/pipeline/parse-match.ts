import type { FieldSpec } from '@vhostlab/datapath';
import {
  FlowSyntaxError,
  type MaskedValue,
  parseMaskedIpv4,
  parseMaskedIpv6,
  parseMaskedMac,
  parseMaskedNumber,
  parseNumber,
} from './parse-values.ts';
import { addToMatch, FIELDS, type FieldName, type Match, P_NW, P_TYPE, registerField } from './words.ts';

/** Keys that stand for an EtherType and a protocol. */
const SHORTHANDS: Record<string, [type: number, protocol?: number]> = {
  ip: [0x0800],
  ipv6: [0x86dd],
  arp: [0x0806],
  rarp: [0x8035],
  icmp: [0x0800, 1],
  icmp6: [0x86dd, 58],
  tcp: [0x0800, 6],
  tcp6: [0x86dd, 6],
  udp: [0x0800, 17],
  udp6: [0x86dd, 17],
  sctp: [0x0800, 132],
  sctp6: [0x86dd, 132],
};

type Form = 'number' | 'mac' | 'ipv4' | 'ipv6';
/** What must be matched for a field to exist: which EtherTypes, which protocols. */
interface Needs {
  readonly types?: readonly number[];
  readonly protocols?: readonly number[];
}
const IPV4: Needs = { types: [0x0800] };
const IPV6: Needs = { types: [0x86dd] };
const IP: Needs = { types: [0x0800, 0x86dd] };
const ARP: Needs = { types: [0x0806, 0x8035] };
const PORTS: Needs = { ...IP, protocols: [6, 17, 132] };
const TCP: Needs = { ...IP, protocols: [6] };
const UDP: Needs = { ...IP, protocols: [17] };
const SCTP: Needs = { ...IP, protocols: [132] };
const ICMP: Needs = { types: [0x0800], protocols: [1] };
const ICMP6: Needs = { types: [0x86dd], protocols: [58] };

const KEYS: Record<string, [field: FieldName, form: Form, needs?: Needs]> = {
  recirc_id: ['recirc_id', 'number'],
  tun_id: ['tun_id', 'number'],
  metadata: ['metadata', 'number'],
  dl_src: ['eth_src', 'mac'],
  dl_dst: ['eth_dst', 'mac'],
  vlan_tci: ['vlan_tci', 'number'],
  nw_src: ['nw_src', 'ipv4', IPV4],
  nw_dst: ['nw_dst', 'ipv4', IPV4],
  arp_spa: ['nw_src', 'ipv4', ARP],
  arp_tpa: ['nw_dst', 'ipv4', ARP],
  arp_op: ['nw_proto', 'number', ARP],
  ipv6_src: ['ipv6_src', 'ipv6', IPV6],
  ipv6_dst: ['ipv6_dst', 'ipv6', IPV6],
  ipv6_label: ['ipv6_label', 'number', IPV6],
  nw_proto: ['nw_proto', 'number', IP],
  nw_ttl: ['nw_ttl', 'number', IP],
  tp_src: ['tp_src', 'number', PORTS],
  tp_dst: ['tp_dst', 'number', PORTS],
  tcp_src: ['tp_src', 'number', TCP],
  tcp_dst: ['tp_dst', 'number', TCP],
  udp_src: ['tp_src', 'number', UDP],
  udp_dst: ['tp_dst', 'number', UDP],
  sctp_src: ['tp_src', 'number', SCTP],
  sctp_dst: ['tp_dst', 'number', SCTP],
  icmp_type: ['tp_src', 'number', ICMP],
  icmp_code: ['tp_dst', 'number', ICMP],
  icmpv6_type: ['tp_src', 'number', ICMP6],
  icmpv6_code: ['tp_dst', 'number', ICMP6],
};
const ALIASES: Record<string, string> = {
  eth_src: 'dl_src',
  eth_dst: 'dl_dst',
  eth_type: 'dl_type',
  ip_src: 'nw_src',
  ip_dst: 'nw_dst',
  ip_proto: 'nw_proto',
  ip_frag: 'nw_frag',
};
const FRAGMENTS: Record<string, [value: bigint, mask: bigint]> = {
  no: [0n, 3n],
  yes: [1n, 1n],
  first: [1n, 3n],
  later: [3n, 3n],
  not_later: [0n, 2n],
};
const TCP_FLAGS = ['fin', 'syn', 'rst', 'psh', 'ack', 'urg', 'ece', 'cwr', 'ns'];

/** Adds `key` or `key=value` to a match; false when there is no such key. `port`: number of a port by name. */
export function parseMatchKey(
  match: Match,
  key: string,
  value: string,
  port: (text: string) => number,
): boolean {
  const name = ALIASES[key] ?? key;
  const shorthand = SHORTHANDS[name];
  if (shorthand !== undefined && value === '') {
    addToMatch(match, FIELDS.eth_type, BigInt(shorthand[0]));
    if (shorthand[1] !== undefined) addToMatch(match, FIELDS.nw_proto, BigInt(shorthand[1]));
    return true;
  }
  const register = /^reg(\d|1[0-5])$/.exec(name);
  if (register !== null) add(match, registerField(Number(register[1])), parseMaskedNumber(value, 32, name));
  else if (name === 'in_port') addToMatch(match, FIELDS.in_port, BigInt(port(value)));
  else if (name === 'dl_type') addToMatch(match, FIELDS.eth_type, parseNumber(value, 0xffffn, name));
  else if (name === 'dl_vlan') addVlan(match, value);
  else if (name === 'dl_vlan_pcp') {
    addToMatch(match, FIELDS.vlan_tci, 0x1000n | (parseNumber(value, 7n, name) << 13n), 0xf000n);
  } else if (name === 'nw_tos') addToMatch(match, FIELDS.nw_tos, dscp(value), 0xfcn);
  else if (name === 'ip_dscp') addToMatch(match, FIELDS.nw_tos, parseNumber(value, 63n, name) << 2n, 0xfcn);
  else if (name === 'nw_ecn' || name === 'ip_ecn') {
    addToMatch(match, FIELDS.nw_tos, parseNumber(value, 3n, name), 3n);
  } else if (name === 'nw_frag') {
    const known = FRAGMENTS[value];
    if (known === undefined)
      throw new FlowSyntaxError(`${key}: "${value}" is not no, yes, first, later or not_later`);
    addToMatch(match, FIELDS.nw_frag, ...known);
  } else if (name === 'tcp_flags') add(match, FIELDS.tcp_flags, parseTcpFlags(value));
  else {
    const known = KEYS[name];
    if (known === undefined) return false;
    const [field, form] = known;
    add(match, FIELDS[field], parseForm(value, form, FIELDS[field].bits, key));
  }
  return true;
}

/** What a key needs beside it that the match lacks, '' when nothing. Ask when all keys are parsed. */
export function missingPrerequisite(match: Match, key: string): string {
  const name = ALIASES[key] ?? key;
  let needs = KEYS[name]?.[2];
  if (['nw_tos', 'ip_dscp', 'nw_ecn', 'ip_ecn', 'nw_frag'].includes(name)) needs = IP;
  if (name === 'tcp_flags') needs = TCP;
  if (needs === undefined) return '';
  const type = match.mask[P_TYPE] === 0xffff ? match.value[P_TYPE] : -1;
  if (name === 'nw_proto' && ARP.types?.includes(type)) return '';
  if ((name === 'nw_src' || name === 'nw_dst') && ARP.types?.includes(type)) return '';
  if (needs.types !== undefined && !needs.types.includes(type)) {
    return `${key} needs ${needs === ARP ? 'arp' : needs.types.length > 1 ? 'ip or ipv6' : needs.types[0] === 0x0800 ? 'ip' : 'ipv6'}`;
  }
  const protocol = match.mask[P_NW] >>> 24 === 0xff ? match.value[P_NW] >>> 24 : -1;
  if (needs.protocols !== undefined && !needs.protocols.includes(protocol)) {
    // ovs-ofctl reads icmp types and codes through tp_src and tp_dst too.
    if (needs === PORTS && (protocol === 1 || protocol === 58)) return '';
    return `${key} needs a transport protocol such as tcp or udp`;
  }
  return '';
}

function add(match: Match, field: FieldSpec, { value, mask }: MaskedValue): void {
  addToMatch(match, field, value, mask);
}

function addVlan(match: Match, text: string): void {
  const vlan = parseNumber(text, 0xffffn, 'dl_vlan');
  if (vlan !== 0xffffn && vlan > 0xfffn) throw new FlowSyntaxError(`dl_vlan: ${text} is more than 4095`);
  // OpenFlow 1.0 writes "no tag" as 0xffff.
  addToMatch(match, FIELDS.vlan_tci, vlan === 0xffffn ? 0n : 0x1000n | vlan, 0x1fffn);
}

function dscp(text: string): bigint {
  const tos = parseNumber(text, 255n, 'nw_tos');
  if ((tos & 3n) !== 0n) throw new FlowSyntaxError(`nw_tos: ${text} has ECN bits, which nw_ecn matches`);
  return tos;
}

function parseForm(text: string, form: Form, bits: number, what: string): MaskedValue {
  if (form === 'mac') return parseMaskedMac(text, what);
  if (form === 'ipv4') return parseMaskedIpv4(text, what);
  if (form === 'ipv6') return parseMaskedIpv6(text, what);
  return parseMaskedNumber(text, bits, what);
}

/** `+syn-ack`, `syn|ack` (and no other flag), or a number with or without a mask. */
function parseTcpFlags(text: string): MaskedValue {
  if (/^[a-z]/.test(text)) {
    const bits = text.split('|').map((name) => 1n << BigInt(flagBit(name)));
    return { value: bits.reduce((sum, bit) => sum | bit, 0n), mask: undefined };
  }
  if (!/^[+-]/.test(text)) return parseMaskedNumber(text, 12, 'tcp_flags');
  let value = 0n;
  let mask = 0n;
  for (const [, sign, name] of text.matchAll(/([+-])([^+-]*)/g)) {
    const bit = 1n << BigInt(flagBit(name));
    mask |= bit;
    if (sign === '+') value |= bit;
  }
  return { value, mask };
}

function flagBit(name: string): number {
  const bit = TCP_FLAGS.indexOf(name);
  if (bit < 0) throw new FlowSyntaxError(`tcp_flags: "${name}" is not one of ${TCP_FLAGS.join(', ')}`);
  return bit;
}
