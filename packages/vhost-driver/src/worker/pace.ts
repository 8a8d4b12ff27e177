import { monotonicMs } from '@vhostlab/host';
import { createPacer, type Pacer, type Rate } from '@vhostlab/workload';

const PS_PER_MS = 1e9;

/** Departures of a paced stream against the real clock. */
export class Pace {
  readonly #pacer: Pacer;
  #startMs = -1;

  constructor(rate: Rate, seed: number) {
    this.#pacer = createPacer(rate, { kind: 'constant' }, seed);
  }

  /** Takes the next frame, of `length` bytes: from now on `isDue` is about it. */
  next(length: number): void {
    this.#pacer.depart(length);
  }

  /** Picoseconds since the stream began, which is at the first call. */
  nowPs(): number {
    const now = monotonicMs();
    if (this.#startMs < 0) this.#startMs = now;
    return (now - this.#startMs) * PS_PER_MS;
  }

  isDue(nowPs: number): boolean {
    return this.#pacer.atPs <= nowPs;
  }

  /** Milliseconds until the frame is due, at least 0. */
  waitMs(): number {
    return Math.max(0, (this.#pacer.atPs - this.nowPs()) / PS_PER_MS);
  }
}
