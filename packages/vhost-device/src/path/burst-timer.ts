import { monotonicMs } from '@vhostlab/host';
import { COUNTER } from '../stats/queue-counters.ts';

const EVERY = 256;
const NS_PER_MS = 1e6;

/** Measures every 256th look at a ring, so that what a packet costs can be told without slowing it down. */
export class BurstTimer {
  readonly #counters: Float64Array;
  #left = EVERY;

  /** Adds to `timed_ns` and `timed_frames` of these counters. */
  constructor(counters: Float64Array) {
    this.#counters = counters;
  }

  /** True when this look is to be timed: then call `begin` before and `end` after it. */
  isDue(): boolean {
    if (--this.#left > 0) return false;
    this.#left = EVERY;
    return true;
  }

  /** The moment, for `end`. */
  begin(): number {
    return monotonicMs();
  }

  /** Counts a look that began at `beginMs` and handled `frames` frames; one that found nothing is no use. */
  end(beginMs: number, frames: number): void {
    if (frames <= 0) return;
    this.#counters[COUNTER.timed_ns] += (monotonicMs() - beginMs) * NS_PER_MS;
    this.#counters[COUNTER.timed_frames] += frames;
  }
}
