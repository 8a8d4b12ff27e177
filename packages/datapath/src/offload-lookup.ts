import type { FlowTable } from './flow-table.ts';
import { type FlowLookup, HIT_NONE, HIT_OFFLOAD, LookupTally } from './lookup.ts';

/** Settings of a NIC's flow table. */
export interface OffloadLookupOptions {
  /** Flows that the hardware installs in a second of virtual time; 0: at once. Default 0. */
  readonly insertsPerSecond?: number;
}

/**
 * The flow table of a NIC's embedded switch. A flow works from the moment the hardware has installed it:
 * installations are done one after the other, at the table's rate. Its capacity is that of the flow table.
 */
export class OffloadLookup implements FlowLookup {
  readonly table: FlowTable;
  readonly tally = new LookupTally();
  lastHit = HIT_NONE;
  lastProbes = 0;
  readonly #insertPs: number;
  #readyPs = 0;
  #activePs = new Float64Array(256);

  readonly #clock: Float64Array;

  constructor(table: FlowTable, clock: Float64Array, options: OffloadLookupOptions = {}) {
    const rate = options.insertsPerSecond ?? 0;
    this.table = table;
    this.#clock = clock;
    this.#insertPs = rate > 0 ? Math.round(1e12 / rate) : 0;
  }

  lookup(keys: Uint32Array, at: number): number {
    const nowPs = this.#clock[0];
    this.tally.lookups++;
    this.lastProbes = 0;
    const subtables = this.table.classifier(0).subtables;
    for (let i = 0; i < subtables.length; i++) {
      this.tally.probes++;
      this.lastProbes++;
      const flow = subtables[i].find(keys, at);
      if (flow >= 0 && this.#activePs[flow] <= nowPs) {
        subtables[i].hits++;
        this.lastHit = HIT_OFFLOAD;
        return flow;
      }
    }
    this.tally.misses++;
    this.lastHit = HIT_NONE;
    return -1;
  }

  installed(flow: number, _keys: Uint32Array, _at: number, _hash: number, nowPs: number): void {
    if (flow >= this.#activePs.length) {
      const wider = new Float64Array(this.table.hashes.length);
      wider.set(this.#activePs);
      this.#activePs = wider;
    }
    this.#readyPs = Math.max(nowPs, this.#readyPs) + this.#insertPs;
    this.#activePs[flow] = this.#readyPs;
  }

  /** Moment from which a flow works. */
  activePs(flow: number): number {
    return this.#activePs[flow];
  }
}
