/** What came twice or too late, of the frames that a sink took. */
export interface OrderReport {
  duplicated: number;
  reordered: number;
}

/**
 * Looks at the numbers of the frames that arrive at one sink: a number that was there before is a duplicate, one below a
 * number of the same stream that was there before came too late. Streams are what keeps its order: packets whose numbers
 * are equal modulo `streams`; 0: nothing is known about order.
 */
export class ArrivalOrder {
  readonly #streams: number;
  readonly #last: Float64Array;
  #seen = new Uint32Array(64);
  #duplicated = 0;
  #reordered = 0;

  constructor(streams: number) {
    this.#streams = streams;
    this.#last = new Float64Array(streams).fill(-1);
  }

  /** Frame number `packet` arrives; numbers below 0 are no frames of the traffic. */
  take(packet: number): void {
    if (packet < 0) return;
    const word = packet >>> 5;
    if (word >= this.#seen.length) this.#grow(word);
    const bit = 1 << (packet & 31);
    if ((this.#seen[word] & bit) !== 0) {
      this.#duplicated++;
      return;
    }
    this.#seen[word] |= bit;
    if (this.#streams === 0) return;
    const stream = packet % this.#streams;
    if (packet < this.#last[stream]) this.#reordered++;
    else this.#last[stream] = packet;
  }

  report(): OrderReport {
    return { duplicated: this.#duplicated, reordered: this.#reordered };
  }

  #grow(word: number): void {
    const seen = new Uint32Array(Math.max(word + 1, 2 * this.#seen.length));
    seen.set(this.#seen);
    this.#seen = seen;
  }
}

/** Streams of a scenario's traffic that keep their order, for `ArrivalOrder`: its flows on each queue of the source. */
export function orderedStreams(config: { queues: number; traffic: { flows?: number } }): number {
  return config.queues * (config.traffic.flows ?? 1);
}
