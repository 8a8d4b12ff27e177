import type { Ps } from './api.ts';
import { OPS } from './ops.ts';

/** Operations that are exits of a vCPU. */
const EXITS = OPS.flatMap(({ counts }, op) => (counts === 'exit' ? [op] : []));

/** What a core did over time, as plain data: one number per span of `spanPs`, from the start of the run. */
export interface CoreTimeline {
  spanPs: Ps;
  /** Time spent in runs; a poller's parked polls are not in it. */
  busyPs: Ps[];
  /** Exits charged. A run's exits belong to the span in which it began. */
  exits: number[];
}

/** Adds up a core's runs by spans of virtual time. */
export class TimelineRecorder {
  readonly #spanPs: Ps;
  readonly #counts: Float64Array;
  readonly #busyPs: Ps[] = [];
  readonly #exits: number[] = [];
  #before = 0;

  /** `counts`: the meter's, by operation. */
  constructor(spanPs: Ps, counts: Float64Array) {
    this.#spanPs = spanPs;
    this.#counts = counts;
  }

  /** A run took `[fromPs, toPs)`; what was charged since the call before belongs to it. */
  add(fromPs: Ps, toPs: Ps): void {
    const first = Math.floor(fromPs / this.#spanPs);
    const last = Math.floor(Math.max(fromPs, toPs - 1) / this.#spanPs);
    while (this.#busyPs.length <= last) {
      this.#busyPs.push(0);
      this.#exits.push(0);
    }
    for (let span = first; span <= last; span++) {
      const from = Math.max(fromPs, span * this.#spanPs);
      const to = Math.min(toPs, (span + 1) * this.#spanPs);
      this.#busyPs[span] += to - from;
    }
    const exits = this.#total();
    this.#exits[first] += exits - this.#before;
    this.#before = exits;
  }

  /** The meter was set back to zero. */
  restart(): void {
    this.#before = 0;
  }

  result(): CoreTimeline {
    return { spanPs: this.#spanPs, busyPs: this.#busyPs, exits: this.#exits };
  }

  #total(): number {
    let exits = 0;
    for (let i = 0; i < EXITS.length; i++) exits += this.#counts[EXITS[i]];
    return exits;
  }
}
