import { NO_U16 } from './no-arrays.ts';

/** Slots in the order of adding, for queues whose buffers come back in that order; at most as many as the queue has. */
export class OrderRing {
  readonly #slots: Uint16Array = NO_U16;
  #newest = 0;
  #oldest = 0;

  constructor(size: number) {
    this.#slots = new Uint16Array(size);
  }

  push(slot: number): void {
    const at = this.#newest;
    this.#slots[at] = slot;
    this.#newest = at + 1 === this.#slots.length ? 0 : at + 1;
  }

  /** Takes the oldest slot. */
  shift(): number {
    const at = this.#oldest;
    this.#oldest = at + 1 === this.#slots.length ? 0 : at + 1;
    return this.#slots[at];
  }

  clear(): void {
    this.#newest = 0;
    this.#oldest = 0;
  }
}
