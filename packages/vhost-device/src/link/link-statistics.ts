/** What is counted of one queue pair of a link, in the order of the shared array. */
export const LINK_COUNTERS = [
  ['sent_frames', 'frames that were sent'],
  ['sent_bytes', 'bytes of those'],
  ['sent_bursts', 'messages that they were sent in'],
  ['received_frames', 'frames that came'],
  ['received_bytes', 'bytes of those'],
  ['received_bursts', 'messages that they came in'],
  ['drop_link_full', 'frames that found no room on the way to the link'],
  ['drop_link_down', 'frames for a link without a connection'],
  ['drop_link_lost', 'frames that were sent and were lost with a connection'],
  ['drop_beyond_credit', 'frames that came although there was no room for them'],
  ['drop_no_frame', 'frames that came with a length that no frame has'],
  ['connected', '1 while there is a connection'],
  ['connections', 'connections so far'],
  ['waits', 'times that there was no room at the other end'],
  ['round_trip_ns', 'least round trip of a probe in the last minute; 0 before the first'],
  ['clock_error_ns', 'what the difference of the clocks can be wrong by; -1 before it is known'],
  ['latency_ns', 'median of the one-way latency by these clocks; -1 before a frame has come'],
] as const;

export type LinkCounter = (typeof LINK_COUNTERS)[number][0];

/** Place of a counter. */
export const LINK_COUNTER = Object.fromEntries(LINK_COUNTERS.map(([name], at) => [name, at])) as Record<
  LinkCounter,
  number
>;

/** Counters of one queue pair. */
export type LinkSnapshot = { readonly pair: number } & Readonly<Record<LinkCounter, number>>;

/**
 * Counters of all queue pairs, in memory that threads share: those of the port are written by its worker, all others by
 * the link's thread.
 */
export class LinkStatistics {
  readonly buffer: SharedArrayBuffer;
  readonly pairs: number;
  readonly #values: Float64Array;

  constructor(pairs: number, buffer?: SharedArrayBuffer) {
    this.pairs = pairs;
    this.buffer = buffer ?? new SharedArrayBuffer(pairs * LINK_COUNTERS.length * 8);
    this.#values = new Float64Array(this.buffer);
  }

  /** Counters of a pair to write: index with LINK_COUNTER. */
  of(pair: number): Float64Array {
    return this.#values.subarray(pair * LINK_COUNTERS.length, (pair + 1) * LINK_COUNTERS.length);
  }

  snapshot(): LinkSnapshot[] {
    return Array.from({ length: this.pairs }, (_, pair) => {
      const values = this.of(pair);
      const named = LINK_COUNTERS.map(([name], at) => [name, values[at]]);
      return { pair, ...Object.fromEntries(named) } as LinkSnapshot;
    });
  }
}
