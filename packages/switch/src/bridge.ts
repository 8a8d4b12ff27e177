import { type FlowPut, W_IN_PORT } from '@vhostlab/datapath';
import { MegaflowStore, type TrackedFlow } from './megaflow-store.ts';
import { type FlowRule, FlowTables } from './pipeline/flow-tables.ts';
import { MacTable, type MacTableOptions } from './pipeline/mac-table.ts';
import { type Translation, type TranslationView, Translator } from './pipeline/translate.ts';

/** Settings of a bridge. */
export interface BridgeOptions {
  /** Datapath port numbers, 0..65535. */
  readonly ports: readonly number[];
  readonly macs?: MacTableOptions;
  /** Megaflows that the bridge keeps in its datapaths; the oldest leaves for a new one. Default 200,000. */
  readonly flowLimit?: number;
}

/** What the bridge has counted. */
export interface BridgeCounters {
  upcalls: number;
  translations: number;
  installed: number;
  evicted: number;
  /** Megaflows that revalidation deleted, and those whose actions it changed. */
  deleted: number;
  modified: number;
  /** Translations that ended in a fault, by its name. */
  readonly faults: Map<string, number>;
}

/** The answer to a miss. */
export interface Verdict {
  /** Program for the packet itself. */
  readonly program: Uint32Array;
  readonly put: FlowPut;
  /** Megaflows that had to make room: delete them from their holders. */
  readonly evicted: readonly TrackedFlow[];
}

/** What revalidation found. */
export interface Revalidation {
  /** To delete from their holders. */
  readonly deleted: readonly TrackedFlow[];
  /** To put anew, with other actions, to their holders. */
  readonly modified: readonly TrackedFlow[];
  /** Megaflows that were translated anew. */
  readonly checked: number;
}

/**
 * A bridge: ports, flow tables, MAC table, and the megaflows it has given to datapaths. Everything it needs of
 * time is passed in; what must be sent to datapaths is answered, never sent.
 */
export class SwitchBridge implements TranslationView {
  readonly tables = new FlowTables();
  readonly macs: MacTable;
  readonly ports: readonly number[];
  readonly counters: BridgeCounters = {
    upcalls: 0,
    translations: 0,
    installed: 0,
    evicted: 0,
    deleted: 0,
    modified: 0,
    faults: new Map(),
  };
  readonly #flows: MegaflowStore;
  readonly #translator = new Translator(this);
  #checkedTables = 0;
  #checkedMacs = 0;

  constructor(options: BridgeOptions) {
    const ports = [...options.ports].sort((a, b) => a - b);
    for (const [i, port] of ports.entries()) {
      if (port < 0 || port > 0xffff)
        throw new Error(`port ${port} of a bridge: give a number from 0 to 65535`);
      if (port === ports[i - 1]) throw new Error(`port ${port} stands twice in a bridge`);
    }
    this.ports = ports;
    this.macs = new MacTable(options.macs);
    this.#flows = new MegaflowStore(options.flowLimit ?? 200_000);
  }

  /** Adds rules to the tables; megaflows are stale until the next `revalidate`. */
  addFlows(rules: readonly FlowRule[]): void {
    for (const rule of rules) this.tables.add(rule);
  }

  /** Megaflows in datapaths. */
  get megaflowCount(): number {
    return this.#flows.size;
  }

  /** Megaflows in datapaths, in the order of their installation. */
  megaflows(): TrackedFlow[] {
    return Array.from(this.#flows.indices(), (index) => this.#flows.get(index));
  }

  /** Translates a packet that missed in datapath `holder`, learns from it and keeps track of its megaflow. */
  upcall(key: Uint32Array, nowPs: number, holder: number): Verdict {
    this.counters.upcalls++;
    const translation = this.#translate(key);
    if (translation.fault !== '') {
      const { faults } = this.counters;
      faults.set(translation.fault, (faults.get(translation.fault) ?? 0) + 1);
    }
    const { learn, megaflow } = translation;
    if (learn !== undefined) this.macs.learn(learn.vlan, learn.mac, key[W_IN_PORT], nowPs);
    const isNew = this.#flows.find(megaflow) < 0;
    const index = this.#flows.put(megaflow, translation.rules, learn);
    this.#flows.addHolder(index, holder);
    if (isNew) this.counters.installed++;
    return { program: megaflow.program, put: megaflow, evicted: this.#evict() };
  }

  /** Notes that another datapath holds the megaflow too. */
  addHolder(flow: FlowPut, holder: number): void {
    const index = this.#flows.find(flow);
    if (index >= 0) this.#flows.addHolder(index, holder);
  }

  /** True when tables or MAC table have changed since the last `revalidate`. */
  get isStale(): boolean {
    return this.tables.version !== this.#checkedTables || this.macs.version !== this.#checkedMacs;
  }

  /**
   * Translates every megaflow anew: one that now needs bits its mask lacks is deleted, one that only acts
   * differently is modified, all others stay, even when a fresh one would be wider.
   */
  revalidate(nowPs: number): Revalidation {
    this.macs.expire(nowPs);
    this.#checkedTables = this.tables.version;
    this.#checkedMacs = this.macs.version;
    const deleted: TrackedFlow[] = [];
    const modified: TrackedFlow[] = [];
    const flows = this.#flows;
    const checked = flows.size;
    for (const index of flows.indices()) {
      const tracked = flows.get(index);
      const fresh = this.#translate(tracked.flow.key);
      const { program } = fresh.megaflow;
      if (needsMore(fresh.megaflow.mask, tracked.flow.mask)) {
        flows.remove(index);
        deleted.push(tracked);
        continue;
      }
      const isSame = flows.hasProgram(index, program);
      flows.put({ ...tracked.flow, program }, fresh.rules, fresh.learn);
      if (!isSame) modified.push(flows.get(index));
    }
    this.counters.deleted += deleted.length;
    this.counters.modified += modified.length;
    return { deleted, modified, checked };
  }

  /**
   * Books packets that a datapath reported for a megaflow to the rules behind it, and keeps its source MAC
   * alive; `packets` and `bytes` are those since the last report.
   */
  report(flow: FlowPut, packets: number, bytes: number, lastUsedPs: number): void {
    const index = this.#flows.find(flow);
    if (index < 0 || packets === 0) return;
    const { rules, learn } = this.#flows.get(index);
    for (const rule of rules) {
      rule.packets += packets;
      rule.bytes += bytes;
    }
    if (learn !== undefined) this.macs.learn(learn.vlan, learn.mac, flow.key[W_IN_PORT], lastUsedPs);
  }

  /** Forgets a megaflow that no datapath holds any more. */
  forget(flow: FlowPut): void {
    const index = this.#flows.find(flow);
    if (index >= 0) this.#flows.remove(index);
  }

  #translate(key: Uint32Array): Translation {
    this.counters.translations++;
    return this.#translator.run(key);
  }

  #evict(): TrackedFlow[] {
    const evicted: TrackedFlow[] = [];
    while (this.#flows.isOverfull) {
      const { oldest } = this.#flows;
      evicted.push(this.#flows.get(oldest));
      this.#flows.remove(oldest);
    }
    this.counters.evicted += evicted.length;
    return evicted;
  }
}

function needsMore(fresh: Uint32Array, installed: Uint32Array): boolean {
  for (let w = 0; w < fresh.length; w++) if ((fresh[w] & ~installed[w]) !== 0) return true;
  return false;
}
