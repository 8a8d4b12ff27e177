import { frameBytesWithFcs, wireBytes } from './line-rate.ts';
import { Prng } from './prng.ts';
import type { Rate } from './rate.ts';

const PS_PER_SECOND = 1e12;

/** How frames spread over time at a rate. `on-off`: at the rate for `onPs`, silent for `offPs`, and again. */
export type Arrival =
  | { kind: 'constant' }
  | { kind: 'poisson' }
  | { kind: 'on-off'; onPs: number; offPs: number };

/**
 * When each frame of a stream departs. The moment is a field and not an answer, since V8 would allocate for a
 * number beyond 32 bits that a function returns.
 */
export interface Pacer {
  /** Departure of the frame given last, in integer picoseconds from the stream's start. */
  readonly atPs: number;
  /** Takes the next frame, of `length` bytes in memory. Call once per frame, in order. */
  depart(length: number): void;
}

/** Makes the pacer for a rate and an arrival process. Throws a RangeError for impossible on/off times. */
export function createPacer(rate: Rate, arrival: Arrival, seed: number): Pacer {
  if (rate.unit === 'unpaced') return { atPs: 0, depart: () => {} };
  if (arrival.kind === 'poisson') return new PoissonPacer(rate.unit, rate.value, seed);
  const slots = new SlotClock(rate.unit, rate.value);
  if (arrival.kind === 'on-off') return new OnOffPacer(slots, arrival.onPs, arrival.offPs);
  return slots;
}

type Unit = 'pps' | 'frameBps' | 'wireBps';

/** What a frame counts as at a rate: one frame, or its bits. */
function amountOf(unit: Unit, length: number): number {
  if (unit === 'pps') return 1;
  return (unit === 'frameBps' ? frameBytesWithFcs(length) : wireBytes(length)) * 8;
}

/**
 * Constant rate: a frame departs when all frames before it have had their time, computed as a whole number and
 * a remainder, so that the sum is exact to the picosecond however long the stream is.
 */
class SlotClock implements Pacer {
  readonly #unit: Unit;
  /** One unit of amount takes #wholePs + #rest / #rate picoseconds. */
  readonly #rate: number;
  readonly #wholePs: number;
  readonly #rest: number;
  /** Amount whose remainders can be added at once without leaving the integers that a number holds exactly. */
  readonly #chunk: number;
  atPs = 0;
  #nextPs = 0;
  #carry = 0;

  constructor(unit: Unit, rate: number) {
    const divisor = gcd(PS_PER_SECOND, rate);
    this.#unit = unit;
    this.#rate = rate / divisor;
    const scaled = PS_PER_SECOND / divisor;
    this.#wholePs = Math.floor(scaled / this.#rate);
    this.#rest = scaled % this.#rate;
    this.#chunk = Math.floor((Number.MAX_SAFE_INTEGER - this.#rate) / Math.max(1, this.#rest));
  }

  depart(length: number): void {
    this.atPs = this.#nextPs;
    let amount = amountOf(this.#unit, length);
    let next = this.#nextPs + amount * this.#wholePs;
    while (amount > 0) {
      const part = amount < this.#chunk ? amount : this.#chunk;
      const sum = this.#carry + part * this.#rest;
      const carried = Math.floor(sum / this.#rate);
      next += carried;
      this.#carry = sum - carried * this.#rate;
      amount -= part;
    }
    this.#nextPs = next;
  }
}

function gcd(a: number, b: number): number {
  while (b !== 0) {
    const rest = a % b;
    a = b;
    b = rest;
  }
  return a;
}

/** Exponential gaps whose mean is the frame's slot at the constant rate. */
class PoissonPacer implements Pacer {
  readonly #unit: Unit;
  readonly #psPerAmount: number;
  readonly #random: Prng;
  atPs = 0;
  #nextPs = 0;

  constructor(unit: Unit, rate: number, seed: number) {
    this.#unit = unit;
    this.#psPerAmount = PS_PER_SECOND / rate;
    this.#random = new Prng(seed);
  }

  depart(length: number): void {
    this.atPs = this.#nextPs;
    const meanPs = amountOf(this.#unit, length) * this.#psPerAmount;
    const unit = ((this.#random.nextInt32() >>> 0) + 0.5) / 4294967296;
    this.#nextPs = this.atPs + Math.round(-Math.log(unit) * meanPs);
  }
}

/** The constant-rate stream cut into pieces of `onPs` with silences of `offPs` between them. */
class OnOffPacer implements Pacer {
  readonly #inner: Pacer;
  readonly #onPs: number;
  readonly #offPs: number;
  atPs = 0;

  constructor(inner: Pacer, onPs: number, offPs: number) {
    if (!Number.isSafeInteger(onPs) || !Number.isSafeInteger(offPs) || onPs < 1 || offPs < 0) {
      throw new RangeError(
        `on/off times of ${onPs} and ${offPs} ps: whole picoseconds, on at least 1, are needed`,
      );
    }
    this.#inner = inner;
    this.#onPs = onPs;
    this.#offPs = offPs;
  }

  depart(length: number): void {
    this.#inner.depart(length);
    const busyPs = this.#inner.atPs;
    this.atPs = busyPs + Math.floor(busyPs / this.#onPs) * this.#offPs;
  }
}
