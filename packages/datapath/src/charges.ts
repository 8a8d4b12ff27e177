import type { LookupTally } from './lookup.ts';

/** The part of the engine's meter that charging needs. */
export interface ChargeMeter {
  charge(op: number, count: number, bytes: number): void;
}

/** Charges what a burst's lookups amounted to, by the operations that the engine names `switch.*`. */
export class LookupCharges {
  readonly #meter: ChargeMeter;
  readonly #emcHit: number;
  readonly #smcHit: number;
  readonly #maskCache: number;
  readonly #probe: number;

  /** `op`: number of an operation by name. */
  constructor(meter: ChargeMeter, op: (name: string) => number) {
    this.#meter = meter;
    this.#emcHit = op('switch.emc_hit');
    this.#smcHit = op('switch.smc_hit');
    this.#maskCache = op('switch.mask_cache');
    this.#probe = op('switch.subtable_probe');
  }

  /** Charges the tally and sets it to zero. A mask-cache hit includes the probe of the mask it names. */
  charge(tally: LookupTally): void {
    if (tally.lookups === 0) return;
    const probes = tally.probes - tally.maskCacheHits;
    if (tally.maskCacheHits > 0) this.#meter.charge(this.#maskCache, tally.maskCacheHits, 0);
    if (tally.emcHits > 0) this.#meter.charge(this.#emcHit, tally.emcHits, 0);
    if (tally.smcHits > 0) this.#meter.charge(this.#smcHit, tally.smcHits, 0);
    if (probes > 0) this.#meter.charge(this.#probe, probes, 0);
    tally.reset();
  }
}
