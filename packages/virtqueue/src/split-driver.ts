import type { Arena, Publisher } from '@vhostlab/memory';
import { clearRing } from './clear-ring.ts';
import { VIRTQ_DESC_F_INDIRECT, VIRTQ_DESC_F_NEXT, VIRTQ_DESC_F_WRITE } from './constants.ts';
import { checkedWritableBytes, DriverBuffers } from './driver-buffers.ts';
import type { DriverPlace, DriverQueue, OutstandingBuffer } from './driver-queue.ts';
import { checkIndirect, writeIndirectTable } from './indirect-table.ts';
import { movedPlace, NOT_PUBLISHED } from './moved-place.ts';
import { notificationData } from './need-event.ts';
import { NO_U16, NO_U32 } from './no-arrays.ts';
import { checkPlace } from './ring-layout.ts';
import type { SegmentList } from './segment-list.ts';
import { SplitEvents } from './split-events.ts';
import type { UsedBatch } from './used-batch.ts';
import { VIOLATION_USED_ID, VIOLATION_USED_JUMP } from './violations.ts';

/** Own copies: an imported constant is loaded and checked at every use, a module's own is folded into the code. */
const NEXT = VIRTQ_DESC_F_NEXT;
const WRITE = VIRTQ_DESC_F_WRITE;
const INDIRECT = VIRTQ_DESC_F_INDIRECT;

const PER_HIGH_WORD = 2 ** -32;

/** Driver side of a split virtqueue (virtio 1.3, 2.7). */
export class SplitDriver implements DriverQueue {
  readonly size: number = 0;
  readonly index: number = 0;

  readonly #arena: Arena;
  readonly #u16: Uint16Array = NO_U16;
  readonly #u32: Uint32Array = NO_U32;
  #publisher: Publisher;
  #place: DriverPlace;
  #descWord: number = 0;
  #availWord: number = 0;
  #usedIdxWord: number = 0;
  #usedWord: number = 0;
  readonly #inOrder: boolean = false;
  readonly #mask: number = 0;
  readonly #events: SplitEvents;

  /** By head: see DriverBuffers. */
  readonly #buffers: DriverBuffers;
  /** Next descriptor of a chain, as written; the table itself is never read. */
  readonly #next: Uint16Array = NO_U16;
  /** In order: heads by available index. */
  readonly #order: Uint16Array = NO_U16;
  /**
   * Free descriptors, a ring: taken at `#taken`, given back at `#given`, both counting on for ever. A broken queue has
   * none.
   */
  readonly #free: Uint16Array = NO_U16;
  #taken = 0;
  #given = 0;

  #violation = 0;
  /** Buffers added and published; modulo 2^16 they are the ring's indices. */
  #added = 0;
  #published = 0;
  /** Next used entry to take, modulo 2^16. */
  #lastUsed = 0;
  /** Descriptors written since the last cover: `[coverFrom, coverTo)`. */
  #coverFrom = 0;
  #coverTo = 0;
  /** In order: buffers left of the used entry that is being taken, its last slot and length. */
  #groupLeft = 0;
  #groupSlot = 0;
  #groupLength = 0;

  constructor(arena: Arena, publisher: Publisher, place: DriverPlace) {
    const size = place.size;
    checkPlace('split', place, arena.sizeBytes);
    this.size = size;
    this.index = place.index;
    this.#arena = arena;
    this.#u16 = arena.u16;
    this.#u32 = arena.u32;
    this.#publisher = publisher;
    this.#place = place;
    this.#locate();
    this.#inOrder = place.features.inOrder;
    this.#mask = size - 1;
    this.#events = new SplitEvents(
      arena,
      publisher,
      { flagsOffset: place.driverOffset, eventOffset: place.driverOffset + 4 + 2 * size },
      { flagsOffset: place.deviceOffset, eventOffset: place.deviceOffset + 4 + 8 * size },
      place.features.eventIdx,
    );
    this.#buffers = new DriverBuffers(size);
    this.#next = new Uint16Array(size);
    this.#order = new Uint16Array(place.features.inOrder ? size : 0);
    this.#free = new Uint16Array(size);
    this.#start(0);
  }

  #locate(): void {
    const { descOffset, driverOffset, deviceOffset } = this.#place;
    this.#descWord = descOffset >>> 2;
    this.#availWord = (driverOffset + 4) >>> 1;
    this.#usedIdxWord = (deviceOffset + 2) >>> 1;
    this.#usedWord = (deviceOffset + 4) >>> 2;
  }

  get freeSlots(): number {
    return this.#given - this.#taken;
  }

  get inFlight(): number {
    return (this.#added - this.#lastUsed) & 0xffff;
  }

  get violation(): number {
    return this.#violation;
  }

  #break(code: number): void {
    this.#violation = code;
    this.#given = this.#taken;
  }

  addOne(address: number, length: number, writable: boolean, token: number): number {
    const taken = this.#taken;
    if (taken === this.#given) return -1;
    this.#taken = taken + 1;
    const mask = this.#mask;
    const head = this.#free[taken & mask];
    const u32 = this.#u32;
    const w = this.#descWord + head * 4;
    u32[w] = address;
    u32[w + 1] = address * PER_HIGH_WORD;
    u32[w + 2] = length;
    u32[w + 3] = writable ? WRITE : 0;
    const added = this.#added;
    this.#added = added + 1;
    this.#u16[this.#availWord + (added & mask)] = head;
    this.#buffers.addPlain(head, token, writable ? length : 0, added);
    if (this.#inOrder) this.#order[added & mask] = head;
    if (head !== this.#coverTo) this.#coverDescriptors(head);
    this.#coverTo = head + 1;
    return head;
  }

  addChain(segments: SegmentList, token: number): number {
    const count = segments.count;
    const writable = checkedWritableBytes(segments, this.size);
    if (this.freeSlots < count) return -1;
    const head = this.#takeFree();
    let desc = head;
    for (let i = 0; i < count; i++) {
      const flags = segments.writable[i] === 1 ? WRITE : 0;
      if (i + 1 === count) {
        this.#write(desc, segments.address[i], segments.length[i], flags);
      } else {
        const next = this.#takeFree();
        this.#next[desc] = next;
        const flagsNext = flags | NEXT | (next << 16);
        this.#write(desc, segments.address[i], segments.length[i], flagsNext);
        desc = next;
      }
    }
    this.#offer(head, count, writable, token);
    return head;
  }

  addIndirect(segments: SegmentList, token: number): number {
    const count = segments.count;
    const writable = checkedWritableBytes(segments, this.size);
    checkIndirect(this.#place, segments);
    if (this.freeSlots === 0) return -1;
    const head = this.#takeFree();
    const tables = this.#place.tables!;
    const table = head * tables.entries * 16;
    writeIndirectTable(this.#u32, tables.offset + table, segments, true);
    this.#publisher.cover(tables.offset + table, 16 * count);
    this.#write(head, tables.address + table, 16 * count, INDIRECT);
    this.#offer(head, 1, writable, token);
    return head;
  }

  #takeFree(): number {
    return this.#free[this.#taken++ & this.#mask];
  }

  /** Writes one descriptor; `flagsNext` is flags and, in the high half, next. */
  #write(desc: number, address: number, length: number, flagsNext: number): void {
    if (desc !== this.#coverTo) this.#coverDescriptors(desc);
    this.#coverTo = desc + 1;
    const u32 = this.#u32;
    const w = this.#descWord + desc * 4;
    u32[w] = address;
    u32[w + 1] = address * PER_HIGH_WORD;
    u32[w + 2] = length;
    u32[w + 3] = flagsNext;
  }

  /** Covers the descriptors written so far; the next ones start at `from`. */
  #coverDescriptors(from: number): void {
    const count = this.#coverTo - this.#coverFrom;
    if (count > 0) this.#publisher.cover(this.#place.descOffset + 16 * this.#coverFrom, 16 * count);
    this.#coverFrom = from;
    this.#coverTo = from;
  }

  #offer(head: number, descriptors: number, writable: number, token: number): void {
    const added = this.#added;
    this.#added = added + 1;
    this.#u16[this.#availWord + (added & this.#mask)] = head;
    this.#buffers.addChain(head, token, writable, added, descriptors);
    if (this.#inOrder) this.#order[added & this.#mask] = head;
  }

  publish(): void {
    const count = this.#added - this.#published;
    if (count === 0) return;
    const publisher = this.#publisher;
    this.#coverDescriptors(this.#coverTo);
    const ring = this.#place.driverOffset + 4;
    const first = this.#published & this.#mask;
    const straight = Math.min(count, this.size - first);
    publisher.cover(ring + 2 * first, 2 * straight);
    if (straight < count) publisher.cover(ring, 2 * (count - straight));
    this.#published = this.#added;
    this.#events.advanced(count);
    publisher.u16(this.#place.driverOffset + 2, this.#published & 0xffff);
  }

  shouldKick(): boolean {
    return this.#violation === 0 && this.#events.wanted(this.#published & 0xffff);
  }

  #usedIdx(): number {
    return Atomics.load(this.#u16, this.#usedIdxWord);
  }

  hasUsed(): boolean {
    if (this.#violation !== 0) return false;
    return this.#groupLeft !== 0 || this.#usedIdx() !== this.#lastUsed;
  }

  popUsed(out: UsedBatch, max: number): number {
    out.count = 0;
    if (this.#violation !== 0) return 0;
    const visible = (this.#usedIdx() - this.#lastUsed) & 0xffff;
    if (visible === 0) return 0;
    if (visible > ((this.#published - this.#lastUsed) & 0xffff)) {
      this.#break(VIOLATION_USED_JUMP);
      return 0;
    }
    const limit = Math.min(visible, max, out.capacity);
    let n = 0;
    while (n < limit) {
      n += this.#groupLeft === 0 ? this.#popSingles(out, n, limit) : this.#popGroup(out, n, limit);
      if (n === limit) break;
      if (!(this.#inOrder ? this.#popOldest(out, n, visible - n) : this.#popChain(out, n))) break;
      n++;
    }
    out.count = n;
    this.#events.moved(this.#lastUsed);
    return n;
  }

  /**
   * Takes used entries from place `n` on up to the first that is no sound buffer of one descriptor; in order also that
   * stands for more buffers than the oldest.
   */
  #popSingles(out: UsedBatch, n: number, limit: number): number {
    const u32 = this.#u32;
    const { token, slot: slots, length: lengths } = out;
    const buffers = this.#buffers;
    const free = this.#free;
    const mask = this.#mask;
    const published = this.#published;
    const ring = this.#usedWord;
    const used = this.#lastUsed;
    const given = this.#given;
    const order = this.#inOrder ? this.#order : null;
    const count = limit - n;
    let i = 0;
    for (; i < count; i++) {
      const w = ring + (((used + i) & mask) << 1);
      const slot = u32[w];
      const length = u32[w + 1];
      if (slot > mask) break;
      if (order !== null && slot !== order[(used + i) & mask]) break;
      if (!buffers.isPlainUsed(slot, length, published)) break;
      free[(given + i) & mask] = slot;
      slots[n + i] = slot;
      token[n + i] = buffers.take(slot);
      lengths[n + i] = length;
    }
    this.#given = given + i;
    this.#lastUsed = (used + i) & 0xffff;
    return i;
  }

  /** In order: takes buffers of the open group from place `n` on, up to its last or the first of several descriptors. */
  #popGroup(out: UsedBatch, n: number, limit: number): number {
    const { token, slot: slots, length: lengths } = out;
    const buffers = this.#buffers;
    const order = this.#order;
    const free = this.#free;
    const mask = this.#mask;
    const used = this.#lastUsed;
    const given = this.#given;
    const count = Math.min(limit - n, this.#groupLeft - 1);
    let i = 0;
    for (; i < count; i++) {
      const slot = order[(used + i) & mask];
      const writable = buffers.plainWritable(slot);
      if (writable < 0) break;
      free[(given + i) & mask] = slot;
      slots[n + i] = slot;
      token[n + i] = buffers.take(slot);
      lengths[n + i] = writable;
    }
    this.#groupLeft -= i;
    this.#given = given + i;
    this.#lastUsed = (used + i) & 0xffff;
    return i;
  }

  /** Takes the next used entry, whatever it is, to place `n`; false when it breaks the queue. */
  #popChain(out: UsedBatch, n: number): boolean {
    const w = this.#usedWord + ((this.#lastUsed & this.#mask) << 1);
    const slot = this.#u32[w];
    const length = this.#u32[w + 1];
    const fault = this.#buffers.usedFault(slot, length, this.#published);
    if (fault !== 0) {
      this.#break(fault);
      return false;
    }
    this.#give(out, n, slot, length);
    return true;
  }

  /** In order: takes the oldest buffer, which the current used entry covers; `visible` buffers are used. */
  #popOldest(out: UsedBatch, n: number, visible: number): boolean {
    const oldest = this.#order[this.#lastUsed & this.#mask];
    if (this.#groupLeft === 0) {
      const w = this.#usedWord + ((this.#lastUsed & this.#mask) << 1);
      const slot = this.#u32[w];
      const length = this.#u32[w + 1];
      let fault = this.#buffers.usedFault(slot, length, this.#published);
      const last = fault === 0 ? slot : oldest;
      const buffers = this.#buffers.sequence(last) - this.#buffers.sequence(oldest) + 1;
      if (fault === 0 && buffers > visible) fault = VIOLATION_USED_ID;
      if (fault !== 0) {
        this.#break(fault);
        return false;
      }
      this.#groupLeft = buffers;
      this.#groupSlot = slot;
      this.#groupLength = length;
    }
    this.#groupLeft--;
    this.#give(
      out,
      n,
      oldest,
      oldest === this.#groupSlot ? this.#groupLength : this.#buffers.writable(oldest),
    );
    return true;
  }

  /** Gives buffer `slot` back to the caller and its descriptors to the free ones. */
  #give(out: UsedBatch, n: number, slot: number, length: number): void {
    out.slot[n] = slot;
    out.length[n] = length;
    const descriptors = this.#buffers.descriptors(slot);
    out.token[n] = this.#buffers.take(slot);
    let desc = slot;
    this.#free[this.#given++ & this.#mask] = desc;
    for (let i = 1; i < descriptors; i++) {
      desc = this.#next[desc];
      this.#free[this.#given++ & this.#mask] = desc;
    }
    this.#lastUsed = (this.#lastUsed + 1) & 0xffff;
  }

  enableInterrupts(): void {
    this.#events.enable(this.#lastUsed);
  }

  enableInterruptsAfter(n: number): void {
    const published = (this.#published - this.#lastUsed) & 0xffff;
    const after = Math.max(1, Math.min(n, published));
    this.#events.enable((this.#lastUsed + after - 1) & 0xffff);
  }

  disableInterrupts(): void {
    this.#events.disable(this.#lastUsed, this.#usedIdx());
  }

  notificationData(): number {
    return notificationData(this.index, this.#published & 0x7fff, (this.#published >>> 15) & 1);
  }

  outstanding(): OutstandingBuffer[] {
    return this.#buffers.list();
  }

  reset(): void {
    clearRing(this.#arena, this.#publisher, 'split', this.#place);
    this.#buffers.clear();
    this.#events.reset();
    this.#start(0);
  }

  #start(index: number): void {
    // in order, descriptors are taken in the order of the available ring's places, wherever that begins
    for (let i = 0; i < this.size; i++) this.#free[i] = (index + i) & this.#mask;
    this.#taken = 0;
    this.#given = this.size;
    this.#violation = 0;
    this.#added = index;
    this.#published = index;
    this.#lastUsed = index;
    this.#coverFrom = 0;
    this.#coverTo = 0;
    this.#groupLeft = 0;
  }

  moveTo(publisher: Publisher, byBytes: number): void {
    if (this.#added !== this.#published) throw new Error(NOT_PUBLISHED);
    this.#publisher = publisher;
    this.#place = movedPlace(this.#place, byBytes);
    this.#locate();
    this.#events.moveTo(publisher, byBytes);
  }

  saveBase(): number {
    return ((this.#published & 0xffff) | (this.#lastUsed << 16)) >>> 0;
  }

  restoreBase(base: number): void {
    if (this.inFlight !== 0) throw new Error(`queue ${this.index} has ${this.inFlight} buffers in flight`);
    if ((base & 0xffff) !== ((base >>> 16) & 0xffff))
      throw new RangeError(`base ${base} has buffers in flight`);
    this.#start(base & 0xffff);
    this.#events.takeOver();
  }
}
