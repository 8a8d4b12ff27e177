import type { Ps } from './api.ts';

/** Message kinds of memory and control channels. Words come first: they wake pollers only. */
export const WORD16 = 1;
export const WORD32 = 2;
export const NOTIFY = 3;
export const REGISTER_WRITE = 4;
export const REGISTER_READ = 5;
export const REGISTER_REPLY = 6;
export const REQUEST = 7;
export const REPLY = 8;
export const SEND = 9;

/** Whoever reads a mailbox: told the moment at which something new will be visible. */
export interface Reader {
  /** `wakes`: true for everything but published words. */
  arriving(atPs: Ps, wakes: boolean): void;
}

/**
 * One direction of a channel: messages in the order of sending, each with the moment at which the reader
 * may see it. Moments never decrease, so nothing overtakes. Struct-of-arrays ring that grows.
 */
export class Mailbox {
  atPs = new Float64Array(256);
  kind = new Uint8Array(256);
  a = new Float64Array(256);
  b = new Float64Array(256);
  payload: (Uint8Array | undefined)[] = new Array(256);
  mask = 255;
  head = 0;
  tail = 0;
  lastPs: Ps = 0;
  reader: Reader | undefined;
  readonly latencyPs: Ps;
  /** Adds to the latency of each message, for explorers of schedules; undefined: nothing does. */
  readonly #extraPs: (() => Ps) | undefined;
  #wakeIndex = 0;

  constructor(latencyPs: Ps, extraPs?: () => Ps) {
    this.latencyPs = latencyPs;
    this.#extraPs = extraPs;
  }

  /** Appends a message that leaves at `departsPs`. */
  push(departsPs: Ps, kind: number, a: number, b: number, payload?: Uint8Array): void {
    const latencyPs = this.#extraPs === undefined ? this.latencyPs : this.latencyPs + this.#extraPs();
    this.pushAt(departsPs + latencyPs, kind, a, b, payload);
  }

  /** Appends a message that is visible at `atPs` (from another process: the latency is in it). */
  pushAt(atPs: Ps, kind: number, a: number, b: number, payload?: Uint8Array): void {
    if (this.tail - this.head > this.mask) this.#grow();
    const at = atPs < this.lastPs ? this.lastPs : atPs;
    this.lastPs = at;
    const i = this.tail & this.mask;
    this.atPs[i] = at;
    this.kind[i] = kind;
    this.a[i] = a;
    this.b[i] = b;
    if (payload !== undefined) this.payload[i] = payload;
    this.tail++;
    this.reader?.arriving(at, kind > WORD32);
  }

  /** Moment of the first message, Infinity when empty. */
  firstPs(): Ps {
    return this.head === this.tail ? Number.POSITIVE_INFINITY : this.atPs[this.head & this.mask];
  }

  /** Moment of the first message that is not a published word. */
  firstWakingPs(): Ps {
    let i = this.#wakeIndex > this.head ? this.#wakeIndex : this.head;
    while (i < this.tail && this.kind[i & this.mask] <= WORD32) i++;
    this.#wakeIndex = i;
    return i < this.tail ? this.atPs[i & this.mask] : Number.POSITIVE_INFINITY;
  }

  #grow(): void {
    const size = this.mask + 1;
    const next = size * 2;
    const atPs = new Float64Array(next);
    const kind = new Uint8Array(next);
    const a = new Float64Array(next);
    const b = new Float64Array(next);
    const payload: (Uint8Array | undefined)[] = new Array(next);
    for (let n = this.head; n < this.tail; n++) {
      const from = n & this.mask;
      const to = n & (next - 1);
      atPs[to] = this.atPs[from];
      kind[to] = this.kind[from];
      a[to] = this.a[from];
      b[to] = this.b[from];
      payload[to] = this.payload[from];
    }
    this.atPs = atPs;
    this.kind = kind;
    this.a = a;
    this.b = b;
    this.payload = payload;
    this.mask = next - 1;
  }
}
