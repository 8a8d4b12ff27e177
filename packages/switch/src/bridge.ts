import { type FlowPut, sameProgram } from '@vhostlab/datapath';
import type { FlowRule, InstalledRule } from './pipeline/flow-tables.ts';
import { FlowTables } from './pipeline/flow-tables.ts';
import { MacTable, type MacTableOptions } from './pipeline/mac-table.ts';
import { type Translation, type TranslationView, translate } from './pipeline/translate.ts';

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

/** A megaflow that datapaths hold because of this bridge. */
export interface TrackedFlow {
  readonly flow: FlowPut;
  /** Rules that made it: its packets are theirs. */
  readonly rules: readonly InstalledRule[];
  /** MAC address that its packets keep alive. */
  readonly learn: Translation['learn'];
  /** Datapaths that hold it, by their index. */
  readonly holders: Set<number>;
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
  readonly #flowLimit: number;
  readonly #tracked = new Map<string, TrackedFlow>();
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
    this.#flowLimit = options.flowLimit ?? 200_000;
  }

  /** Adds rules to the tables; megaflows are stale until the next `revalidate`. */
  addFlows(rules: readonly FlowRule[]): void {
    for (const rule of rules) this.tables.add(rule);
  }

  /** Megaflows in datapaths, in the order of their installation. */
  megaflows(): IterableIterator<TrackedFlow> {
    return this.#tracked.values();
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
    if (learn !== undefined) this.macs.learn(learn.vlan, learn.mac, key[0], nowPs);
    return { program: megaflow.program, put: megaflow, evicted: this.#track(translation, holder) };
  }

  /** Notes that another datapath holds the megaflow too. */
  addHolder(flow: FlowPut, holder: number): void {
    this.#tracked.get(nameOf(flow))?.holders.add(holder);
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
    const checked = this.#tracked.size;
    for (const [name, tracked] of this.#tracked) {
      const fresh = this.#translate(tracked.flow.key);
      if (needsMore(fresh.megaflow.mask, tracked.flow.mask)) {
        this.#tracked.delete(name);
        deleted.push(tracked);
      } else {
        const isSame = sameProgram(fresh.megaflow.program, tracked.flow.program);
        const flow = isSame ? tracked.flow : { ...tracked.flow, program: fresh.megaflow.program };
        const updated = { flow, rules: fresh.rules, learn: fresh.learn, holders: tracked.holders };
        this.#tracked.set(name, updated);
        if (!isSame) modified.push(updated);
      }
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
    const tracked = this.#tracked.get(nameOf(flow));
    if (tracked === undefined || packets === 0) return;
    for (const rule of tracked.rules) {
      rule.packets += packets;
      rule.bytes += bytes;
    }
    const { learn } = tracked;
    if (learn !== undefined) this.macs.learn(learn.vlan, learn.mac, tracked.flow.key[0], lastUsedPs);
  }

  /** Forgets a megaflow that no datapath holds any more. */
  forget(flow: FlowPut): void {
    this.#tracked.delete(nameOf(flow));
  }

  #translate(key: Uint32Array): Translation {
    this.counters.translations++;
    return translate(this, key);
  }

  #track(translation: Translation, holder: number): TrackedFlow[] {
    const name = nameOf(translation.megaflow);
    const known = this.#tracked.get(name);
    const holders = known?.holders ?? new Set<number>();
    holders.add(holder);
    const { megaflow: flow, rules, learn } = translation;
    this.#tracked.set(name, { flow, rules, learn, holders });
    if (known !== undefined) return [];
    this.counters.installed++;
    const evicted: TrackedFlow[] = [];
    for (const [oldest, tracked] of this.#tracked) {
      if (this.#tracked.size <= this.#flowLimit) break;
      this.#tracked.delete(oldest);
      evicted.push(tracked);
    }
    this.counters.evicted += evicted.length;
    return evicted;
  }
}

function needsMore(fresh: Uint32Array, installed: Uint32Array): boolean {
  for (let w = 0; w < fresh.length; w++) if ((fresh[w] & ~installed[w]) !== 0) return true;
  return false;
}

/** Identity of a megaflow: its mask and masked key. */
function nameOf({ key, mask }: FlowPut): string {
  let name = '';
  for (let w = 0; w < mask.length; w++) {
    const bits = mask[w];
    if (bits !== 0)
      name += String.fromCharCode(
        w,
        bits >>> 16,
        bits & 0xffff,
        (key[w] & bits) >>> 16,
        key[w] & bits & 0xffff,
      );
  }
  return name;
}
