import type { Arena, Publisher } from '@vhostlab/memory';
import {
  VIRTQ_DESC_F_AVAIL,
  VIRTQ_DESC_F_INDIRECT,
  VIRTQ_DESC_F_NEXT,
  VIRTQ_DESC_F_USED,
  VIRTQ_DESC_F_WRITE,
} from './constants.ts';
import { checkedWritableBytes, DriverBuffers, indirectTableOffset } from './driver-buffers.ts';
import type { DriverPlace, DriverQueue, OutstandingBuffer } from './driver-queue.ts';
import { notificationData } from './need-event.ts';
import { PackedEvents } from './packed-events.ts';
import { ringLayout } from './ring-layout.ts';
import type { SegmentList } from './segment-list.ts';
import type { UsedBatch } from './used-batch.ts';
import { VIOLATION_USED_ID, VIOLATION_USED_LENGTH } from './violations.ts';

const HIGH_WORD = 2 ** 32;
const AVAIL_USED = VIRTQ_DESC_F_AVAIL | VIRTQ_DESC_F_USED;

/**
 * Driver side of a packed virtqueue (virtio 1.3, 2.8). The flags of the first descriptor of a batch are the one
 * published word; until it is visible that descriptor shows the flags of the lap before, neither available now nor
 * used in the next lap, so nothing depends on whether a publication is stored in the writer's own memory too.
 */
export class PackedDriver implements DriverQueue {
  readonly size: number;
  readonly index: number;
  violation = 0;

  readonly #arena: Arena;
  readonly #u32: Uint32Array;
  readonly #publisher: Publisher;
  readonly #place: DriverPlace;
  readonly #descWord: number;
  readonly #inOrder: boolean;
  readonly #events: PackedEvents;
  readonly #buffers: DriverBuffers;
  /** Free buffer ids, a ring: taken at `#freeFrom`, given back at `#freeTo`. */
  readonly #ids: Uint16Array;
  #freeFrom = 0;
  #freeTo = 0;
  #freeSlots: number;

  /** Next descriptor to write, and AVAIL and USED as they mean available in this lap. */
  #slot = 0;
  #availFlags = VIRTQ_DESC_F_AVAIL;
  /** First descriptor of the batch that is not published, its flags, and how many there are. */
  #batchSlot = 0;
  #batchFlags = 0;
  #batchSlots = 0;
  /** Place behind the last published descriptor. */
  #publishedSlot = 0;
  #publishedWrap = 1;
  /** Next descriptor that the device uses. */
  #usedSlot = 0;
  #usedWrap = 1;
  /** In order: buffers left of the used descriptor that is being taken, its last id and length. */
  #groupLeft = 0;
  #groupId = 0;
  #groupLength = 0;

  constructor(arena: Arena, publisher: Publisher, place: DriverPlace) {
    const size = place.size;
    ringLayout('packed', size, place.features.eventIdx);
    this.size = size;
    this.index = place.index;
    this.#arena = arena;
    this.#u32 = arena.u32;
    this.#publisher = publisher;
    this.#place = place;
    this.#descWord = place.descOffset >>> 2;
    this.#inOrder = place.features.inOrder;
    const { driverOffset, deviceOffset, features } = place;
    this.#events = new PackedEvents(arena, publisher, driverOffset, deviceOffset, size, features.eventIdx);
    this.#buffers = new DriverBuffers(size);
    this.#ids = new Uint16Array(size);
    this.#freeSlots = size;
    this.#freeAll();
  }

  get freeSlots(): number {
    return this.#freeSlots;
  }

  get inFlight(): number {
    return this.#buffers.inFlight;
  }

  addOne(address: number, length: number, writable: boolean, token: number): number {
    if (this.#freeSlots === 0 || this.violation !== 0) return -1;
    const id = this.#takeId();
    this.#write(address, length, id, writable ? VIRTQ_DESC_F_WRITE : 0);
    this.#freeSlots--;
    this.#buffers.add(id, 1, writable ? length : 0, token);
    return id;
  }

  addChain(segments: SegmentList, token: number): number {
    const count = segments.count;
    const writable = checkedWritableBytes(segments, this.size);
    if (this.#freeSlots < count || this.violation !== 0) return -1;
    const id = this.#takeId();
    for (let i = 0; i < count; i++) {
      const write = segments.writable[i] === 1 ? VIRTQ_DESC_F_WRITE : 0;
      const next = i + 1 < count ? VIRTQ_DESC_F_NEXT : 0;
      this.#write(segments.address[i], segments.length[i], id, write | next);
    }
    this.#freeSlots -= count;
    this.#buffers.add(id, count, writable, token);
    return id;
  }

  addIndirect(segments: SegmentList, token: number): number {
    const count = segments.count;
    const writable = checkedWritableBytes(segments, this.size);
    indirectTableOffset(this.#place, 0, segments);
    if (this.#freeSlots === 0 || this.violation !== 0) return -1;
    const id = this.#takeId();
    const table = indirectTableOffset(this.#place, id, segments);
    const u32 = this.#u32;
    let w = table >>> 2;
    for (let i = 0; i < count; i++) {
      const address = segments.address[i];
      u32[w] = address;
      u32[w + 1] = address / HIGH_WORD;
      u32[w + 2] = segments.length[i];
      u32[w + 3] = segments.writable[i] === 1 ? VIRTQ_DESC_F_WRITE << 16 : 0;
      w += 4;
    }
    this.#publisher.cover(table, 16 * count);
    const tables = this.#place.tables!;
    this.#write(tables.address + (table - tables.offset), 16 * count, id, VIRTQ_DESC_F_INDIRECT);
    this.#freeSlots--;
    this.#buffers.add(id, 1, writable, token);
    return id;
  }

  #write(address: number, length: number, id: number, flags: number): void {
    const u32 = this.#u32;
    const slot = this.#slot;
    const w = this.#descWord + slot * 4;
    const all = flags | this.#availFlags;
    u32[w] = address;
    u32[w + 1] = address / HIGH_WORD;
    u32[w + 2] = length;
    if (this.#batchSlots === 0) {
      this.#batchSlot = slot;
      this.#batchFlags = all;
      u32[w + 3] = id | ((all ^ AVAIL_USED) << 16);
    } else {
      u32[w + 3] = id | (all << 16);
    }
    this.#batchSlots++;
    if (slot + 1 === this.size) {
      this.#slot = 0;
      this.#availFlags ^= AVAIL_USED;
    } else {
      this.#slot = slot + 1;
    }
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
    this.#publishedWrap = this.#availFlags === VIRTQ_DESC_F_AVAIL ? 1 : 0;
    this.#buffers.published = this.#buffers.added;
    this.#events.advanced(count);
    publisher.u16(first + 14, this.#batchFlags);
  }

  shouldKick(): boolean {
    return this.#events.wanted(this.#publishedSlot, this.#publishedWrap);
  }

  /** Flags that mark a descriptor as used in the used position's lap. */
  #usedFlags(): number {
    return this.#usedWrap === 1 ? AVAIL_USED : 0;
  }

  #isUsed(): boolean {
    const word = Atomics.load(this.#u32, this.#descWord + this.#usedSlot * 4 + 3);
    return (
      ((word >>> 16) & AVAIL_USED) === this.#usedFlags() && this.#buffers.published !== this.#buffers.popped
    );
  }

  hasUsed(): boolean {
    if (this.violation !== 0) return false;
    return this.#groupLeft !== 0 || this.#isUsed();
  }

  popUsed(out: UsedBatch, max: number): number {
    out.count = 0;
    if (!this.hasUsed()) return 0;
    const limit = Math.min(max, out.capacity);
    if (this.#inOrder) this.#popInOrder(out, limit);
    else this.#popAnyOrder(out, limit);
    return out.count;
  }

  #popAnyOrder(out: UsedBatch, limit: number): void {
    const buffers = this.#buffers;
    let n = 0;
    while (n < limit && this.#openUsed()) {
      const id = this.#groupId;
      out.slot[n] = id;
      out.token[n] = buffers.token[id];
      out.length[n] = this.#groupLength;
      this.#release(id);
      n++;
    }
    this.#groupLeft = 0;
    out.count = n;
  }

  #popInOrder(out: UsedBatch, limit: number): void {
    const buffers = this.#buffers;
    let n = 0;
    for (; n < limit; n++) {
      if (this.#groupLeft === 0) {
        if (!this.#openUsed()) break;
        this.#groupLeft = buffers.sequence[this.#groupId] - buffers.popped + 1;
      }
      const id = buffers.order[buffers.oldest];
      out.slot[n] = id;
      out.token[n] = buffers.token[id];
      out.length[n] = id === this.#groupId ? this.#groupLength : buffers.writable[id];
      this.#release(id);
      this.#groupLeft--;
    }
    out.count = n;
  }

  /** Reads the used descriptor at the used position, if there is one, into `#groupId` and `#groupLength`. */
  #openUsed(): boolean {
    const u32 = this.#u32;
    const buffers = this.#buffers;
    const w = this.#descWord + this.#usedSlot * 4;
    const word = u32[w + 3];
    const flags = word >>> 16;
    if ((flags & AVAIL_USED) !== this.#usedFlags() || buffers.published === buffers.popped) return false;
    const id = word & 0xffff;
    if (!buffers.isPublished(id)) {
      this.violation = VIOLATION_USED_ID;
      return false;
    }
    const length = (flags & VIRTQ_DESC_F_WRITE) === 0 ? 0 : u32[w + 2];
    if (length > buffers.writable[id]) {
      this.violation = VIOLATION_USED_LENGTH;
      return false;
    }
    this.#groupId = id;
    this.#groupLength = length;
    return true;
  }

  #takeId(): number {
    const at = this.#freeFrom;
    this.#freeFrom = at + 1 === this.size ? 0 : at + 1;
    return this.#ids[at];
  }

  #release(id: number): void {
    const slots = this.#buffers.descriptors[id];
    this.#buffers.remove(id);
    const at = this.#freeTo;
    this.#ids[at] = id;
    this.#freeTo = at + 1 === this.size ? 0 : at + 1;
    this.#freeSlots += slots;
    let used = this.#usedSlot + slots;
    if (used >= this.size) {
      used -= this.size;
      this.#usedWrap ^= 1;
    }
    this.#usedSlot = used;
  }

  #freeAll(): void {
    for (let i = 0; i < this.size; i++) this.#ids[i] = i;
    this.#freeFrom = 0;
    this.#freeTo = 0;
    this.#freeSlots = this.size;
  }

  enableInterrupts(): void {
    this.#events.enable(this.#usedSlot, this.#usedWrap);
  }

  enableInterruptsAfter(n: number): void {
    const busy = this.size - this.#freeSlots - this.#batchSlots;
    const slot = this.#usedSlot + Math.max(1, Math.min(n, busy)) - 1;
    if (slot < this.size) this.#events.enable(slot, this.#usedWrap);
    else this.#events.enable(slot - this.size, this.#usedWrap ^ 1);
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
    const { descOffset, driverOffset, deviceOffset } = this.#place;
    const u8 = this.#arena.u8;
    u8.fill(0, descOffset, descOffset + 16 * this.size);
    u8.fill(0, driverOffset, driverOffset + 4);
    u8.fill(0, deviceOffset, deviceOffset + 4);
    this.#publisher.cover(descOffset, 16 * this.size);
    this.#publisher.cover(deviceOffset, 4);
    this.#publisher.u32(driverOffset, 0);
    this.violation = 0;
    this.#buffers.clear();
    this.#freeAll();
    this.#events.reset();
    this.#setPosition(0, 1, 0, 1);
  }

  #setPosition(slot: number, wrap: number, usedSlot: number, usedWrap: number): void {
    this.#slot = slot;
    this.#availFlags = wrap === 1 ? VIRTQ_DESC_F_AVAIL : VIRTQ_DESC_F_USED;
    this.#batchSlots = 0;
    this.#publishedSlot = slot;
    this.#publishedWrap = wrap;
    this.#usedSlot = usedSlot;
    this.#usedWrap = usedWrap;
    this.#groupLeft = 0;
  }

  saveBase(): number {
    const avail = this.#publishedSlot | (this.#publishedWrap << 15);
    return (avail | ((this.#usedSlot | (this.#usedWrap << 15)) << 16)) >>> 0;
  }

  restoreBase(base: number): void {
    if (this.inFlight !== 0) throw new Error(`queue ${this.index} has ${this.inFlight} buffers in flight`);
    this.#setPosition(base & 0x7fff, (base >>> 15) & 1, (base >>> 16) & 0x7fff, base >>> 31);
    this.#events.takeOver();
  }
}
