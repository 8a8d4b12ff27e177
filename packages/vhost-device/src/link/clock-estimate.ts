/** What two clocks of different machines differ by at most per second before it was measured. */
const UNKNOWN_DRIFT = 500e-6;
/** The best exchange of each of the last slots is kept. */
const SLOT_NS = 5e9;
const SLOTS = 12;

interface Exchange {
  atNs: number;
  roundTripNs: number;
  /** Peer's clock less the own. */
  offsetNs: number;
}

/** How far the peer's clock is ahead of the own one, and what this can be wrong by. */
export interface ClockDifference {
  offsetNs: number;
  errorNs: number;
}

/**
 * Estimates how far the peer's monotonic clock is ahead from exchanges of probe and answer. Of one exchange the offset is
 * known to half of its round trip. Since the best exchange the clocks may have drifted apart: by what two good exchanges
 * with time between them show at most.
 */
export class ClockEstimate {
  readonly #best: Exchange[] = [];

  /** Probe left, arrived, answer left, arrived: first and last by the own clock, the others by the peer's; nanoseconds. */
  add(leftNs: number, peerArrivedNs: number, peerLeftNs: number, arrivedNs: number): void {
    const roundTripNs = Math.max(0, arrivedNs - leftNs - (peerLeftNs - peerArrivedNs));
    const offsetNs = (peerArrivedNs - leftNs + (peerLeftNs - arrivedNs)) / 2;
    const last = this.#best.at(-1);
    const exchange = { atNs: arrivedNs, roundTripNs, offsetNs };
    if (last === undefined || Math.floor(arrivedNs / SLOT_NS) !== Math.floor(last.atNs / SLOT_NS)) {
      this.#best.push(exchange);
      if (this.#best.length > SLOTS) this.#best.shift();
    } else if (roundTripNs <= last.roundTripNs) this.#best[this.#best.length - 1] = exchange;
  }

  /** Least round trip of the last minute in nanoseconds; undefined before the first exchange. */
  get roundTripNs(): number | undefined {
    return this.#best.length === 0
      ? undefined
      : Math.min(...this.#best.map(({ roundTripNs }) => roundTripNs));
  }

  /** The difference at a moment of the own clock; undefined before the first exchange. */
  at(nowNs: number): ClockDifference | undefined {
    let found: ClockDifference | undefined;
    const drift = this.#drift();
    for (const { atNs, roundTripNs, offsetNs } of this.#best) {
      const errorNs = roundTripNs / 2 + Math.abs(nowNs - atNs) * drift;
      if (found === undefined || errorNs < found.errorNs) found = { offsetNs, errorNs };
    }
    return found;
  }

  /** Most that the clocks go apart per nanosecond. */
  #drift(): number {
    const [first, last] = [this.#best[0], this.#best.at(-1)];
    if (first === undefined || last === undefined || last.atNs - first.atNs < SLOT_NS) return UNKNOWN_DRIFT;
    const apart = Math.abs(last.offsetNs - first.offsetNs) + (last.roundTripNs + first.roundTripNs) / 2;
    return Math.min(UNKNOWN_DRIFT, apart / (last.atNs - first.atNs));
  }
}

/** From this share of a latency on a clock error is too much for the latency to be told. */
export const MOST_ERROR = 0.1;

/** A one-way latency in words, or why it is not known. `undefined`: nothing was measured. */
export function latencyText(latencyNs: number | undefined, errorNs: number | undefined): string {
  if (errorNs === undefined) return 'one-way latency not known: the clocks were not compared yet';
  const error = `clock error ${(errorNs / 1000).toFixed(1)} us`;
  if (latencyNs === undefined) return `one-way latency not known: no frame has come; ${error}`;
  return latencyNs > 0 && errorNs < MOST_ERROR * latencyNs
    ? `one-way latency ${(latencyNs / 1000).toFixed(1)} us (median), ${error}`
    : `one-way latency not known: ${error}`;
}
