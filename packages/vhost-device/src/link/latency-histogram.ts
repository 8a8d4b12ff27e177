/** Buckets of each power of two: a value is known to 3 %. */
const STEPS = 32;
const POWERS = 48;

/** Counts of nanoseconds in buckets that grow with the value, and medians of them. Allocates nothing after it was made. */
export class LatencyHistogram {
  readonly #counts = new Float64Array(STEPS * POWERS);
  #total = 0;

  /** Values below 1 count as 1. */
  add(ns: number): void {
    const value = ns < 1 ? 1 : ns;
    const power = Math.min(POWERS - 1, Math.floor(Math.log2(value)));
    const step = Math.min(STEPS - 1, Math.floor((value / 2 ** power - 1) * STEPS));
    this.#counts[power * STEPS + step]++;
    this.#total++;
  }

  /** Middle of the bucket of the median; undefined when nothing was counted. */
  get median(): number | undefined {
    let left = this.#total / 2;
    for (let at = 0; at < this.#counts.length; at++) {
      left -= this.#counts[at];
      if (left <= 0 && this.#total > 0) {
        return 2 ** Math.floor(at / STEPS) * (1 + ((at % STEPS) + 0.5) / STEPS);
      }
    }
    return undefined;
  }

  clear(): void {
    this.#counts.fill(0);
    this.#total = 0;
  }
}
