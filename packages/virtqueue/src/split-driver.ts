import type { Arena, Publisher } from '@vhostlab/memory';
import { VIRTQ_DESC_F_INDIRECT, VIRTQ_DESC_F_NEXT, VIRTQ_DESC_F_WRITE } from './constants.ts';
import { checkedWritableBytes, DriverBuffers, indirectTableOffset } from './driver-buffers.ts';
import type { DriverPlace, DriverQueue, OutstandingBuffer } from './driver-queue.ts';
import { notificationData } from './need-event.ts';
import { ringLayout } from './ring-layout.ts';
import type { SegmentList } from './segment-list.ts';
import { SplitEvents } from './split-events.ts';
import type { UsedBatch } from './used-batch.ts';
import { VIOLATION_USED_ID, VIOLATION_USED_JUMP, VIOLATION_USED_LENGTH } from './violations.ts';

const HIGH_WORD = 2 ** 32;

/** Driver side of a split virtqueue (virtio 1.3, 2.7). */
export class SplitDriver implements DriverQueue {
  readonly size: number;
  readonly index: number;
  violation = 0;

  readonly #arena: Arena;
  readonly #u16: Uint16Array;
  readonly #u32: Uint32Array;
  readonly #publisher: Publisher;
  readonly #place: DriverPlace;
  readonly #inOrder: boolean;
  readonly #mask: number;
  readonly #events: SplitEvents;
  readonly #buffers: DriverBuffers;
  /** Free descriptors, a ring: taken at `#freeFrom`, given back behind the last. */
  readonly #free: Uint16Array;
  #freeFrom = 0;
  #freeCount: number;
  /** Next descriptor of a chain, as written; the table itself is never read. */
  readonly #next: Uint16Array;

  /** Free-running indices modulo 2^16: next to fill, published, next used to take. */
  #availIdx = 0;
  #publishedIdx = 0;
  #lastUsed = 0;
  /** Descriptors written since the last cover: `[coverFrom, coverTo)`. */
  #coverFrom = 0;
  #coverTo = 0;
  /** In order: buffers left of the used entry that is being taken, its last slot and length. */
  #batchLeft = 0;
  #batchSlot = 0;
  #batchLength = 0;

  constructor(arena: Arena, publisher: Publisher, place: DriverPlace) {
    const size = place.size;
    ringLayout('split', size, place.features.eventIdx);
    this.size = size;
    this.index = place.index;
    this.#arena = arena;
    this.#u16 = arena.u16;
    this.#u32 = arena.u32;
    this.#publisher = publisher;
    this.#place = place;
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
    this.#free = new Uint16Array(size);
    this.#next = new Uint16Array(size);
    this.#freeCount = size;
    this.#freeAll();
  }

  get freeSlots(): number {
    return this.#freeCount;
  }

  get inFlight(): number {
    return this.#buffers.inFlight;
  }

  addOne(address: number, length: number, writable: boolean, token: number): number {
    if (this.#freeCount === 0 || this.violation !== 0) return -1;
    const head = this.#takeFree();
    this.#write(head, address, length, writable ? VIRTQ_DESC_F_WRITE : 0);
    this.#offer(head, 1, writable ? length : 0, token);
    return head;
  }

  addChain(segments: SegmentList, token: number): number {
    const count = segments.count;
    const writable = checkedWritableBytes(segments, this.size);
    if (this.#freeCount < count || this.violation !== 0) return -1;
    const head = this.#takeFree();
    let desc = head;
    for (let i = 0; i < count; i++) {
      const flags = segments.writable[i] === 1 ? VIRTQ_DESC_F_WRITE : 0;
      if (i + 1 === count) {
        this.#write(desc, segments.address[i], segments.length[i], flags);
      } else {
        const next = this.#takeFree();
        this.#next[desc] = next;
        this.#write(desc, segments.address[i], segments.length[i], flags | VIRTQ_DESC_F_NEXT | (next << 16));
        desc = next;
      }
    }
    this.#offer(head, count, writable, token);
    return head;
  }

  addIndirect(segments: SegmentList, token: number): number {
    const count = segments.count;
    const writable = checkedWritableBytes(segments, this.size);
    indirectTableOffset(this.#place, 0, segments);
    if (this.#freeCount === 0 || this.violation !== 0) return -1;
    const head = this.#takeFree();
    const table = indirectTableOffset(this.#place, head, segments);
    const u32 = this.#u32;
    let w = table >>> 2;
    for (let i = 0; i < count; i++) {
      const address = segments.address[i];
      u32[w] = address;
      u32[w + 1] = address / HIGH_WORD;
      u32[w + 2] = segments.length[i];
      const flags = segments.writable[i] === 1 ? VIRTQ_DESC_F_WRITE : 0;
      u32[w + 3] = i + 1 === count ? flags : flags | VIRTQ_DESC_F_NEXT | ((i + 1) << 16);
      w += 4;
    }
    this.#publisher.cover(table, 16 * count);
    const tables = this.#place.tables!;
    this.#write(head, tables.address + (table - tables.offset), 16 * count, VIRTQ_DESC_F_INDIRECT);
    this.#offer(head, 1, writable, token);
    return head;
  }

  /** Writes one descriptor; `flagsNext` is flags and, in the high half, next. */
  #write(desc: number, address: number, length: number, flagsNext: number): void {
    const u32 = this.#u32;
    const w = (this.#place.descOffset >>> 2) + desc * 4;
    u32[w] = address;
    u32[w + 1] = address / HIGH_WORD;
    u32[w + 2] = length;
    u32[w + 3] = flagsNext;
    if (desc !== this.#coverTo) {
      this.#coverDescriptors();
      this.#coverFrom = desc;
    }
    this.#coverTo = desc + 1;
  }

  #coverDescriptors(): void {
    const count = this.#coverTo - this.#coverFrom;
    if (count > 0) this.#publisher.cover(this.#place.descOffset + 16 * this.#coverFrom, 16 * count);
  }

  #offer(head: number, descriptors: number, writable: number, token: number): void {
    this.#buffers.add(head, descriptors, writable, token);
    const at = this.#availIdx;
    this.#u16[((this.#place.driverOffset + 4) >>> 1) + (at & this.#mask)] = head;
    this.#availIdx = (at + 1) & 0xffff;
  }

  publish(): void {
    const to = this.#availIdx;
    const count = (to - this.#publishedIdx) & 0xffff;
    if (count === 0) return;
    const publisher = this.#publisher;
    this.#coverDescriptors();
    this.#coverFrom = this.#coverTo;
    const ring = this.#place.driverOffset + 4;
    const first = this.#publishedIdx & this.#mask;
    const straight = Math.min(count, this.size - first);
    publisher.cover(ring + 2 * first, 2 * straight);
    if (straight < count) publisher.cover(ring, 2 * (count - straight));
    this.#publishedIdx = to;
    this.#buffers.published = this.#buffers.added;
    this.#events.advanced(count);
    publisher.u16(this.#place.driverOffset + 2, to);
  }

  shouldKick(): boolean {
    return this.#events.wanted(this.#publishedIdx);
  }

  #usedIdx(): number {
    return Atomics.load(this.#u16, (this.#place.deviceOffset + 2) >>> 1);
  }

  hasUsed(): boolean {
    if (this.violation !== 0) return false;
    return this.#batchLeft !== 0 || this.#usedIdx() !== this.#lastUsed;
  }

  popUsed(out: UsedBatch, max: number): number {
    out.count = 0;
    if (this.violation !== 0) return 0;
    const usedIdx = this.#usedIdx();
    const visible = (usedIdx - this.#lastUsed) & 0xffff;
    if (visible === 0) return 0;
    if (visible > ((this.#publishedIdx - this.#lastUsed) & 0xffff)) {
      this.violation = VIOLATION_USED_JUMP;
      return 0;
    }
    const limit = Math.min(visible, max, out.capacity);
    if (this.#inOrder) this.#popInOrder(out, limit, usedIdx);
    else this.#popAnyOrder(out, limit);
    this.#events.moved(this.#lastUsed);
    return out.count;
  }

  #popAnyOrder(out: UsedBatch, limit: number): void {
    const u32 = this.#u32;
    const ring = (this.#place.deviceOffset + 4) >>> 2;
    const mask = this.#mask;
    const buffers = this.#buffers;
    let at = this.#lastUsed;
    let n = 0;
    for (; n < limit; n++) {
      const w = ring + ((at & mask) << 1);
      const slot = u32[w];
      const length = u32[w + 1];
      if (!buffers.isPublished(slot)) {
        this.violation = VIOLATION_USED_ID;
        break;
      }
      if (length > buffers.writable[slot]) {
        this.violation = VIOLATION_USED_LENGTH;
        break;
      }
      out.slot[n] = slot;
      out.token[n] = buffers.token[slot];
      out.length[n] = length;
      this.#release(slot);
      at++;
    }
    this.#lastUsed = at & 0xffff;
    out.count = n;
  }

  #popInOrder(out: UsedBatch, limit: number, usedIdx: number): void {
    const buffers = this.#buffers;
    let n = 0;
    for (; n < limit; n++) {
      if (this.#batchLeft === 0 && !this.#openBatch((usedIdx - this.#lastUsed) & 0xffff)) break;
      const slot = buffers.order[buffers.oldest];
      out.slot[n] = slot;
      out.token[n] = buffers.token[slot];
      out.length[n] = slot === this.#batchSlot ? this.#batchLength : buffers.writable[slot];
      this.#release(slot);
      this.#batchLeft--;
      this.#lastUsed = (this.#lastUsed + 1) & 0xffff;
    }
    out.count = n;
  }

  /** Reads the used entry at the current place, which may stand for several buffers up to `visible`. */
  #openBatch(visible: number): boolean {
    const buffers = this.#buffers;
    const w = ((this.#place.deviceOffset + 4) >>> 2) + ((this.#lastUsed & this.#mask) << 1);
    const slot = this.#u32[w];
    const length = this.#u32[w + 1];
    if (!buffers.isPublished(slot) || buffers.sequence[slot] - buffers.popped >= visible) {
      this.violation = VIOLATION_USED_ID;
      return false;
    }
    if (length > buffers.writable[slot]) {
      this.violation = VIOLATION_USED_LENGTH;
      return false;
    }
    this.#batchLeft = buffers.sequence[slot] - buffers.popped + 1;
    this.#batchSlot = slot;
    this.#batchLength = length;
    return true;
  }

  #takeFree(): number {
    const at = this.#freeFrom;
    this.#freeFrom = (at + 1) & this.#mask;
    this.#freeCount--;
    return this.#free[at];
  }

  #release(head: number): void {
    const buffers = this.#buffers;
    const descriptors = buffers.descriptors[head];
    buffers.remove(head);
    let behind = this.#freeFrom + this.#freeCount;
    this.#free[behind & this.#mask] = head;
    let desc = head;
    for (let i = 1; i < descriptors; i++) {
      desc = this.#next[desc];
      this.#free[++behind & this.#mask] = desc;
    }
    this.#freeCount += descriptors;
  }

  #freeAll(): void {
    for (let i = 0; i < this.size; i++) this.#free[i] = i;
    this.#freeFrom = 0;
    this.#freeCount = this.size;
  }

  enableInterrupts(): void {
    this.#events.enable(this.#lastUsed);
  }

  enableInterruptsAfter(n: number): void {
    const published = (this.#publishedIdx - this.#lastUsed) & 0xffff;
    const after = Math.max(1, Math.min(n, published));
    this.#events.enable((this.#lastUsed + after - 1) & 0xffff);
  }

  disableInterrupts(): void {
    this.#events.disable(this.#lastUsed, this.#usedIdx());
  }

  notificationData(): number {
    return notificationData(this.index, this.#publishedIdx & 0x7fff, this.#publishedIdx >>> 15);
  }

  outstanding(): OutstandingBuffer[] {
    return this.#buffers.list();
  }

  reset(): void {
    const { descOffset, driverOffset, deviceOffset, features } = this.#place;
    const layout = ringLayout('split', this.size, features.eventIdx);
    const publisher = this.#publisher;
    const u8 = this.#arena.u8;
    u8.fill(0, descOffset, descOffset + layout.desc.bytes);
    u8.fill(0, driverOffset, driverOffset + layout.driver.bytes);
    u8.fill(0, deviceOffset, deviceOffset + layout.device.bytes);
    publisher.cover(descOffset, layout.desc.bytes);
    publisher.cover(driverOffset, layout.driver.bytes);
    publisher.cover(deviceOffset, layout.device.bytes);
    publisher.u16(driverOffset + 2, 0);
    this.violation = 0;
    this.#buffers.clear();
    this.#freeAll();
    this.#events.reset();
    this.#setPosition(0, 0);
  }

  #setPosition(avail: number, used: number): void {
    this.#availIdx = avail;
    this.#publishedIdx = avail;
    this.#lastUsed = used;
    this.#coverFrom = 0;
    this.#coverTo = 0;
    this.#batchLeft = 0;
  }

  saveBase(): number {
    return (this.#publishedIdx | (this.#lastUsed << 16)) >>> 0;
  }

  restoreBase(base: number): void {
    if (this.inFlight !== 0) throw new Error(`queue ${this.index} has ${this.inFlight} buffers in flight`);
    this.#setPosition(base & 0xffff, (base >>> 16) & 0xffff);
    this.#events.takeOver();
  }
}
