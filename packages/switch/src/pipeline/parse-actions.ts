import type { FieldSpec } from '@vhostlab/datapath';
import type { FlowAction } from './actions.ts';
import { TABLE_COUNT } from './flow-tables.ts';
import {
  FlowSyntaxError,
  parseIpv4Value,
  parseIpv6Value,
  parseMacValue,
  parseNumber,
} from './parse-values.ts';
import { FIELDS, registerField } from './words.ts';

type Port = (text: string) => number;
type Parser = (argument: string, port: Port) => FlowAction;

/** Fields that `set_field` and the like may write, by their names there. */
const SETTABLE: Record<string, FieldSpec> = {
  eth_src: FIELDS.eth_src,
  eth_dst: FIELDS.eth_dst,
  dl_src: FIELDS.eth_src,
  dl_dst: FIELDS.eth_dst,
  ip_src: FIELDS.nw_src,
  ip_dst: FIELDS.nw_dst,
  nw_src: FIELDS.nw_src,
  nw_dst: FIELDS.nw_dst,
  ipv6_src: FIELDS.ipv6_src,
  ipv6_dst: FIELDS.ipv6_dst,
  ipv6_label: FIELDS.ipv6_label,
  nw_ttl: FIELDS.nw_ttl,
  tcp_src: FIELDS.tp_src,
  tcp_dst: FIELDS.tp_dst,
  udp_src: FIELDS.tp_src,
  udp_dst: FIELDS.tp_dst,
  sctp_src: FIELDS.tp_src,
  sctp_dst: FIELDS.tp_dst,
  metadata: FIELDS.metadata,
};
const TOS_DSCP: FieldSpec = {
  name: 'nw_tos',
  bits: 6,
  parts: [{ word: FIELDS.nw_tos.parts[0].word, shift: 18, width: 6 }],
};

const PARSERS: Record<string, Parser> = {
  output: (argument, port) => ({ type: 'output', port: port(argument) }),
  normal: () => ({ type: 'normal' }),
  flood: () => ({ type: 'flood' }),
  all: () => ({ type: 'flood' }),
  in_port: () => ({ type: 'in_port' }),
  drop: () => ({ type: 'drop' }),
  controller: () => ({ type: 'controller' }),
  dec_ttl: () => ({ type: 'dec_ttl' }),
  strip_vlan: () => ({ type: 'pop_vlan' }),
  pop_vlan: () => ({ type: 'pop_vlan' }),
  push_vlan: (argument) => ({ type: 'push_vlan', tpid: tpid(argument) }),
  mod_vlan_vid: (argument) => ({ type: 'set_vlan_vid', vid: small(argument, 0xfffn, 'mod_vlan_vid') }),
  mod_vlan_pcp: (argument) => ({ type: 'set_vlan_pcp', pcp: small(argument, 7n, 'mod_vlan_pcp') }),
  mod_dl_src: (argument) => set(FIELDS.eth_src, argument, 'mod_dl_src'),
  mod_dl_dst: (argument) => set(FIELDS.eth_dst, argument, 'mod_dl_dst'),
  mod_nw_src: (argument) => set(FIELDS.nw_src, argument, 'mod_nw_src'),
  mod_nw_dst: (argument) => set(FIELDS.nw_dst, argument, 'mod_nw_dst'),
  mod_nw_ttl: (argument) => set(FIELDS.nw_ttl, argument, 'mod_nw_ttl'),
  mod_nw_tos: (argument) => setTos(argument),
  mod_tp_src: (argument) => set(FIELDS.tp_src, argument, 'mod_tp_src'),
  mod_tp_dst: (argument) => set(FIELDS.tp_dst, argument, 'mod_tp_dst'),
  set_field: (argument) => setField(argument),
  load: (argument) => load(argument),
  resubmit: (argument) => resubmit(argument),
  goto_table: (argument) => ({ type: 'resubmit', table: table(argument, 'goto_table') }),
};

/** Parses what stands behind `actions=`. Throws a FlowSyntaxError that names the action. */
export function parseActions(text: string, port: Port): FlowAction[] {
  return splitActions(text).map((action) => {
    if (/^\d+$/.test(action)) return { type: 'output', port: port(action) };
    const [, rawName, argument = ''] = /^([^:(=]+)(?:[:=]?(.*))$/.exec(action) ?? ['', action];
    const name = rawName.trim().toLowerCase();
    const parser = PARSERS[name];
    if (parser === undefined) throw new FlowSyntaxError(`unknown action "${rawName}"`);
    return parser(argument, port);
  });
}

/** Splits at commas outside parentheses. */
function splitActions(text: string): string[] {
  const parts = text.match(/(?:[^,(]|\([^)]*\))+/g) ?? [];
  return parts.map((part) => part.trim()).filter((part) => part !== '');
}

function resubmit(argument: string): FlowAction {
  const [, port, number] = /^\(([^,)]*)(?:,([^)]*))?\)$/.exec(argument) ?? [];
  if (port !== '' || number === undefined) {
    throw new FlowSyntaxError(`resubmit: "${argument}" is not of the form (,table)`);
  }
  return { type: 'resubmit', table: table(number, 'resubmit') };
}

function setField(argument: string): FlowAction {
  const [, value, name] = /^(.*)->(\w+)$/.exec(argument) ?? [];
  if (name === undefined)
    throw new FlowSyntaxError(`set_field: "${argument}" is not of the form value->field`);
  const field = settable(name);
  if (field === undefined) throw new FlowSyntaxError(`set_field: there is no field "${name}" to set`);
  return set(field, value, `set_field to ${name}`);
}

function load(argument: string): FlowAction {
  const [, value, register] = /^(\w+)->NXM_NX_REG(\d+)\[\]$/i.exec(argument) ?? [];
  if (register === undefined || Number(register) > 15) {
    throw new FlowSyntaxError(`load: "${argument}" is not of the form value->NXM_NX_REG0[]`);
  }
  return set(registerField(Number(register)), value, 'load');
}

function settable(name: string): FieldSpec | undefined {
  const register = /^reg(\d|1[0-5])$/.exec(name);
  return register === null ? SETTABLE[name] : registerField(Number(register[1]));
}

function set(field: FieldSpec, text: string, what: string): FlowAction {
  return { type: 'set_field', field, value: parseValue(field, text, what) };
}

function parseValue(field: FieldSpec, text: string, what: string): bigint {
  if (field === FIELDS.eth_src || field === FIELDS.eth_dst) return parseMacValue(text, what);
  if (field === FIELDS.nw_src || field === FIELDS.nw_dst) return parseIpv4Value(text, what);
  if (field === FIELDS.ipv6_src || field === FIELDS.ipv6_dst) return parseIpv6Value(text, what);
  return parseNumber(text, (1n << BigInt(field.bits)) - 1n, what);
}

function setTos(argument: string): FlowAction {
  const tos = parseNumber(argument, 255n, 'mod_nw_tos');
  if ((tos & 3n) !== 0n)
    throw new FlowSyntaxError(`mod_nw_tos: ${argument} has ECN bits, which stay as they are`);
  return { type: 'set_field', field: TOS_DSCP, value: tos >> 2n };
}

function tpid(argument: string): number {
  const value = small(argument, 0xffffn, 'push_vlan');
  if (value !== 0x8100 && value !== 0x88a8)
    throw new FlowSyntaxError(`push_vlan: ${argument} is not 0x8100 or 0x88a8`);
  return value;
}

function table(text: string, what: string): number {
  return small(text, BigInt(TABLE_COUNT - 1), what);
}

function small(text: string, max: bigint, what: string): number {
  return Number(parseNumber(text, max, what));
}
