const FREE = 0;
const POPPED = 1;
const COMPLETED = 2;

/**
 * What a device remembers of the buffers it has taken, by slot (head descriptor or buffer id), in its own memory:
 * ring words can be changed by the driver at any time and are never read back.
 */
export class DeviceBuffers {
  readonly size: number;
  /** Ring descriptors that the buffer takes. */
  readonly descriptors: Uint16Array;
  /** Bytes that the device may write, and those it says it has written. */
  readonly writable: Float64Array;
  readonly written: Float64Array;
  readonly #state: Uint8Array;
  /** Slots in the order of popping, a ring that `#newest` moves through. */
  readonly #order: Uint16Array;
  #newest = 0;
  /** In order: place of the oldest buffer that is not flushed. */
  #oldest = 0;
  /** Popped and not flushed; completed ones included. */
  inFlight = 0;

  constructor(size: number) {
    this.size = size;
    this.descriptors = new Uint16Array(size);
    this.writable = new Float64Array(size);
    this.written = new Float64Array(size);
    this.#state = new Uint8Array(size);
    this.#order = new Uint16Array(size);
  }

  isBusy(slot: number): boolean {
    return this.#state[slot] !== FREE;
  }

  add(slot: number, descriptors: number, writable: number): void {
    this.#state[slot] = POPPED;
    this.descriptors[slot] = descriptors;
    this.writable[slot] = writable;
    const at = this.#newest;
    this.#order[at] = slot;
    this.#newest = at + 1 === this.size ? 0 : at + 1;
    this.inFlight++;
  }

  /** Forgets the buffer popped last and returns its slot; throws when it is not in flight. */
  takeBack(): number {
    const at = this.#newest === 0 ? this.size - 1 : this.#newest - 1;
    const slot = this.#order[at];
    if (this.inFlight === 0 || this.#state[slot] !== POPPED) {
      throw new Error(`the chain popped last is not in flight (slot ${slot})`);
    }
    this.#newest = at;
    this.#state[slot] = FREE;
    this.inFlight--;
    return slot;
  }

  /** Marks `slot` as completed; throws when it is not in flight. */
  complete(slot: number, written: number): void {
    if (this.#state[slot] !== POPPED) throw new Error(`slot ${slot} is not in flight`);
    this.#state[slot] = COMPLETED;
    this.written[slot] = written;
  }

  /** Any order: `slot` leaves. */
  remove(slot: number): void {
    this.#state[slot] = FREE;
    this.inFlight--;
  }

  /** In order: slot of the oldest buffer when it is completed, else -1. */
  oldestCompleted(): number {
    if (this.inFlight === 0) return -1;
    const slot = this.#order[this.#oldest];
    return this.#state[slot] === COMPLETED ? slot : -1;
  }

  /** In order: the oldest buffer leaves. */
  removeOldest(): void {
    this.remove(this.#order[this.#oldest]);
    this.#oldest = this.#oldest + 1 === this.size ? 0 : this.#oldest + 1;
  }

  clear(): void {
    this.#state.fill(FREE);
    this.#newest = 0;
    this.#oldest = 0;
    this.inFlight = 0;
  }
}

/** Counters of a queue that has done nothing. */
export function zeroCounters() {
  return { chains: 0, chainFaults: 0, used: 0, usedEntries: 0, usedPublications: 0, violations: 0 };
}
