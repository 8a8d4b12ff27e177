import type { Arena, Publisher } from '@vhostlab/memory';
import { clearRing } from './clear-ring.ts';
import {
  VIRTQ_DESC_F_AVAIL,
  VIRTQ_DESC_F_INDIRECT,
  VIRTQ_DESC_F_NEXT,
  VIRTQ_DESC_F_USED,
  VIRTQ_DESC_F_WRITE,
} from './constants.ts';
import { checkedWritableBytes, DriverBuffers } from './driver-buffers.ts';
import type { DriverPlace, DriverQueue, OutstandingBuffer } from './driver-queue.ts';
import { checkIndirect, writeIndirectTable } from './indirect-table.ts';
import { movedPlace, NOT_PUBLISHED } from './moved-place.ts';
import { notificationData } from './need-event.ts';
import { NO_U16, NO_U32 } from './no-arrays.ts';
import { OrderRing } from './order-ring.ts';
import { packedBase } from './packed-base.ts';
import { PackedEvents } from './packed-events.ts';
import { checkPlace } from './ring-layout.ts';
import type { SegmentList } from './segment-list.ts';
import type { UsedBatch } from './used-batch.ts';
import { VIOLATION_NONE } from './violations.ts';

/** Own copies: an imported constant is loaded and checked at every use, a module's own is folded into the code. */
const WRITE = VIRTQ_DESC_F_WRITE;
const AVAIL = VIRTQ_DESC_F_AVAIL;
const USED = VIRTQ_DESC_F_USED;

const PER_HIGH_WORD = 2 ** -32;
const AVAIL_USED = AVAIL | USED;

/**
 * Driver side of a packed virtqueue (virtio 1.3, 2.8). The flags of the first descriptor of a batch are the one
 * published word; until it is visible that descriptor shows the flags of the lap before, neither available now nor
 * used in the next lap, so nothing depends on whether a publication is stored in the writer's own memory too.
 */
export class PackedDriver implements DriverQueue {
  readonly size: number = 0;
  readonly index: number = 0;

  readonly #arena: Arena;
  readonly #u16: Uint16Array = NO_U16;
  readonly #u32: Uint32Array = NO_U32;
  #publisher: Publisher;
  #place: DriverPlace;
  #descWord: number = 0;
  readonly #inOrder: boolean = false;
  readonly #events: PackedEvents;

  /** By id: see DriverBuffers. */
  readonly #buffers: DriverBuffers;
  /** In order: ids in flight. */
  readonly #order: OrderRing;
  /** Free buffer ids, a ring: taken at `#freeFrom`, given back at `#freeTo`. A broken queue has no free slots. */
  readonly #ids: Uint16Array = NO_U16;
  #freeFrom = 0;
  #freeTo = 0;
  #freeSlots = 0;

  #violation = 0;
  /** Buffers added, published and popped. */
  #added = 0;
  #published = 0;
  #popped = 0;
  /** Next descriptor to write, and AVAIL and USED as they mean available in this lap. */
  #slot = 0;
  #availFlags = AVAIL;
  /** First descriptor of the batch that is not published, its flags, and how many there are. */
  #batchSlot = 0;
  #batchFlags = 0;
  #batchSlots = 0;
  /** Place behind the last published descriptor. */
  #publishedSlot = 0;
  #publishedWrap = 1;
  /** Next descriptor that the device uses, and AVAIL and USED as they mean used in its lap. */
  #usedSlot = 0;
  #usedFlags = AVAIL_USED;
  /** In order: buffers left of the used descriptor that is being taken, its last id and length. */
  #groupLeft = 0;
  #groupId = 0;
  #groupLength = 0;

  constructor(arena: Arena, publisher: Publisher, place: DriverPlace) {
    const size = place.size;
    checkPlace('packed', place, arena.sizeBytes);
    this.size = size;
    this.index = place.index;
    this.#arena = arena;
    this.#u16 = arena.u16;
    this.#u32 = arena.u32;
    this.#publisher = publisher;
    this.#place = place;
    this.#descWord = place.descOffset >>> 2;
    this.#inOrder = place.features.inOrder;
    const { driverOffset, deviceOffset, features } = place;
    this.#events = new PackedEvents(arena, publisher, driverOffset, deviceOffset, size, features.eventIdx);
    this.#buffers = new DriverBuffers(size);
    this.#order = new OrderRing(size);
    this.#ids = new Uint16Array(size);
    this.#start(0, 1);
  }

  get freeSlots(): number {
    return this.#freeSlots;
  }

  get inFlight(): number {
    return this.#added - this.#popped;
  }

  get violation(): number {
    return this.#violation;
  }

  #break(code: number): void {
    this.#violation = code;
    this.#freeSlots = 0;
  }

  addOne(address: number, length: number, writable: boolean, token: number): number {
    if (this.#freeSlots === 0) return -1;
    this.#freeSlots--;
    const size = this.size;
    const from = this.#freeFrom;
    this.#freeFrom = from + 1 === size ? 0 : from + 1;
    const id = this.#ids[from];
    const u32 = this.#u32;
    const slot = this.#slot;
    const w = this.#descWord + slot * 4;
    const flags = (writable ? WRITE : 0) | this.#availFlags;
    u32[w] = address;
    u32[w + 1] = address * PER_HIGH_WORD;
    u32[w + 2] = length;
    u32[w + 3] = id | (this.#batched(slot, flags) << 16);
    if (slot + 1 === size) this.#nextLap();
    else this.#slot = slot + 1;
    const added = this.#added;
    this.#added = added + 1;
    this.#buffers.addPlain(id, token, writable ? length : 0, added);
    if (this.#inOrder) this.#order.push(id);
    return id;
  }

  addChain(segments: SegmentList, token: number): number {
    const count = segments.count;
    const writable = checkedWritableBytes(segments, this.size);
    if (this.#freeSlots < count) return -1;
    const id = this.#takeId();
    for (let i = 0; i < count; i++) {
      const write = segments.writable[i] === 1 ? WRITE : 0;
      const next = i + 1 < count ? VIRTQ_DESC_F_NEXT : 0;
      this.#write(segments.address[i], segments.length[i], id, write | next);
    }
    this.#offer(id, count, writable, token);
    return id;
  }

  addIndirect(segments: SegmentList, token: number): number {
    const count = segments.count;
    const writable = checkedWritableBytes(segments, this.size);
    checkIndirect(this.#place, segments);
    if (this.#freeSlots === 0) return -1;
    const id = this.#takeId();
    const tables = this.#place.tables!;
    const table = id * tables.entries * 16;
    writeIndirectTable(this.#u32, tables.offset + table, segments, false);
    this.#publisher.cover(tables.offset + table, 16 * count);
    this.#write(tables.address + table, 16 * count, id, VIRTQ_DESC_F_INDIRECT);
    this.#offer(id, 1, writable, token);
    return id;
  }

  /** Counts a descriptor of the batch; returns its flags as they are to be written in place. */
  #batched(slot: number, flags: number): number {
    if (this.#batchSlots++ !== 0) return flags;
    this.#batchSlot = slot;
    this.#batchFlags = flags;
    return flags ^ AVAIL_USED;
  }

  #nextLap(): void {
    this.#slot = 0;
    this.#availFlags ^= AVAIL_USED;
  }

  #write(address: number, length: number, id: number, descFlags: number): void {
    const u32 = this.#u32;
    const slot = this.#slot;
    const w = this.#descWord + slot * 4;
    u32[w] = address;
    u32[w + 1] = address * PER_HIGH_WORD;
    u32[w + 2] = length;
    u32[w + 3] = id | (this.#batched(slot, descFlags | this.#availFlags) << 16);
    if (slot + 1 === this.size) this.#nextLap();
    else this.#slot = slot + 1;
  }

  #offer(id: number, slots: number, writable: number, token: number): void {
    const added = this.#added;
    this.#added = added + 1;
    this.#freeSlots -= slots;
    this.#buffers.addChain(id, token, writable, added, slots);
    if (this.#inOrder) this.#order.push(id);
  }

  publish(): void {
    const count = this.#batchSlots;
    if (count === 0) return;
    const publisher = this.#publisher;
    const first = this.#place.descOffset + 16 * this.#batchSlot;
    const straight = Math.min(count, this.size - this.#batchSlot);
    publisher.cover(first, 14);
    if (straight > 1) publisher.cover(first + 16, 16 * (straight - 1));
    if (straight < count) publisher.cover(this.#place.descOffset, 16 * (count - straight));
    this.#batchSlots = 0;
    this.#publishedSlot = this.#slot;
    this.#publishedWrap = this.#availFlags === AVAIL ? 1 : 0;
    this.#published = this.#added;
    this.#events.advanced(count);
    publisher.u16(first + 14, this.#batchFlags);
  }

  shouldKick(): boolean {
    return this.#violation === 0 && this.#events.wanted(this.#publishedSlot, this.#publishedWrap);
  }

  hasUsed(): boolean {
    if (this.#violation !== 0) return false;
    if (this.#groupLeft !== 0) return true;
    const flags = Atomics.load(this.#u16, ((this.#descWord + this.#usedSlot * 4 + 3) << 1) + 1);
    return (flags & AVAIL_USED) === this.#usedFlags && this.#published !== this.#popped;
  }

  popUsed(out: UsedBatch, max: number): number {
    out.count = 0;
    if (!this.hasUsed()) return 0;
    const limit = Math.min(max, out.capacity);
    let n = 0;
    while (n < limit) {
      if (this.#groupLeft !== 0) {
        n += this.#popGroup(out, n, limit);
      } else {
        const room = Math.min(limit - n, this.size - this.#usedSlot, this.#published - this.#popped);
        const singles = this.#popSingles(out, n, room);
        n += singles;
        if (singles === room && room > 0 && n < limit) continue;
      }
      if (n === limit) break;
      if (!this.#popNext(out, n)) break;
      n++;
    }
    out.count = n;
    return n;
  }

  /**
   * Takes up to `room` used descriptors to place `n`, up to the first that is no sound buffer of one descriptor; in order
   * also that stands for more buffers than the oldest.
   */
  #popSingles(out: UsedBatch, n: number, room: number): number {
    const u32 = this.#u32;
    const { token, slot: slots, length: lengths } = out;
    const buffers = this.#buffers;
    const ids = this.#ids;
    const size = this.size;
    const published = this.#published;
    const first = this.#descWord + this.#usedSlot * 4;
    const usedFlags = this.#usedFlags;
    const order = this.#inOrder ? this.#order : null;
    let to = this.#freeTo;
    let i = 0;
    for (; i < room; i++) {
      const w = first + i * 4;
      const word = u32[w + 3];
      const flags = word >>> 16;
      const id = word & 0xffff;
      if ((flags & AVAIL_USED) !== usedFlags || id >= size) break;
      if (order !== null && id !== order.peek(i)) break;
      const length = u32[w + 2] * ((flags & WRITE) >> 1);
      if (!buffers.isPlainUsed(id, length, published)) break;
      ids[to] = id;
      to = to + 1 === size ? 0 : to + 1;
      slots[n + i] = id;
      token[n + i] = buffers.take(id);
      lengths[n + i] = length;
    }
    this.#freeTo = to;
    if (order !== null) order.drop(i);
    this.#took(i);
    return i;
  }

  /** In order: takes buffers of the open group from place `n` on, up to its last or the first of several descriptors. */
  #popGroup(out: UsedBatch, n: number, limit: number): number {
    const { token, slot: slots, length: lengths } = out;
    const buffers = this.#buffers;
    const order = this.#order;
    const ids = this.#ids;
    const size = this.size;
    const count = Math.min(limit - n, this.#groupLeft - 1);
    let to = this.#freeTo;
    let i = 0;
    for (; i < count; i++) {
      const id = order.peek(i);
      const writable = buffers.plainWritable(id);
      if (writable < 0) break;
      ids[to] = id;
      to = to + 1 === size ? 0 : to + 1;
      slots[n + i] = id;
      token[n + i] = buffers.take(id);
      lengths[n + i] = writable;
    }
    this.#freeTo = to;
    this.#groupLeft -= i;
    order.drop(i);
    this.#took(i);
    return i;
  }

  /** Counts `n` buffers of one descriptor as taken back. */
  #took(n: number): void {
    this.#freeSlots += n;
    this.#popped = this.#popped + n;
    this.#moveUsed(n);
  }

  /** Takes the next used buffer, if there is one, to place `n`; false when not, or when it breaks the queue. */
  #popNext(out: UsedBatch, n: number): boolean {
    if (this.#groupLeft === 0 && !this.#openUsed()) return false;
    const id = this.#inOrder ? this.#order.shift() : this.#groupId;
    this.#groupLeft--;
    this.#give(out, n, id, id === this.#groupId ? this.#groupLength : this.#buffers.writable(id));
    return true;
  }

  /** Reads the used descriptor at the used position: whose buffer, which length, in order for how many buffers. */
  #openUsed(): boolean {
    const w = this.#descWord + this.#usedSlot * 4;
    const word = this.#u32[w + 3];
    const flags = word >>> 16;
    if ((flags & AVAIL_USED) !== this.#usedFlags || this.#published === this.#popped) return false;
    const id = word & 0xffff;
    const length = (flags & WRITE) === 0 ? 0 : this.#u32[w + 2];
    const fault = this.#buffers.usedFault(id, length, this.#published);
    if (fault !== VIOLATION_NONE) {
      this.#break(fault);
      return false;
    }
    this.#groupId = id;
    this.#groupLength = length;
    this.#groupLeft = this.#inOrder ? this.#buffers.sequence(id) - this.#popped + 1 : 1;
    return true;
  }

  #give(out: UsedBatch, n: number, id: number, length: number): void {
    out.slot[n] = id;
    out.length[n] = length;
    const slots = this.#buffers.descriptors(id);
    out.token[n] = this.#buffers.take(id);
    this.#ids[this.#freeTo] = id;
    this.#freeTo = this.#freeTo + 1 === this.size ? 0 : this.#freeTo + 1;
    this.#freeSlots += slots;
    this.#popped = this.#popped + 1;
    this.#moveUsed(slots);
  }

  #moveUsed(slots: number): void {
    let slot = this.#usedSlot + slots;
    if (slot >= this.size) {
      slot -= this.size;
      this.#usedFlags ^= AVAIL_USED;
    }
    this.#usedSlot = slot;
  }

  #takeId(): number {
    const at = this.#freeFrom;
    this.#freeFrom = at + 1 === this.size ? 0 : at + 1;
    return this.#ids[at];
  }

  enableInterrupts(): void {
    this.#events.enable(this.#usedSlot, this.#usedFlags >>> 15);
  }

  enableInterruptsAfter(n: number): void {
    const busy = this.size - this.#freeSlots - this.#batchSlots;
    this.#events.enableAfter(this.#usedSlot, this.#usedFlags >>> 15, Math.max(1, Math.min(n, busy)));
  }

  disableInterrupts(): void {
    this.#events.disable();
  }

  notificationData(): number {
    return notificationData(this.index, this.#publishedSlot, this.#publishedWrap);
  }

  outstanding(): OutstandingBuffer[] {
    return this.#buffers.list();
  }

  reset(): void {
    clearRing(this.#arena, this.#publisher, 'packed', this.#place);
    this.#buffers.clear();
    this.#events.reset();
    this.#start(0, 1);
  }

  #start(slot: number, wrap: number): void {
    for (let i = 0; i < this.size; i++) this.#ids[i] = i;
    this.#freeFrom = 0;
    this.#freeTo = 0;
    this.#freeSlots = this.size;
    this.#order.clear();
    this.#violation = 0;
    this.#added = 0;
    this.#published = 0;
    this.#popped = 0;
    this.#slot = slot;
    this.#availFlags = wrap === 1 ? AVAIL : USED;
    this.#batchSlots = 0;
    this.#publishedSlot = slot;
    this.#publishedWrap = wrap;
    this.#usedSlot = slot;
    this.#usedFlags = wrap === 1 ? AVAIL_USED : 0;
    this.#groupLeft = 0;
  }

  moveTo(publisher: Publisher, byBytes: number): void {
    if (this.#batchSlots !== 0) throw new Error(NOT_PUBLISHED);
    this.#publisher = publisher;
    this.#place = movedPlace(this.#place, byBytes);
    this.#descWord = this.#place.descOffset >>> 2;
    this.#events.moveTo(publisher, byBytes);
  }

  saveBase(): number {
    return packedBase(this.#publishedSlot, this.#publishedWrap, this.#usedSlot, this.#usedFlags >>> 15);
  }

  restoreBase(base: number): void {
    if (this.inFlight !== 0) throw new Error(`queue ${this.index} has ${this.inFlight} buffers in flight`);
    if ((base & 0xffff) !== base >>> 16) throw new RangeError(`base ${base} has buffers in flight`);
    if ((base & 0x7fff) >= this.size) throw new RangeError(`base ${base} is outside a ring of ${this.size}`);
    this.#start(base & 0x7fff, (base >>> 15) & 1);
    this.#events.takeOver();
  }
}
