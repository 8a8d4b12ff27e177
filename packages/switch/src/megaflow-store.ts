import { type FlowPut, FlowTable, KEY_FIELDS, readField, sameProgram } from '@vhostlab/datapath';
import { IndexList } from './index-list.ts';
import type { InstalledRule } from './pipeline/flow-tables.ts';
import type { Translation } from './pipeline/translate.ts';

/** A megaflow that datapaths hold because of a bridge. */
export interface TrackedFlow {
  readonly flow: FlowPut;
  /** Rules that made it: its packets are theirs. */
  readonly rules: readonly InstalledRule[];
  /** MAC address that its packets keep alive. */
  readonly learn: Translation['learn'];
  /** Datapaths that hold it, by their index, in rising order. */
  readonly holders: readonly number[];
}

const NO_LEARNING = 0xffff;

/** The megaflows of a bridge, compact: there may be hundreds of thousands. A megaflow is its index. */
export class MegaflowStore {
  readonly #table: FlowTable;
  readonly #rules: (readonly InstalledRule[])[] = [];
  readonly #learnVlan: number[] = [];
  readonly #holders: (readonly number[])[] = [];
  /** Indices in the order of their installation. */
  readonly #order = new IndexList();
  readonly #holderSets = new Map<string, readonly number[]>();
  readonly #limit: number;

  constructor(limit: number) {
    this.#limit = limit;
    this.#table = new FlowTable(limit + 1, false);
  }

  get size(): number {
    return this.#table.count;
  }

  get isOverfull(): boolean {
    return this.#table.count > this.#limit;
  }

  /** Index of the megaflow of a key and mask, -1 for none. */
  find(flow: FlowPut): number {
    return this.#table.find(flow.key, flow.mask);
  }

  /** Stores a megaflow, or what is new about one that is there; its holders stay. */
  put(flow: FlowPut, rules: readonly InstalledRule[], learn: Translation['learn']): number {
    const before = this.#table.count;
    const index = this.#table.put(flow.key, flow.mask, flow.program, 0);
    if (this.#table.count > before) {
      this.#order.append(index);
      this.#holders[index] = this.#holderSet([]);
    }
    this.#rules[index] = rules;
    this.#learnVlan[index] = learn?.vlan ?? NO_LEARNING;
    return index;
  }

  addHolder(index: number, holder: number): void {
    const holders = this.#holders[index];
    if (!holders.includes(holder)) this.#holders[index] = this.#holderSet([...holders, holder]);
  }

  remove(index: number): void {
    this.#table.remove(index);
    this.#order.remove(index);
  }

  /** Index of the megaflow that was installed first; -1 when there is none. */
  get oldest(): number {
    return this.#order.first;
  }

  /** Indices in the order of installation; the one just answered may be removed. */
  indices(): Iterable<number> {
    return this.#order;
  }

  /** True when the megaflow executes this program. */
  hasProgram(index: number, program: Uint32Array): boolean {
    return sameProgram(this.#table.programs[index], program);
  }

  /** A megaflow as plain data; its key is masked. */
  get(index: number): TrackedFlow {
    const flow = {
      key: this.#table.keyOf(index),
      mask: this.#table.maskOf(index),
      program: this.#table.programs[index],
    };
    const vlan = this.#learnVlan[index];
    const learn =
      vlan === NO_LEARNING ? undefined : { vlan, mac: readField(flow.key, 0, KEY_FIELDS.eth_src) };
    return { flow, rules: this.#rules[index], learn, holders: this.#holders[index] };
  }

  #holderSet(holders: readonly number[]): readonly number[] {
    const sorted = [...holders].sort((a, b) => a - b);
    const name = sorted.join();
    const known = this.#holderSets.get(name);
    if (known !== undefined) return known;
    this.#holderSets.set(name, sorted);
    return sorted;
  }
}
