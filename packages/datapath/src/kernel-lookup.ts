import type { FlowTable } from './flow-table.ts';
import { mix } from './hash.ts';
import { W_RECIRC } from './key.ts';
import { type FlowLookup, HIT_MASK_CACHE, HIT_NONE, HIT_SUBTABLE, LookupTally } from './lookup.ts';

/** Settings of the kernel datapath's lookup; Linux's values are the defaults. */
export interface KernelLookupOptions {
  /** Entries of the mask cache of a CPU, a power of two up to 256; 0: no cache. Default 256. */
  readonly maskCacheEntries?: number;
  /** Time between two rankings of the masks. Default 4 s. */
  readonly rankIntervalPs?: number;
}

const SEGMENTS = 4;

/**
 * The lookup of Linux's openvswitch module (flow_table.c): a cache from packet hash to mask, one for each CPU
 * (an instance of this class is one CPU's), then all masks in the order of their use, one hash lookup each.
 */
export class KernelLookup implements FlowLookup {
  readonly table: FlowTable;
  readonly tally = new LookupTally();
  lastHit = HIT_NONE;
  lastProbes = 0;
  readonly #entryHash: Int32Array;
  readonly #entryMask: Int32Array;
  readonly #rankIntervalPs: number;
  #nextRankPs: number;
  readonly #clock: Float64Array;

  constructor(table: FlowTable, clock: Float64Array, options: KernelLookupOptions = {}) {
    const entries = options.maskCacheEntries ?? 256;
    if (entries < 0 || entries > 256 || (entries & (entries - 1)) !== 0) {
      throw new Error(`a mask cache of ${entries} entries: give a power of two up to 256`);
    }
    this.table = table;
    this.#clock = clock;
    this.#entryHash = new Int32Array(entries);
    this.#entryMask = new Int32Array(entries);
    this.#rankIntervalPs = options.rankIntervalPs ?? 4e12;
    this.#nextRankPs = this.#rankIntervalPs;
  }

  lookup(keys: Uint32Array, at: number, hash: number): number {
    const tally = this.tally;
    tally.lookups++;
    this.lastProbes = 0;
    if (this.#clock[0] >= this.#nextRankPs) this.#rank();
    const entryHash = this.#entryHash;
    const size = entryHash.length;
    // Packets before and after recirculation share their hash.
    const skbHash = keys[at + W_RECIRC] === 0 ? hash : mix(hash, keys[at + W_RECIRC]);
    if (skbHash === 0 || size === 0) return this.#walk(keys, at, -1);
    let candidate = -1;
    let rest = skbHash;
    for (let segment = 0; segment < SEGMENTS; segment++) {
      const index = rest & (size - 1);
      if (entryHash[index] === skbHash) {
        const flow = this.#cached(keys, at, index);
        if (flow < 0) entryHash[index] = 0;
        return flow;
      }
      if (candidate < 0 || entryHash[index] >>> 0 < entryHash[candidate] >>> 0) candidate = index;
      rest >>>= 8;
    }
    const flow = this.#walk(keys, at, candidate);
    if (flow >= 0) entryHash[candidate] = skbHash;
    return flow;
  }

  installed(): void {}

  #cached(keys: Uint32Array, at: number, entry: number): number {
    const masks = this.table.classifier(0).subtables;
    const index = this.#entryMask[entry];
    if (index < masks.length) {
      this.tally.probes++;
      this.lastProbes++;
      const flow = masks[index].find(keys, at);
      if (flow >= 0) {
        masks[index].hits++;
        this.tally.maskCacheHits++;
        this.lastHit = HIT_MASK_CACHE;
        return flow;
      }
    }
    return this.#walk(keys, at, entry, index);
  }

  /** Tries every mask but `skip`; stores the place of the one that hit in the cache entry. */
  #walk(keys: Uint32Array, at: number, entry: number, skip = -1): number {
    const masks = this.table.classifier(0).subtables;
    for (let i = 0; i < masks.length; i++) {
      if (i === skip) continue;
      this.tally.probes++;
      this.lastProbes++;
      const flow = masks[i].find(keys, at);
      if (flow >= 0) {
        masks[i].hits++;
        if (entry >= 0) this.#entryMask[entry] = i;
        this.lastHit = HIT_SUBTABLE;
        return flow;
      }
    }
    this.tally.misses++;
    this.lastHit = HIT_NONE;
    return -1;
  }

  #rank(): void {
    this.table.rank();
    this.#nextRankPs = this.#clock[0] + this.#rankIntervalPs;
  }
}
