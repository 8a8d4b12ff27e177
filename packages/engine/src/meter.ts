import type { Meter, Ps } from './api.ts';
import { OPS } from './ops.ts';

/** Costs of a profile, compiled for the meter: picoseconds per operation and per byte, in the order of OPS. */
export interface CompiledProfile {
  readonly name: string;
  readonly fixedPs: Float64Array;
  readonly perBytePs: Float64Array;
  readonly constants: ReadonlyMap<string, number>;
}

/** The clock of one core that a meter moves. */
export interface CoreClock {
  nowPs: Ps;
  /** Start of the present run: it sees what is visible then, however long it takes. */
  readonly startPs: Ps;
}

/** The virtual clock's meter: a charge advances the core by the profile's cost and is added up per operation. */
export class VirtualMeter implements Meter {
  readonly counts = new Float64Array(OPS.length);
  readonly bytes = new Float64Array(OPS.length);
  readonly spentPs = new Float64Array(OPS.length);
  readonly #fixedPs: Float64Array;
  readonly #perBytePs: Float64Array;
  readonly #clock: CoreClock;

  constructor(profile: CompiledProfile, clock: CoreClock) {
    this.#fixedPs = profile.fixedPs;
    this.#perBytePs = profile.perBytePs;
    this.#clock = clock;
  }

  charge(op: number, count: number, bytes: number): void {
    const ps = Math.round(count * this.#fixedPs[op] + bytes * this.#perBytePs[op]);
    this.counts[op] += count;
    this.bytes[op] += bytes;
    this.spentPs[op] += ps;
    this.#clock.nowPs += ps;
  }

  book(op: number, count: number, bytes: number, ps: Ps): void {
    this.counts[op] += count;
    this.bytes[op] += bytes;
    this.spentPs[op] += ps;
  }

  /** Forgets everything counted so far (end of set-up). */
  reset(): void {
    this.counts.fill(0);
    this.bytes.fill(0);
    this.spentPs.fill(0);
  }
}
