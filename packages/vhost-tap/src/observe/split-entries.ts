import type { Arena } from '@vhostlab/memory';
import type { Findings } from './findings.ts';
import type { RingToObserve } from './ring-to-observe.ts';
import type { OrderEvidence } from './trust.ts';
import { UsedReader } from './used-reader.ts';

/** Nothing is known about the bytes that a device may write. */
export const UNKNOWN_BYTES = -1;

/** One interval between two samples, and what may be concluded from it. */
export interface SplitInterval {
  used: number;
  avail: number;
  lastUsed: number;
  lastAvail: number;
  nowNs: number;
  /** Few enough steps to look at each. */
  isSlow: boolean;
  /** Too short for an index to have come around. */
  isWrapless: boolean;
}

/**
 * Which heads of a split ring are outstanding, followed from sample to sample. `isExact` says that nothing escaped since
 * the ring was seen empty; while it is false, nothing is concluded from a head that is missing.
 */
export class SplitEntries {
  /** Heads by place in the available ring; known from `headsFrom` to the available index. */
  readonly heads: Uint16Array;
  headsFrom = 0;
  /** By head: bytes that the device may write into the buffer that is outstanding; UNKNOWN_BYTES when not looked at. */
  readonly writable: Float64Array;
  isExact = false;
  /** Called for each buffer whose completion was seen: head, and bytes written. */
  onUsed: ((head: number, length: number) => void) | null = null;
  readonly #outstanding: Int16Array;
  readonly #u16: Uint16Array;
  readonly #size: number;
  readonly #mask: number;
  readonly #availIndexWord: number;
  readonly #usedIndexWord: number;
  readonly #maxEntries: number;
  readonly #inOrder: boolean;
  readonly #findings: Findings;
  readonly #order: OrderEvidence;
  readonly #usedReader: UsedReader;

  constructor(
    arena: Arena,
    ring: RingToObserve,
    findings: Findings,
    order: OrderEvidence,
    maxEntries: number,
  ) {
    this.#u16 = arena.u16;
    this.#size = ring.size;
    this.#mask = ring.size - 1;
    this.#availIndexWord = (ring.driverOffset + 2) >>> 1;
    this.#usedIndexWord = (ring.deviceOffset + 2) >>> 1;
    this.#maxEntries = Math.min(maxEntries, ring.size);
    this.#inOrder = ring.features.has('IN_ORDER');
    this.#findings = findings;
    this.#order = order;
    this.#usedReader = new UsedReader(arena, ring);
    this.heads = new Uint16Array(ring.size);
    this.writable = new Float64Array(ring.size).fill(UNKNOWN_BYTES);
    this.#outstanding = new Int16Array(ring.size);
  }

  /** The ring is empty at `index`: all is known. */
  startEmpty(index: number): void {
    this.isExact = true;
    this.#outstanding.fill(0);
    this.headsFrom = index;
  }

  /** Something escaped: what is outstanding is known no longer. */
  lose(used: number, avail: number): void {
    this.isExact = false;
    this.headsFrom = avail;
    this.writable.fill(UNKNOWN_BYTES);
    this.#usedReader.forget(used);
  }

  /** True when the buffer of `head` is certainly outstanding, as long as no further buffer has been used. */
  isCertain(head: number): boolean {
    return this.isExact && !this.#inOrder && this.#outstanding[head] === 1;
  }

  /** Goes on to the next sample. */
  advance(interval: SplitInterval): void {
    const { used, lastUsed, lastAvail } = interval;
    const { sample } = this.#findings;
    const held = (lastAvail - used) & 0xffff;
    const overlap = held <= this.#size ? Math.min(held, (lastAvail - this.headsFrom) & 0xffff) : 0;
    const isContinuous =
      interval.isSlow && this.#isSame(lastAvail, overlap) && (interval.isWrapless || overlap > 0);
    if (!isContinuous) this.lose(lastUsed, lastAvail);
    else if (interval.isWrapless) this.#lookForChanges(lastUsed);
    const read = this.#usedReader.read(lastUsed, used, this.#maxEntries, isContinuous);
    sample.usedMissed = sample.usedSteps - read;
    if (read < sample.usedSteps) this.isExact = false;
    if (this.#inOrder) this.#takeInOrder(interval, read);
    else this.#take(interval, read);
    this.#offer(interval, isContinuous);
  }

  /** True when the newest `count` places before `end` hold the heads that they held. */
  #isSame(end: number, count: number): boolean {
    for (let i = 1; i <= Math.min(count, this.#maxEntries); i++) {
      const at = (end - i) & this.#mask;
      if (this.#u16[this.#availIndexWord + 1 + at] !== this.heads[at]) return false;
    }
    return true;
  }

  #lookForChanges(lastUsed: number): void {
    const changed = this.#usedReader.changedIndex(lastUsed, this.#maxEntries);
    if (changed < 0) return;
    this.#findings.say('used-entry-changed', this.#usedReader.describe(changed));
    this.#usedReader.forget(lastUsed);
  }

  /** Used entries of a device that may use buffers in any order. */
  #take(interval: SplitInterval, read: number): void {
    const { ids, lengths } = this.#usedReader;
    const size = this.#size;
    for (let i = 0; i < read; i++) {
      const id = ids[i];
      const index = (interval.used - read + i) & 0xffff;
      if (id >= size) {
        this.#findings.say('used-id-range', `used entry ${index} has id ${id} in a queue of ${size}`);
        this.isExact = false;
        continue;
      }
      if (this.#isKnown(interval, index)) {
        const choice = (interval.lastAvail - index) & 0xffff;
        this.#order.note(this.heads[index & this.#mask] === id, choice);
      }
      if (!this.isExact) continue;
      if (this.#outstanding[id] === 1) {
        this.checkLength(index, id, lengths[i]);
        this.onUsed?.(id, lengths[i]);
      }
      this.#outstanding[id]--;
    }
  }

  /** True when the head at `index` of the available ring was read before its buffer was used. */
  #isKnown({ lastUsed, lastAvail }: SplitInterval, index: number): boolean {
    const known = (lastAvail - index) & 0xffff;
    return (
      known > 0 &&
      known <= ((lastAvail - this.headsFrom) & 0xffff) &&
      known <= ((lastAvail - lastUsed) & 0xffff)
    );
  }

  /** With IN_ORDER a used entry stands at the place of a batch's first buffer and names its last. */
  #takeInOrder(interval: SplitInterval, read: number): void {
    const { used, lastUsed, lastAvail } = interval;
    const { ids, lengths } = this.#usedReader;
    const steps = (used - lastUsed) & 0xffff;
    if (read < steps || !this.#isKnown(interval, lastUsed)) return;
    const known = Math.min(steps, (lastAvail - lastUsed) & 0xffff);
    for (let at = 0; at < known; ) {
      const index = (lastUsed + at) & 0xffff;
      let last = at;
      while (last < known && this.heads[(lastUsed + last) & this.#mask] !== ids[at]) last++;
      if (last === known) {
        if (known < steps) return;
        const text = `used entry ${index} has id ${ids[at]}, which is none of the ${known - at} buffers next in order`;
        this.#findings.say(ids[at] >= this.#size ? 'used-id-range' : 'used-id-unknown', text);
        return;
      }
      this.checkLength(index, ids[at], lengths[at]);
      if (last === at) this.onUsed?.(ids[at], lengths[at]);
      at = last + 1;
    }
  }

  /** Compares a used length with the room of the buffer, where that is known. */
  checkLength(index: number, head: number, length: number): void {
    const room = this.writable[head];
    if (room === UNKNOWN_BYTES || length <= room) return;
    const text = `used entry ${index} says ${length} bytes in the buffer of head ${head}, which has room for ${room}`;
    this.#findings.say('used-length', text);
  }

  /** Takes in new heads that are still outstanding, and settles the interval. */
  #offer(interval: SplitInterval, isContinuous: boolean): void {
    const { used, avail, lastAvail } = interval;
    const outstanding = (avail - used) & 0xffff;
    const steps = isContinuous ? (avail - lastAvail) & 0xffff : outstanding;
    const count = Math.min(steps, outstanding, this.#maxEntries);
    const first = (avail - count) & 0xffff;
    for (let i = 0; i < count; i++) {
      const at = (first + i) & this.#mask;
      this.heads[at] = this.#u16[this.#availIndexWord + 1 + at];
    }
    const ahead = (avail - Atomics.load(this.#u16, this.#usedIndexWord)) & 0xffff;
    const resting = ahead > this.#size ? 0 : Math.min(count, ahead);
    const known = (avail - resting) & 0xffff;
    if (!isContinuous || known !== lastAvail) this.headsFrom = known;
    if (resting < count) this.isExact = false;
    for (let i = 0; i < resting; i++) this.#offerOne((known + i) & 0xffff);
    this.#settle(interval, steps - count);
  }

  #offerOne(index: number): void {
    const head = this.heads[index & this.#mask];
    const size = this.#size;
    if (head >= size) {
      this.#findings.say('avail-head-range', `avail entry ${index} is ${head} in a queue of ${size}`);
      this.isExact = false;
      return;
    }
    // with IN_ORDER a head is not followed: entries of a batch name its last one only
    if (!this.#inOrder && ++this.#outstanding[head] > 1 && this.isExact) {
      this.#findings.say('avail-head-busy', `avail entry ${index} offers head ${head}, which is outstanding`);
    }
    this.writable[head] = UNKNOWN_BYTES;
  }

  /**
   * Sets every count to 0 or 1. `unseen` buffers were offered and used between the samples: so many completions of heads
   * that were not outstanding are explained by them, and no more.
   */
  #settle({ used, avail }: SplitInterval, unseen: number): void {
    if (this.#inOrder || !this.isExact) return;
    const outstanding = this.#outstanding;
    let deficits = 0;
    let strange = 0;
    for (let head = 0; head < outstanding.length; head++) {
      const count = outstanding[head];
      if (count >= 0 && count <= 1) continue;
      if (count < 0) {
        deficits -= count;
        strange = head;
      }
      outstanding[head] = count < 0 ? 0 : 1;
    }
    if (deficits > unseen) {
      const text = `head ${strange} was used up to index ${used}, but it was not outstanding (avail.idx ${avail})`;
      this.#findings.say('used-id-unknown', text);
    } else if (deficits < unseen) this.isExact = false;
  }

  /**
   * A second look under load: buffers used since index `used` of this sample, compared with the heads read before. Tells
   * whether the device keeps the order, and checks lengths.
   */
  lookAgain(used: number, avail: number): void {
    const now = Atomics.load(this.#u16, this.#usedIndexWord);
    const ahead = (avail - used) & 0xffff;
    const steps = Math.min((now - used) & 0xffff, ahead, this.#maxEntries);
    const unknown = (avail - this.headsFrom) & 0xffff;
    if (steps === 0 || unknown < ahead || this.#inOrder) return;
    const to = (used + steps) & 0xffff;
    const read = this.#usedReader.read(used, to, this.#maxEntries, false);
    for (let i = 0; i < read; i++) {
      const index = (to - read + i) & 0xffff;
      const head = this.heads[index & this.#mask];
      const isOldest = this.#usedReader.ids[i] === head;
      this.#order.note(isOldest, (avail - index) & 0xffff);
      if (isOldest) this.checkLength(index, head, this.#usedReader.lengths[i]);
    }
    this.#usedReader.forget(used);
  }
}
