import type { FlowTable } from './flow-table.ts';

/** Which part of a datapath found the flow of the last lookup. */
export const HIT_NONE = 0;
export const HIT_EMC = 1;
export const HIT_SMC = 2;
/** Kernel: the mask that the mask cache named. */
export const HIT_MASK_CACHE = 3;
/** A subtable, after a walk over the masks. */
export const HIT_SUBTABLE = 4;
/** The NIC's own table. */
export const HIT_OFFLOAD = 5;

/** What the lookups since the last `reset` amounted to: what a host charges for. */
export class LookupTally {
  lookups = 0;
  emcHits = 0;
  smcHits = 0;
  maskCacheHits = 0;
  /** Masked hash lookups, whether they hit or not. */
  probes = 0;
  misses = 0;

  reset(): void {
    this.lookups = 0;
    this.emcHits = 0;
    this.smcHits = 0;
    this.maskCacheHits = 0;
    this.probes = 0;
    this.misses = 0;
  }
}

/** How one kind of datapath finds the flow of a key. The time is in element 0 of the clock it was made with. */
export interface FlowLookup {
  readonly table: FlowTable;
  readonly tally: LookupTally;
  /** Where the last lookup ended: one of the `HIT_` numbers. */
  readonly lastHit: number;
  /** Masked hash lookups of the last lookup. */
  readonly lastProbes: number;
  /** Flow that the key at word offset `at` matches, -1 for a miss. `hash`: signed 32-bit. */
  lookup(keys: Uint32Array, at: number, hash: number): number;
  /** The table has a new flow, which a packet with `hash` asked for (0 when nobody did). */
  installed(flow: number, keys: Uint32Array, at: number, hash: number, nowPs: number): void;
}
