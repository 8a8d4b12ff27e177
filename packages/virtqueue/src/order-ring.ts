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

  /** The slot `behind` places behind the oldest; there must be one. @hot */
  peek(behind: number): number {
    const at = this.#oldest + behind;
    const size = this.#slots.length;
    return this.#slots[at < size ? at : at - size];
  }

  /** Takes the `count` oldest slots. */
  drop(count: number): void {
    const at = this.#oldest + count;
    const size = this.#slots.length;
    this.#oldest = at < size ? at : at - size;
  }

  clear(): void {
    this.#newest = 0;
    this.#oldest = 0;
  }
}
