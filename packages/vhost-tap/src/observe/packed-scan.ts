import type { Arena } from '@vhostlab/memory';
import { VIRTQ_DESC_F_AVAIL, VIRTQ_DESC_F_NEXT, VIRTQ_DESC_F_USED } from '@vhostlab/virtqueue';
import type { RingToObserve } from './ring-to-observe.ts';

const AVAIL_USED = VIRTQ_DESC_F_AVAIL | VIRTQ_DESC_F_USED;
const ATTEMPTS = 4;

/**
 * A copy of ids and flags of a packed ring, and what follows from AVAIL and USED alone. Every descriptor's AVAIL bit tells
 * in which of two laps it was written last, by driver or device, so the place where the bit changes is the driver's.
 * A place is a number from 0 to 2 * size - 1: below size in laps with wrap counter 1.
 */
export class PackedScan {
  /** Id and, in the high half, flags of each descriptor. */
  readonly words: Uint32Array;
  /** The driver's place, or -1 when descriptors that are written and not yet available hide it. */
  avail = -1;
  readonly size: number;
  readonly #u32: Uint32Array;
  readonly #word: number;

  constructor(arena: Arena, ring: RingToObserve) {
    this.size = ring.size;
    this.words = new Uint32Array(ring.size);
    this.#u32 = arena.u32;
    this.#word = (ring.descOffset >>> 2) + 3;
  }

  /** Reads the ring. */
  scan(): void {
    for (let i = 0; i < ATTEMPTS; i++) {
      this.#copy();
      this.avail = this.#place();
      if (this.avail >= 0) return;
    }
  }

  #copy(): void {
    const { words } = this;
    const u32 = this.#u32;
    for (let slot = 0, w = this.#word; slot < words.length; slot++, w += 4) words[slot] = u32[w];
  }

  #place(): number {
    const { words, size } = this;
    const first = (words[0] >>> 23) & 1;
    let change = size;
    for (let slot = 1; slot < size; slot++) {
      const bit = (words[slot] >>> 23) & 1;
      if (change === size) {
        if (bit !== first) change = slot;
      } else if (bit === first) return -1;
    }
    // no change: the lap has just begun, with the other counter
    if (change === size) return first === 1 ? size : 0;
    return first === 1 ? change : size + change;
  }

  /** The descriptor of a place. */
  slot(place: number): number {
    return place >= this.size ? place - this.size : place;
  }

  /** The wrap counter of a place. */
  wrap(place: number): number {
    return place < this.size ? 1 : 0;
  }

  /** `place` moved by `steps`, which may be negative, at most twice the size. */
  move(place: number, steps: number): number {
    const around = 2 * this.size;
    const to = place + steps;
    return to < 0 ? to + around : to >= around ? to - around : to;
  }

  /** Steps from one place on to another, 0 to 2 * size - 1. */
  distance(from: number, to: number): number {
    return to >= from ? to - from : to - from + 2 * this.size;
  }

  flags(place: number): number {
    return this.words[this.slot(place)] >>> 16;
  }

  /** As copied: the descriptor is available in the lap of `place`. */
  isAvailable(place: number): boolean {
    const expected = place < this.size ? VIRTQ_DESC_F_AVAIL : VIRTQ_DESC_F_USED;
    return (this.flags(place) & AVAIL_USED) === expected;
  }

  /** As copied: the descriptor is used in the lap of `place`. */
  isUsed(place: number): boolean {
    return (this.flags(place) & AVAIL_USED) === (place < this.size ? AVAIL_USED : 0);
  }

  /** The same from memory, now. */
  isUsedNow(place: number): boolean {
    return this.usedIdNow(place) >= 0;
  }

  /** Id of the descriptor when it is used now, else -1. */
  usedIdNow(place: number): number {
    const word = Atomics.load(this.#u32, this.#word + 4 * this.slot(place));
    const isUsed = ((word >>> 16) & AVAIL_USED) === (place < this.size ? AVAIL_USED : 0);
    return isUsed ? word & 0xffff : -1;
  }

  /** First place after the newest used descriptor; everything from there to the driver's place shows as available. */
  runStart(): number {
    let place = this.avail;
    for (let i = 0; i < this.size; i++) {
      const before = this.move(place, -1);
      if (!this.isAvailable(before)) break;
      place = before;
    }
    return place;
  }

  /**
   * First place after `start` (a `runStart`) where a buffer certainly begins: what follows a used descriptor may be the
   * rest of the list that it stands for, or with IN_ORDER of the batch.
   */
  certainStart(start: number, inOrder: boolean): number {
    const length = this.distance(start, this.avail);
    if (length === 0) return start;
    // the used descriptor that a batch was reported with is written again already: nobody knows how long the batch was
    if (inOrder && length === this.size) return this.avail;
    const lastUsed = this.words[this.slot(this.move(start, -1))] & 0xffff;
    let certain = -1;
    let place = start;
    for (let i = 0; i < length; i++) {
      const word = this.words[this.slot(place)];
      place = this.move(place, 1);
      if (((word >>> 16) & VIRTQ_DESC_F_NEXT) !== 0) continue;
      if (certain < 0) certain = place;
      if (!inOrder) break;
      if ((word & 0xffff) === lastUsed) return place;
    }
    return certain < 0 ? this.avail : certain;
  }

  /** True when all descriptors show as available and have NEXT: a list in it has no end. */
  get isEndless(): boolean {
    let place = this.avail;
    for (let i = 0; i < this.size; i++) {
      place = this.move(place, -1);
      if (!this.isAvailable(place) || (this.flags(place) & VIRTQ_DESC_F_NEXT) === 0) return false;
    }
    return this.avail >= 0;
  }

  /** True when no descriptor shows as available. */
  get isAllUsed(): boolean {
    for (const word of this.words) {
      const both = (word >>> 16) & AVAIL_USED;
      if (both !== 0 && both !== AVAIL_USED) return false;
    }
    return true;
  }
}
