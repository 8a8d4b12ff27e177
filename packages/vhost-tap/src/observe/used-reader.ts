import type { Arena } from '@vhostlab/memory';
import type { RingToObserve } from './ring-to-observe.ts';

/**
 * Reads published entries of a split ring's used ring. The device writes the place of entry q again only when the
 * driver has offered a whole queue beyond q, so an entry was at rest when the available index, read after it, is not
 * more than the queue size ahead.
 */
export class UsedReader {
  /** The entries of the last `read`, oldest first. */
  readonly ids: Uint32Array;
  readonly lengths: Uint32Array;
  readonly #u16: Uint16Array;
  readonly #u32: Uint32Array;
  readonly #size: number;
  readonly #availIndexWord: number;
  readonly #ringWord: number;
  /** Entries as they were published, by place, and the first index from which on they are known. */
  readonly #keptIds: Uint32Array;
  readonly #keptLengths: Uint32Array;
  #keptFrom = 0;

  constructor(arena: Arena, ring: RingToObserve) {
    this.#u16 = arena.u16;
    this.#u32 = arena.u32;
    this.#size = ring.size;
    this.#availIndexWord = (ring.driverOffset + 2) >>> 1;
    this.#ringWord = (ring.deviceOffset + 4) >>> 2;
    this.ids = new Uint32Array(ring.size);
    this.lengths = new Uint32Array(ring.size);
    this.#keptIds = new Uint32Array(ring.size);
    this.#keptLengths = new Uint32Array(ring.size);
  }

  /** Forgets what was kept: nothing before `used` is known. */
  forget(used: number): void {
    this.#keptFrom = used;
  }

  /**
   * Reads the entries from index `from` to `to` (exclusive), the newest `most` of them; answers how many of the newest
   * were at rest. `keep`: remembers them for `changedIndex`.
   */
  read(from: number, to: number, most: number, keep: boolean): number {
    const u32 = this.#u32;
    const mask = this.#size - 1;
    const steps = (to - from) & 0xffff;
    const count = Math.min(steps, most, this.#size);
    const first = to - count;
    for (let i = 0; i < count; i++) {
      const w = this.#ringWord + (((first + i) & mask) << 1);
      this.ids[i] = u32[w];
      this.lengths[i] = u32[w + 1];
    }
    const lost = Math.min(count, this.#overtaken(first));
    if (lost > 0) {
      this.ids.copyWithin(0, lost, count);
      this.lengths.copyWithin(0, lost, count);
    }
    if (!keep || count < steps || lost > 0) this.#keptFrom = (first + lost) & 0xffff;
    for (let i = 0; i < count - lost; i++) {
      const at = (first + lost + i) & mask;
      this.#keptIds[at] = this.ids[i];
      this.#keptLengths[at] = this.lengths[i];
    }
    return count - lost;
  }

  /** How many entries from index `first` on may have been written again by now. */
  #overtaken(first: number): number {
    const ahead = (Atomics.load(this.#u16, this.#availIndexWord) - first) & 0xffff;
    return Math.max(0, ahead - this.#size);
  }

  /**
   * Index of an entry before `used` that was published, is still at rest, and yet differs from what was read then; -1
   * when there is none among the newest `most`.
   */
  changedIndex(used: number, most: number): number {
    const mask = this.#size - 1;
    const kept = (used - this.#keptFrom) & 0xffff;
    const count = Math.min(kept, most, this.#size);
    let found = -1;
    for (let i = 1; i <= count; i++) {
      const index = (used - i) & 0xffff;
      const at = index & mask;
      const w = this.#ringWord + (at << 1);
      if (this.#u32[w] !== this.#keptIds[at] || this.#u32[w + 1] !== this.#keptLengths[at]) {
        found = index;
        break;
      }
    }
    return found >= 0 && this.#overtaken(found) === 0 ? found : -1;
  }

  /** For people: what entry `index` was and is. */
  describe(index: number): string {
    const at = index & (this.#size - 1);
    const w = this.#ringWord + (at << 1);
    return `used entry ${index} was id ${this.#keptIds[at]}, len ${this.#keptLengths[at]} and is id ${this.#u32[w]}, len ${this.#u32[w + 1]}`;
  }
}
