import { ExactMatchCache } from './emc.ts';
import type { FlowTable } from './flow-table.ts';
import { W_IN_PORT } from './key.ts';
import { type FlowLookup, HIT_EMC, HIT_NONE, HIT_SMC, HIT_SUBTABLE, LookupTally } from './lookup.ts';
import { SignatureMatchCache } from './smc.ts';

/** Settings of the user-space datapath's lookup; Open vSwitch's values are the defaults. */
export interface UserspaceLookupOptions {
  /** Entries of the exact-match cache, a power of two. Default 8192. */
  readonly emcEntries?: number;
  /** One in so many flow hits enters the exact-match cache (`emc-insert-inv-prob`); 0: none. Default 100. */
  readonly emcInsertInverse?: number;
  /** Entries of the signature-match cache, a power of two; 0: off, the default (Open vSwitch has 2^20). */
  readonly smcEntries?: number;
  /** Time between two rankings of the subtables. Default 1 s. */
  readonly rankIntervalPs?: number;
  /** Seed of the caches' chances. Default 1. */
  readonly seed?: number;
}

/**
 * The lookup of a PMD thread (lib/dpif-netdev.c): exact-match cache, signature-match cache, and
 * the classifier of the port with its subtables in the order of their hits.
 */
export class UserspaceLookup implements FlowLookup {
  readonly table: FlowTable;
  readonly tally = new LookupTally();
  lastHit = HIT_NONE;
  lastProbes = 0;
  readonly #emc: ExactMatchCache;
  readonly #smc: SignatureMatchCache | undefined;
  readonly #rankIntervalPs: number;
  #nextRankPs: number;
  readonly #clock: Float64Array;

  /** `table`: one with a classifier for each port. */
  constructor(table: FlowTable, clock: Float64Array, options: UserspaceLookupOptions = {}) {
    const seed = options.seed ?? 1;
    const smcEntries = options.smcEntries ?? 0;
    this.table = table;
    this.#clock = clock;
    this.#emc = new ExactMatchCache(table, options.emcEntries ?? 8192, options.emcInsertInverse ?? 100, seed);
    this.#smc = smcEntries > 0 ? new SignatureMatchCache(table, smcEntries, seed ^ 0x5bd1e995) : undefined;
    this.#rankIntervalPs = options.rankIntervalPs ?? 1e12;
    this.#nextRankPs = this.#rankIntervalPs;
  }

  lookup(keys: Uint32Array, at: number, hash: number): number {
    const tally = this.tally;
    tally.lookups++;
    this.lastProbes = 0;
    let flow = this.#emc.lookup(keys, at, hash);
    if (flow >= 0) {
      tally.emcHits++;
      this.lastHit = HIT_EMC;
      return flow;
    }
    if (this.#smc !== undefined) {
      flow = this.#smc.lookup(keys, at, hash);
      if (flow >= 0) {
        tally.smcHits++;
        this.lastHit = HIT_SMC;
        this.#emc.maybeInsert(keys, at, hash, flow);
        return flow;
      }
    }
    return this.#classify(keys, at, hash);
  }

  installed(flow: number, keys: Uint32Array, at: number, hash: number): void {
    this.#smc?.insert(hash, flow);
    this.#emc.maybeInsert(keys, at, hash, flow);
  }

  #classify(keys: Uint32Array, at: number, hash: number): number {
    if (this.#clock[0] >= this.#nextRankPs) {
      this.table.rank();
      this.#nextRankPs = this.#clock[0] + this.#rankIntervalPs;
    }
    const subtables = this.table.classifier(keys[at + W_IN_PORT]).subtables;
    for (let i = 0; i < subtables.length; i++) {
      this.tally.probes++;
      this.lastProbes++;
      const flow = subtables[i].find(keys, at);
      if (flow >= 0) {
        subtables[i].hits++;
        this.lastHit = HIT_SUBTABLE;
        this.#smc?.insert(hash, flow);
        this.#emc.maybeInsert(keys, at, hash, flow);
        return flow;
      }
    }
    this.tally.misses++;
    this.lastHit = HIT_NONE;
    return -1;
  }
}
