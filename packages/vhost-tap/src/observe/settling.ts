import type { RingRuleCode } from './rules.ts';

/** How long a suspicion has to hold: longer than a thread that is ready to run waits for its processor. */
const SETTLE_NS = 100e6;
/** Suspicions kept at a time. */
const ROOM = 32;

/** A fault that was seen at a place, and may be a half-written descriptor. */
export interface Suspicion {
  readonly place: number;
  readonly code: RingRuleCode;
  /** Number of the words read: the same as long as nobody writes. */
  readonly print: number;
  readonly sinceNs: number;
}

/** Faults that only time tells from a device that was interrupted while it prepared a used descriptor. */
export class Settling {
  readonly #waiting: Suspicion[] = [];

  get places(): readonly Suspicion[] {
    return this.#waiting;
  }

  has(place: number): boolean {
    return this.#waiting.some((each) => each.place === place);
  }

  add(suspicion: Suspicion): void {
    if (this.#waiting.length < ROOM && !this.has(suspicion.place)) this.#waiting.push(suspicion);
  }

  isSettled({ sinceNs }: Suspicion, nowNs: number): boolean {
    return nowNs - sinceNs >= SETTLE_NS;
  }

  drop(suspicion: Suspicion): void {
    this.#waiting.splice(this.#waiting.indexOf(suspicion), 1);
  }
}
