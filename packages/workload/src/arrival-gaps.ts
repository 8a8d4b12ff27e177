/** A time in which no frame arrived at a sink, in picoseconds. */
export interface ArrivalGap {
  fromPs: number;
  toPs: number;
}

/** Shorter gaps are those of bursts. */
const LEAST_PS = 5_000_000;
const KEPT = 64;

/** The longest times without a frame at one sink: what a change of the back end looks like from outside. */
export class ArrivalGaps {
  readonly #gaps: ArrivalGap[] = [];
  #lastPs = -1;
  #shortest = LEAST_PS;

  /** A frame arrives at `atPs`, not before the one before it. */
  take(atPs: number): void {
    const fromPs = this.#lastPs;
    this.#lastPs = atPs;
    if (fromPs < 0 || atPs - fromPs <= this.#shortest) return;
    this.#gaps.push({ fromPs, toPs: atPs });
    if (this.#gaps.length <= KEPT) return;
    const lengths = this.#gaps.map((gap) => gap.toPs - gap.fromPs);
    this.#shortest = Math.min(...lengths);
    this.#gaps.splice(lengths.indexOf(this.#shortest), 1);
  }

  /** In the order of time. */
  report(): ArrivalGap[] {
    return this.#gaps;
  }
}
