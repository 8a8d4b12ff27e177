import type { Ps } from '../api.ts';
import type { CoreClock } from '../meter.ts';

/**
 * The clock of one thread: picoseconds since its beginning, from an injected monotonic clock. It is read at most once per
 * run of a core, and only if that run asks. Above 2^53 ps (2.5 hours) a moment is rounded: to 1 ns after 100 days.
 */
export class RealClock implements CoreClock {
  readonly #read: () => Ps;
  readonly #originPs: Ps;
  #ps: Ps = 0;
  #isFresh = true;

  constructor(read: () => Ps) {
    this.#read = read;
    this.#originPs = read();
  }

  get nowPs(): Ps {
    if (!this.#isFresh) {
      this.#ps = this.#read() - this.#originPs;
      this.#isFresh = true;
    }
    return this.#ps;
  }

  /** A run sees what has arrived by its moment, which is the same from its start to its end. */
  get startPs(): Ps {
    return this.nowPs;
  }

  /** Another run begins: the next question reads the clock again. */
  advance(): void {
    this.#isFresh = false;
  }
}
