import {
  type DatapathAction,
  KEY_FIELDS,
  type KeyFieldName,
  readField,
  writeField,
} from '@vhostlab/datapath';
import { FIELDS, type FieldName, type FlowAction, type FlowRule, registerField } from '../src/index.ts';

/**
 * A pipeline without wildcards or tuple space: every rule is compared with the packet, and packets are followed
 * as plain objects. Answers, for each output, the port and what the packet looks like there.
 */
export interface Leaving {
  port: number;
  packet: Packet;
}

export interface Packet {
  inPort: number;
  dst: bigint;
  src: bigint;
  type: number;
  /** Outer first: TPID << 16 | TCI without the "present" bit. */
  tags: number[];
  fields: Record<string, bigint>;
}

export function packetOf(key: Uint32Array): Packet {
  const get = (name: KeyFieldName) => readField(key, 0, KEY_FIELDS[name]);
  const tags: number[] = [];
  if ((get('vlan_tci') & 0x1000n) !== 0n)
    tags.push(Number((get('vlan_tpid') << 16n) | (get('vlan_tci') & 0xefffn)));
  if ((get('vlan_tci2') & 0x1000n) !== 0n)
    tags.push(Number((get('vlan_tpid2') << 16n) | (get('vlan_tci2') & 0xefffn)));
  const isIpv6 = get('eth_type') === 0x86ddn;
  return {
    inPort: Number(get('in_port')),
    dst: get('eth_dst'),
    src: get('eth_src'),
    type: Number(get('eth_type')),
    tags,
    fields: {
      nw_src: isIpv6 ? 0n : get('ipv4_src'),
      nw_dst: isIpv6 ? 0n : get('ipv4_dst'),
      ipv6_src: isIpv6 ? get('ipv6_src') : 0n,
      ipv6_dst: isIpv6 ? get('ipv6_dst') : 0n,
      ipv6_label: get('ipv6_label'),
      nw_proto: get('ip_proto'),
      nw_tos: get('ip_tos'),
      nw_ttl: get('ip_ttl'),
      nw_frag: get('ip_frag'),
      tp_src: get('tp_src'),
      tp_dst: get('tp_dst'),
      tcp_flags: get('tcp_flags'),
    },
  };
}

/** Words of a packet as the pipeline's rules see them. */
function wordsOf(packet: Packet, registers: Map<string, bigint>, hidePorts: boolean): Map<string, bigint> {
  const tag = packet.tags[0];
  const words = new Map<string, bigint>(Object.entries(packet.fields));
  words.set('in_port', BigInt(packet.inPort));
  words.set('eth_dst', packet.dst);
  words.set('eth_src', packet.src);
  words.set('eth_type', BigInt(packet.type));
  words.set('vlan_tci', tag === undefined ? 0n : BigInt((tag & 0xffff) | 0x1000));
  for (const [name, value] of registers) words.set(name, value);
  if (hidePorts) {
    words.set('tp_src', 0n);
    words.set('tp_dst', 0n);
  }
  return words;
}

export interface NaiveView {
  rules: readonly FlowRule[];
  ports: readonly number[];
  portOf(vlan: number, mac: bigint): number | undefined;
}

export class NaivePipeline {
  readonly out: Leaving[] = [];
  readonly #view: NaiveView;
  readonly #packet: Packet;
  readonly #original: Packet;
  readonly #registers = new Map<string, bigint>();

  constructor(view: NaiveView, key: Uint32Array) {
    this.#view = view;
    this.#packet = packetOf(key);
    this.#original = packetOf(key);
    this.#table(0);
  }

  #isIp(): boolean {
    return this.#packet.type === 0x0800 || this.#packet.type === 0x86dd;
  }

  #table(table: number): void {
    const packet = this.#packet;
    const hidePorts = this.#isIp() && (packet.fields.nw_frag & 1n) !== 0n;
    const words = wordsOf(packet, this.#registers, hidePorts);
    let best: FlowRule[] = [];
    for (const rule of this.#view.rules) {
      if (rule.table !== table || !matches(rule, words)) continue;
      if (best.length === 0 || rule.priority > best[0].priority) best = [rule];
      else if (rule.priority === best[0].priority) best.push(rule);
    }
    if (best.length > 1) throw new Ambiguous();
    for (const action of best[0]?.actions ?? []) if (!this.#act(action)) return;
  }

  #output(port: number): void {
    if (!this.#view.ports.includes(port)) return;
    const packet = structuredClone(this.#packet);
    const original = this.#original.fields;
    // What has no header cannot be changed on the wire, whatever later tables see.
    if (original.nw_proto === 0n) packet.fields = { ...original };
    else if (![6n, 17n, 132n].includes(original.nw_proto)) {
      packet.fields.tp_src = original.tp_src;
      packet.fields.tp_dst = original.tp_dst;
    }
    this.out.push({ port, packet });
  }

  #flood(): void {
    for (const port of this.#view.ports) if (port !== this.#packet.inPort) this.#output(port);
  }

  #act(action: FlowAction): boolean {
    const packet = this.#packet;
    const { fields, tags } = packet;
    switch (action.type) {
      case 'output':
        if (action.port !== packet.inPort) this.#output(action.port);
        break;
      case 'in_port':
        this.#output(packet.inPort);
        break;
      case 'flood':
        this.#flood();
        break;
      case 'normal':
        this.#normal();
        break;
      case 'resubmit':
        this.#table(action.table);
        break;
      case 'dec_ttl':
        if (!this.#isIp()) break;
        if (fields.nw_ttl <= 1n) return false;
        fields.nw_ttl--;
        break;
      case 'pop_vlan':
        tags.shift();
        break;
      case 'push_vlan':
        tags.unshift((action.tpid << 16) >>> 0);
        tags.splice(2);
        break;
      case 'set_vlan_vid':
        if (tags.length === 0) tags.push(0x8100_0000);
        tags[0] = ((tags[0] & ~0xfff) | action.vid) >>> 0;
        break;
      case 'set_vlan_pcp':
        if (tags.length === 0) tags.push(0x8100_0000);
        tags[0] = ((tags[0] & ~0xe000) | (action.pcp << 13)) >>> 0;
        break;
      case 'set_field':
        this.#set(action.field.name, action.field.bits, action.value);
    }
    return true;
  }

  #set(name: string, bits: number, value: bigint): void {
    const packet = this.#packet;
    if (name.startsWith('reg')) this.#registers.set(name, value);
    else if (name === 'eth_src') packet.src = value;
    else if (name === 'eth_dst') packet.dst = value;
    else if (name.startsWith('ipv6_')) {
      if (packet.type === 0x86dd) packet.fields[name] = value;
    } else if (name === 'nw_src' || name === 'nw_dst') {
      if (packet.type === 0x0800) packet.fields[name] = value;
    } else if (name === 'nw_tos') {
      if (this.#isIp())
        packet.fields.nw_tos = bits === 6 ? (value << 2n) | (packet.fields.nw_tos & 3n) : value;
    } else if (name === 'tp_src' || name === 'tp_dst') {
      if (this.#isIp() && packet.fields.nw_frag !== 3n) packet.fields[name] = value;
    } else if (this.#isIp()) packet.fields[name] = value;
  }

  #normal(): void {
    const { dst, type, tags, inPort } = this.#packet;
    if (dst >> 4n === 0x0180c200000n || (type === 0x8100 && tags.length === 0)) return;
    const isGroup = (dst >> 40n) & 1n;
    const known = isGroup ? undefined : this.#view.portOf((tags[0] ?? 0) & 0xfff, dst);
    if (known === undefined) this.#flood();
    else if (known !== inPort) this.#output(known);
  }
}

/** Two rules of the same priority match: the specification leaves open which one wins. */
export class Ambiguous extends Error {}

function matches(rule: FlowRule, words: Map<string, bigint>): boolean {
  const packet = new Uint32Array(rule.match.mask.length);
  for (const [name, value] of words) {
    const register = /^reg(\d+)$/.exec(name);
    writeField(
      packet,
      0,
      register === null ? FIELDS[name as FieldName] : registerField(Number(register[1])),
      value,
    );
  }
  return rule.match.mask.every((bits, w) => ((packet[w] ^ rule.match.value[w]) & bits) === 0);
}

/** What datapath actions do to a packet, one by one: the other side of the comparison. */
export function applyActions(actions: readonly DatapathAction[], key: Uint32Array): Leaving[] {
  const packet = packetOf(key);
  const out: Leaving[] = [];
  for (const action of actions) {
    if (action.type === 'output') out.push({ port: action.port, packet: structuredClone(packet) });
    else if (action.type === 'push_vlan')
      packet.tags.unshift(((action.tpid << 16) | (action.tci & 0xefff)) >>> 0);
    else if (action.type === 'pop_vlan') packet.tags.shift();
    else if (action.type === 'set') {
      for (const [field, place] of setPlaces(packet)) {
        const { word, shift, width } = place;
        if (word !== action.word) continue;
        const mask = ((action.mask >>> shift) & (width === 32 ? 0xffffffff : (1 << width) - 1)) >>> 0;
        const bits = BigInt(mask) << BigInt(place.up);
        const value = BigInt(((action.value >>> shift) & mask) >>> 0) << BigInt(place.up);
        const before = field === 'dst' || field === 'src' ? packet[field] : packet.fields[field];
        const after = (before & ~bits) | value;
        if (field === 'dst' || field === 'src') packet[field] = after;
        else packet.fields[field] = after;
      }
    } else throw new Error(`no ${action.type} comes of a translation`);
  }
  return out;
}

interface Place {
  word: number;
  shift: number;
  width: number;
  /** Bits of the field below this part. */
  up: number;
}

function setPlaces(packet: Packet): [string, Place][] {
  const names: [string, KeyFieldName][] = [
    ['dst', 'eth_dst'],
    ['src', 'eth_src'],
    ['nw_tos', 'ip_tos'],
    ['nw_ttl', 'ip_ttl'],
    ['tp_src', 'tp_src'],
    ['tp_dst', 'tp_dst'],
    ['ipv6_label', 'ipv6_label'],
  ];
  if (packet.type === 0x86dd) names.push(['ipv6_src', 'ipv6_src'], ['ipv6_dst', 'ipv6_dst']);
  else names.push(['nw_src', 'ipv4_src'], ['nw_dst', 'ipv4_dst']);
  return names.flatMap(([name, key]) => {
    let up: number = KEY_FIELDS[key].bits;
    return KEY_FIELDS[key].parts.map((part): [string, Place] => {
      up -= part.width;
      return [name, { ...part, up }];
    });
  });
}
