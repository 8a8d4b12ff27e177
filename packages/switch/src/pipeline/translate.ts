import { type DatapathAction, encodeActions, type FlowPut, readField, writeField } from '@vhostlab/datapath';
import type { FlowAction } from './actions.ts';
import { commit, tagCount } from './commit.ts';
import type { FlowTables, InstalledRule } from './flow-tables.ts';
import type { MacTable } from './mac-table.ts';
import { type BitReason, Wildcards } from './wildcards.ts';
import {
  FIELDS,
  flowOfKey,
  isIp,
  keyOfFlow,
  P_ETH0,
  P_IN_PORT,
  P_METADATA,
  P_NW,
  P_NW_DST,
  P_NW_SRC,
  P_PORTS,
  P_RECIRC,
  P_REG,
  P_TUN_ID,
  P_TYPE,
  P_VLAN0,
  P_VLAN1,
  P_WORDS,
} from './words.ts';

/** Open vSwitch's limits: how deep resubmits nest, and how many there may be. */
const DEPTH_MAX = 64;
const RESUBMITS_MAX = 4096;
const BROADCAST = 0xffffffffffffn;
const MULTICAST_BIT = 1n << 40n;
const TAG = 0x1000;

/** What a translation reads: the bridge. */
export interface TranslationView {
  readonly tables: FlowTables;
  readonly macs: MacTable;
  /** Ports of the bridge in rising order. */
  readonly ports: readonly number[];
}

/** A lookup that happened, for explanations: table and rule, undefined when none matched. */
export interface TableStep {
  readonly table: number;
  readonly rule: InstalledRule | undefined;
}

/** What a packet's key is translated to. */
export interface Translation {
  /** Pipeline words that the result depends on (`words.ts`). */
  readonly wildcards: Uint32Array;
  /** Key and mask of the megaflow and its program. */
  readonly megaflow: FlowPut;
  readonly actions: readonly DatapathAction[];
  readonly rules: readonly InstalledRule[];
  readonly steps: readonly TableStep[];
  /** Source MAC to learn: the packet went through NORMAL. */
  readonly learn: { readonly vlan: number; readonly mac: bigint } | undefined;
  /** Why the packet ends in no output although a rule tried something; '' when nothing is odd. */
  readonly fault:
    | ''
    | 'controller'
    | 'ttl'
    | 'resubmit_depth'
    | 'resubmit_count'
    | 'reserved_mac'
    | 'partial_vlan';
  readonly reasons: readonly BitReason[] | undefined;
}

/** Translates the key of a packet to a megaflow and actions. Changes nothing: learning is the caller's. */
export function translate(view: TranslationView, key: Uint32Array, explain = false): Translation {
  return new Translator(view, explain).run(key);
}

/** Translates keys one after the other for the same bridge, with little garbage. */
export class Translator {
  readonly #view: TranslationView;
  readonly #explain: boolean;
  readonly #original = new Uint32Array(P_WORDS);
  readonly #flow = new Uint32Array(P_WORDS);
  readonly #base = new Uint32Array(P_WORDS);
  readonly #exact = new Uint32Array(P_WORDS);
  readonly #wildcards: Wildcards;
  #actions: DatapathAction[] = [];
  #rules: InstalledRule[] = [];
  #steps: TableStep[] = [];
  #learn: Translation['learn'];
  #fault: Translation['fault'] = '';
  /** A tag was taken off; and later another one was made, which may equal what is on the wire or not. */
  #isPopped = false;
  #isTagRemade = false;
  #depth = 0;
  #resubmits = 0;

  /** `explain`: keep a reason for every bit. */
  constructor(view: TranslationView, explain = false) {
    this.#view = view;
    this.#explain = explain;
    this.#wildcards = new Wildcards(explain);
  }

  /** Translates a key. `wildcards` and `reasons` of the answer are valid until the next call. */
  run(key: Uint32Array): Translation {
    this.#begin(key);
    const wildcards = this.#wildcards;
    if (this.#explain) wildcards.because = () => 'every megaflow';
    wildcards.add(P_IN_PORT, 0xffffffff);
    wildcards.add(P_RECIRC, 0xffffffff);
    wildcards.add(P_TYPE, 0xffff);
    if (isIp(this.#flow)) wildcards.add(P_NW, 3);
    if (this.#flow[P_TUN_ID] !== 0) wildcards.add(P_TUN_ID, 0xffffffff);
    this.#table(0);
    if (this.#fault === 'resubmit_depth' || this.#fault === 'resubmit_count') this.#actions.length = 0;
    this.#finish();
    return {
      wildcards: wildcards.bits,
      megaflow: { key, mask: this.#mask(), program: encodeActions(withoutTail(this.#actions)) },
      actions: this.#actions,
      rules: this.#rules,
      steps: this.#steps,
      learn: this.#learn,
      fault: this.#fault,
      reasons: wildcards.reasons,
    };
  }

  #begin(key: Uint32Array): void {
    flowOfKey(key, this.#original);
    this.#flow.set(this.#original);
    this.#base.set(this.#original);
    this.#wildcards.clear();
    this.#actions = [];
    this.#rules = [];
    this.#steps = [];
    this.#learn = undefined;
    this.#fault = '';
    this.#isPopped = false;
    this.#isTagRemade = false;
    this.#depth = 0;
    this.#resubmits = 0;
  }

  /** Clears bits that mean nothing outside, or that other bits imply (`xlate_wc_finish`). */
  #finish(): void {
    const bits = this.#wildcards.bits;
    for (let w = P_REG; w < P_METADATA + 2; w++) bits[w] = 0;
    const type = this.#flow[P_TYPE];
    const protocol = this.#flow[P_NW] >>> 24;
    if ((type === 0x0800 && protocol === 1) || (type === 0x86dd && protocol === 58))
      bits[P_PORTS] &= 0x00ff00ff;
    for (const w of [P_VLAN0, P_VLAN1]) {
      if ((bits[w] & 0xffff) !== 0) bits[w] |= TAG;
      if (this.#original[w] >>> 16 === 0) bits[w] = 0;
    }
    if ((this.#flow[P_NW] & 2) !== 0) bits[P_PORTS] = 0;
  }

  /** The datapath's mask. As in Open vSwitch, a datapath always tells VLAN id and presence of the outer tag. */
  #mask(): Uint32Array {
    const bits = this.#exact;
    bits.set(this.#wildcards.bits);
    if ((bits[P_VLAN0] & 0xffff) === 0) bits[P_VLAN0] |= 0x0fff | TAG;
    // Open vSwitch leaves this out: whether a remade tag needs actions depends on all of the one it replaces.
    if (this.#isTagRemade) for (let i = 0; i < tagCount(this.#original); i++) bits[P_VLAN0 + i] = 0xffffffff;
    // What an absent inner tag leaves after a pop is not what a present one leaves.
    if (tagCount(this.#original) === 1) bits[P_VLAN1] |= TAG;
    return keyOfFlow(bits);
  }

  #table(table: number): void {
    const flow = this.#flow;
    const ports = flow[P_PORTS];
    // Fragment handling "normal": a fragment has no ports while tables are looked up.
    if (isIp(flow) && (flow[P_NW] & 1) !== 0) flow[P_PORTS] = 0;
    if (this.#explain) this.#wildcards.because = () => `lookup in table ${table}`;
    const rule = this.#view.tables.lookup(table, flow, this.#wildcards);
    flow[P_PORTS] = ports;
    this.#steps.push({ table, rule });
    if (rule === undefined) return;
    this.#rules.push(rule);
    for (const action of rule.actions) {
      if (this.#explain) this.#wildcards.because = () => `${action.type} in table ${table}`;
      if (!this.#act(action, table)) return;
    }
  }

  /** False: the rule's later actions are not executed. */
  #act(action: FlowAction, table: number): boolean {
    switch (action.type) {
      case 'output':
        if (action.port !== this.#flow[P_IN_PORT]) this.#output(action.port);
        return true;
      case 'in_port':
        this.#output(this.#flow[P_IN_PORT]);
        return true;
      case 'flood':
        this.#flood();
        return true;
      case 'normal':
        this.#normal();
        return true;
      case 'drop':
        return true;
      case 'controller':
        this.#fault = 'controller';
        return true;
      case 'resubmit':
        return this.#resubmit(action.table, table);
      case 'dec_ttl':
        return this.#decrementTtl();
      case 'set_field':
        this.#setField(action);
        return true;
      default:
        this.#vlan(action);
        return true;
    }
  }

  #resubmit(to: number, from: number): boolean {
    if (++this.#resubmits > RESUBMITS_MAX) this.#fault = 'resubmit_count';
    // Only resubmits to the same or an earlier table can go round in a circle.
    const deeper = to <= from ? 1 : 0;
    if (this.#depth + deeper > DEPTH_MAX) this.#fault = 'resubmit_depth';
    if (this.#fault === 'resubmit_count' || this.#fault === 'resubmit_depth') return false;
    this.#depth += deeper;
    this.#table(to);
    this.#depth -= deeper;
    return true;
  }

  #output(port: number): void {
    if (!this.#view.ports.includes(port)) return;
    commit(this.#flow, this.#base, this.#wildcards, this.#actions);
    this.#actions.push({ type: 'output', port });
  }

  #flood(): void {
    for (const port of this.#view.ports) if (port !== this.#flow[P_IN_PORT]) this.#output(port);
  }

  #decrementTtl(): boolean {
    const flow = this.#flow;
    this.#wildcards.add(P_NW, 0xff00ff00);
    if (!isIp(flow)) return true;
    const ttl = (flow[P_NW] >>> 8) & 0xff;
    if (ttl <= 1) {
      commit(flow, this.#base, this.#wildcards, this.#actions);
      this.#fault = 'ttl';
      return false;
    }
    flow[P_NW] = (flow[P_NW] & ~0xff00) | ((ttl - 1) << 8);
    return true;
  }

  #setField(action: Extract<FlowAction, { type: 'set_field' }>): void {
    const { field, value } = action;
    const flow = this.#flow;
    const word = field.parts[0].word;
    if (word >= P_NW_SRC && !this.#canSet(field.name)) return;
    if (word >= P_ETH0) {
      this.#wildcards.addField(field);
      if (word >= P_NW_SRC) this.#wildcards.add(P_NW, 0xff000000);
    }
    writeField(flow, 0, field, value);
  }

  /** True when the packet has the header that a network or transport field is in. */
  #canSet(name: string): boolean {
    const type = this.#flow[P_TYPE];
    if (name === 'nw_src' || name === 'nw_dst') return type === 0x0800;
    if (name.startsWith('ipv6_')) return type === 0x86dd;
    if (name === 'tp_src' || name === 'tp_dst') return isIp(this.#flow) && (this.#flow[P_NW] & 2) === 0;
    return isIp(this.#flow);
  }

  #vlan(action: FlowAction): void {
    const flow = this.#flow;
    const wildcards = this.#wildcards;
    if (action.type === 'pop_vlan') this.#isPopped = true;
    else if (this.#isPopped) this.#isTagRemade = true;
    if (action.type === 'set_vlan_vid' || action.type === 'set_vlan_pcp') {
      const mask = action.type === 'set_vlan_vid' ? 0x0fff : 0xe000;
      const value = action.type === 'set_vlan_vid' ? action.vid : action.pcp << 13;
      wildcards.add(P_VLAN0, mask | TAG);
      const tag = flow[P_VLAN0] >>> 16 === 0 ? 0x8100_0000 : flow[P_VLAN0];
      flow[P_VLAN0] = (tag & ~mask) | value | TAG;
    } else if (action.type === 'pop_vlan') {
      const tags = tagCount(flow);
      if (tags === 0) return;
      if (tags === 2) wildcards.add(P_VLAN1, 0xffffffff);
      flow[P_VLAN0] = flow[P_VLAN1];
      flow[P_VLAN1] = 0;
    } else if (action.type === 'push_vlan') {
      const tags = tagCount(flow);
      for (let i = 0; i < tags; i++) wildcards.add(P_VLAN0 + i, 0xffffffff);
      flow[P_VLAN1] = flow[P_VLAN0];
      flow[P_VLAN0] = (action.tpid << 16) | TAG;
    }
  }

  /** A learning switch (`xlate_normal`). */
  #normal(): void {
    const flow = this.#flow;
    this.#wildcards.addField(FIELDS.eth_dst);
    this.#wildcards.addField(FIELDS.eth_src);
    this.#wildcards.add(P_VLAN0, 0x0fff | TAG);
    const destination = readField(flow, 0, FIELDS.eth_dst);
    const source = readField(flow, 0, FIELDS.eth_src);
    if (flow[P_TYPE] === 0x8100 && (flow[P_VLAN0] & TAG) === 0) {
      this.#fault = 'partial_vlan';
      return;
    }
    if (destination >> 4n === 0x0180c200000n) {
      this.#fault = 'reserved_mac';
      return;
    }
    if (flow[P_TYPE] === 0x0806 && destination === BROADCAST) {
      this.#wildcards.add(P_NW, 0xff000000);
      if (flow[P_NW] >>> 24 === 1) {
        this.#wildcards.add(P_NW_SRC, 0xffffffff);
        this.#wildcards.add(P_NW_DST, 0xffffffff);
      }
    }
    const vlan = (flow[P_VLAN0] & TAG) === 0 ? 0 : flow[P_VLAN0] & 0xfff;
    if ((source & MULTICAST_BIT) === 0n) this.#learn = { vlan, mac: source };
    const port = (destination & MULTICAST_BIT) === 0n ? this.#view.macs.portOf(vlan, destination) : undefined;
    if (port === undefined) this.#flood();
    else if (port !== flow[P_IN_PORT]) this.#output(port);
  }
}

/** Changes after the last output reach nobody. */
function withoutTail(actions: readonly DatapathAction[]): readonly DatapathAction[] {
  const last = actions.findLastIndex((action) => action.type === 'output');
  return actions.slice(0, last + 1);
}
