import { ACCESS_READ, type Arena, type Publisher } from '@vhostlab/memory';
import type { ChainBatch, Translator } from './chain-batch.ts';
import {
  VIRTQ_DESC_F_AVAIL,
  VIRTQ_DESC_F_INDIRECT,
  VIRTQ_DESC_F_NEXT,
  VIRTQ_DESC_F_USED,
  VIRTQ_DESC_F_WRITE,
} from './constants.ts';
import { coverUsed } from './cover-used.ts';
import { DeviceBuffers, failNotInFlight, zeroCounters } from './device-buffers.ts';
import type { DeviceCounters, DeviceQueue } from './device-queue.ts';
import type { RingPlace } from './driver-queue.ts';
import { NO_U16, NO_U32 } from './no-arrays.ts';
import { packedBase, splitPackedBase } from './packed-base.ts';
import { PackedChain } from './packed-chain.ts';
import { PackedEvents } from './packed-events.ts';
import { checkPlace } from './ring-layout.ts';
import { VIOLATION_BUFFER_BUSY, VIOLATION_ID_RANGE, VIOLATION_NONE } from './violations.ts';

/** Own copies: an imported constant is loaded and checked at every use, a module's own is folded into the code. */
const NEXT = VIRTQ_DESC_F_NEXT;
const WRITE = VIRTQ_DESC_F_WRITE;
const INDIRECT = VIRTQ_DESC_F_INDIRECT;
const AVAIL = VIRTQ_DESC_F_AVAIL;
const USED = VIRTQ_DESC_F_USED;
const CHAINED = NEXT | INDIRECT;
/** ACCESS_WRITE is one more. */
const READ = ACCESS_READ;

const HIGH_WORD = 2 ** 32;
const AVAIL_USED = AVAIL | USED;

/** Device side of a packed virtqueue (virtio 1.3, 2.8). */
export class PackedDevice implements DeviceQueue {
  readonly size: number = 0;
  readonly index: number = 0;
  readonly counters: DeviceCounters = zeroCounters();

  readonly #u16: Uint16Array = NO_U16;
  readonly #u32: Uint32Array = NO_U32;
  readonly #publisher: Publisher;
  readonly #translator: Translator;
  readonly #inOrder: boolean = false;
  readonly #events: PackedEvents;
  readonly #chain: PackedChain;
  readonly #buffers: DeviceBuffers;
  readonly #descriptors: Uint16Array = NO_U16;
  /** Ids in the order of popping, a ring filled at `#newest`; in order the first in flight is at `#oldest`. */
  readonly #order: Uint16Array = NO_U16;
  #newest = 0;
  #oldest = 0;
  #inFlight = 0;
  readonly #descOffset: number = 0;
  readonly #descWord: number = 0;

  #violation = 0;
  /** Next descriptor to pop, and AVAIL and USED as they mean available in this lap. */
  #slot = 0;
  #availFlags = AVAIL;
  /** Next used descriptor to write, AVAIL and USED as they mean used in its lap, and the same of what is published. */
  #usedSlot = 0;
  #usedFlags = AVAIL_USED;
  #publishedSlot = 0;
  #publishedFlags = AVAIL_USED;
  /** Used descriptors written and not published: the first one's place and flags, and where the last one lies. */
  #batchSlot = 0;
  #batchFlags = 0;
  #batchLast = 0;
  #batchEntries = 0;

  constructor(arena: Arena, publisher: Publisher, translator: Translator, place: RingPlace) {
    const size = place.size;
    checkPlace('packed', place, arena.sizeBytes);
    this.size = size;
    this.index = place.index;
    this.#u16 = arena.u16;
    this.#u32 = arena.u32;
    this.#publisher = publisher;
    this.#translator = translator;
    this.#inOrder = place.features.inOrder;
    this.#descOffset = place.descOffset;
    this.#descWord = place.descOffset >>> 2;
    const { driverOffset, deviceOffset, features } = place;
    this.#events = new PackedEvents(arena, publisher, deviceOffset, driverOffset, size, features.eventIdx);
    this.#chain = new PackedChain(arena, translator, place);
    this.#buffers = new DeviceBuffers(size, features.inOrder);
    this.#descriptors = this.#buffers.descriptors;
    this.#order = this.#buffers.order;
  }

  get inFlight(): number {
    return this.#inFlight;
  }

  get violation(): number {
    return this.#violation;
  }

  /** Next available slot, and in bit 15 its wrap counter. */
  get position(): number {
    return this.#slot | (this.#availFlags === AVAIL ? 0x8000 : 0);
  }

  /** True when used descriptors are written where the next available ones stand, as a `PackedPlain` needs it. */
  get isLevel(): boolean {
    const usedFlags = this.#availFlags === AVAIL ? AVAIL_USED : 0;
    return this.#inFlight === 0 && this.#usedSlot === this.#slot && this.#usedFlags === usedFlags;
  }

  /** Ring slots of the buffer `id`, which is in flight; 0 when it is not. */
  slotsOf(id: number): number {
    return this.#descriptors[id];
  }

  hasAvailable(): boolean {
    if (this.#violation !== 0) return false;
    const flags = Atomics.load(this.#u16, ((this.#descWord + this.#slot * 4 + 3) << 1) + 1);
    return (flags & AVAIL_USED) === this.#availFlags;
  }

  available(): number {
    if (!this.hasAvailable()) return 0;
    return this.#chain.count(this.#slot, this.#availFlags);
  }

  #break(code: number): void {
    this.#violation = code;
    this.counters.violations++;
  }

  pop(batch: ChainBatch, max: number): number {
    batch.clear();
    if (!this.hasAvailable()) return 0;
    const limit = Math.min(max, batch.chainCapacity);
    let plain = 0;
    while (batch.count < limit) {
      if (batch.isPlain) {
        const room = Math.min(limit, batch.segmentCapacity) - batch.count;
        const straight = Math.min(room, this.size - this.#slot);
        const taken = this.#popSingles(batch, straight);
        plain = batch.count;
        if (taken === room) break;
        if (taken === straight) continue;
      }
      if (!this.#popChain(batch)) break;
    }
    const count = batch.count;
    if (count === 0) return 0;
    if (!batch.isPlain) batch.translate(this.#translator, plain);
    if (this.#inOrder) this.#buffers.noteWritable(batch);
    this.#inFlight += count;
    this.counters.chains += count;
    this.counters.chainFaults += batch.countFaults();
    return count;
  }

  /**
   * Takes up to `room` chains as long as they are of one descriptor that lies in one place; others it leaves untouched.
   * Translates at once: a loop of its own costs a nanosecond per chain.
   */
  #popSingles(batch: ChainBatch, room: number): number {
    const { slot, readableBytes, writableBytes, address, length, writable, offset } = batch;
    const translator = this.#translator;
    const u32 = this.#u32;
    const descriptors = this.#descriptors;
    const order = this.#order;
    const size = this.size | 0;
    const first = (this.#descWord + this.#slot * 4) | 0;
    const availFlags = this.#availFlags | 0;
    const chains = batch.count | 0;
    let newest = this.#newest | 0;
    let i = 0;
    for (; i < room; i++) {
      const w = first + i * 4;
      const idFlags = u32[w + 3];
      const flags = idFlags >>> 16;
      if ((flags & (AVAIL_USED | CHAINED)) !== availFlags) break;
      const id = idFlags & 0xffff;
      if (id >= size || descriptors[id] !== 0) break;
      const bytes = u32[w + 2];
      const guest = u32[w] + u32[w + 1] * HIGH_WORD;
      const isWritable = (flags & WRITE) >> 1;
      const place = translator.translate(guest, bytes, READ + isWritable);
      if (place < 0) break;
      const chain = chains + i;
      offset[chain] = place;
      address[chain] = guest;
      length[chain] = bytes;
      descriptors[id] = 1;
      order[newest] = id;
      newest = newest + 1 === size ? 0 : newest + 1;
      slot[chain] = id;
      writable[chain] = isWritable;
      writableBytes[chain] = bytes * isWritable;
      readableBytes[chain] = bytes * (1 - isWritable);
    }
    batch.count = chains + i;
    batch.segmentTotal = chains + i;
    this.#newest = newest;
    this.#move(i);
    return i;
  }

  /** Takes the next chain, whatever it is; false when there is none, it breaks the queue or needs an empty batch. */
  #popChain(batch: ChainBatch): boolean {
    const flags = this.#u32[this.#descWord + this.#slot * 4 + 3] >>> 16;
    if ((flags & AVAIL_USED) !== this.#availFlags) return false;
    batch.open();
    let code = this.#chain.follow(batch, this.#slot, this.#availFlags);
    const { id, slots } = this.#chain;
    if (code === VIOLATION_NONE) {
      if (id >= this.size) code = VIOLATION_ID_RANGE;
      else if (this.#descriptors[id] !== 0) code = VIOLATION_BUFFER_BUSY;
    }
    if (code !== VIOLATION_NONE) {
      batch.abandon();
      this.#break(code);
      return false;
    }
    if (batch.isOverflown && batch.count > 0) {
      batch.abandon();
      return false;
    }
    batch.close(id);
    this.#descriptors[id] = slots;
    this.#order[this.#newest] = id;
    this.#newest = this.#newest + 1 === this.size ? 0 : this.#newest + 1;
    this.#move(slots);
    return true;
  }

  /** Moves the available position by `slots`, which may be negative. */
  #move(slots: number): void {
    const slot = this.#slot + slots;
    const lap = slot >= this.size ? -this.size : slot < 0 ? this.size : 0;
    if (lap !== 0) this.#availFlags ^= AVAIL_USED;
    this.#slot = slot + lap;
  }

  unpop(n: number): void {
    for (let i = 0; i < n; i++) {
      const at = this.#newest === 0 ? this.size - 1 : this.#newest - 1;
      const id = this.#order[at];
      const slots = this.#descriptors[id];
      const isDone = this.#inOrder && this.#buffers.completed[id] === 1;
      if (this.#inFlight === 0 || slots === 0 || isDone) failNotInFlight(id);
      this.#buffers.remove(id);
      this.#newest = at;
      this.#inFlight--;
      this.#move(-slots);
    }
    this.counters.chains -= n;
  }

  pushUsed(slot: number, length: number): void {
    if (this.#violation !== 0) return;
    const slots = this.#descriptors[slot];
    if (!(slots > 0)) failNotInFlight(slot);
    if (this.#inOrder) {
      if (this.#buffers.completed[slot] === 1) failNotInFlight(slot);
      this.#buffers.complete(slot, length);
      return;
    }
    this.#descriptors[slot] = 0;
    this.#writeUsed(slot, length, slots);
  }

  pushUsedBurst(slots: Uint16Array, count: number, length: number): void {
    if (count === 0 || this.#violation !== 0) return;
    this.pushUsed(slots[0], length);
    if (this.#inOrder) {
      for (let i = 1; i < count; i++) this.pushUsed(slots[i], length);
      return;
    }
    const u32 = this.#u32;
    const descriptors = this.#descriptors;
    const size = this.size;
    const descWord = this.#descWord | 0;
    const write = length > 0 ? WRITE : 0;
    let at = this.#usedSlot | 0;
    let flags = this.#usedFlags | write;
    let last = this.#batchLast;
    for (let i = 1; i < count; i++) {
      const id = slots[i];
      const taken = descriptors[id];
      if (!(taken > 0)) failNotInFlight(id);
      descriptors[id] = 0;
      const w = descWord + at * 4;
      u32[w + 2] = length;
      u32[w + 3] = id | (flags << 16);
      last = at;
      at += taken;
      if (at >= size) {
        at -= size;
        flags ^= AVAIL_USED;
      }
    }
    this.#usedSlot = at;
    this.#usedFlags = flags & AVAIL_USED;
    this.#batchLast = last;
    this.#batchEntries += count - 1;
  }

  /** Writes one used descriptor that stands for `slots` descriptors. */
  #writeUsed(id: number, length: number, slots: number): void {
    const u32 = this.#u32;
    const at = this.#usedSlot;
    const w = this.#descWord + at * 4;
    const flags = length > 0 ? this.#usedFlags | WRITE : this.#usedFlags;
    u32[w + 2] = length;
    if (this.#batchEntries === 0) {
      this.#batchSlot = at;
      this.#batchFlags = flags;
      this.#u16[(w + 3) << 1] = id;
    } else {
      u32[w + 3] = id | (flags << 16);
    }
    this.#batchLast = at;
    this.#batchEntries++;
    let next = at + slots;
    if (next >= this.size) {
      next -= this.size;
      this.#usedFlags ^= AVAIL_USED;
    }
    this.#usedSlot = next;
  }

  publishUsed(): void {
    if (this.#violation !== 0) return;
    const flushed = this.#inOrder ? this.#flushInOrder() : 0;
    const entries = this.#batchEntries;
    if (entries === 0) return;
    const buffers = this.#inOrder ? flushed : entries;
    coverUsed(this.#publisher, this.#descOffset, this.size, this.#batchSlot, this.#batchLast, entries);
    this.#batchEntries = 0;
    this.#inFlight -= buffers;
    this.counters.used += buffers;
    this.counters.usedEntries += entries;
    this.counters.usedPublications++;
    const lap = this.#usedFlags === this.#publishedFlags ? 0 : this.size;
    this.#events.advanced(this.#usedSlot - this.#publishedSlot + lap);
    this.#publishedSlot = this.#usedSlot;
    this.#publishedFlags = this.#usedFlags;
    this.#publisher.u16(this.#descOffset + 16 * this.#batchSlot + 14, this.#batchFlags);
  }

  /**
   * What `PackedPlain` did: `buffers` buffers of one descriptor from the position on are taken and done, and their
   * `entries` used descriptors stand in the ring but for the flags of the first, which are published. `hasWritten`: they
   * say WRITE. Throws while buffers are in flight.
   */
  moveOn(buffers: number, entries: number, hasWritten: boolean): void {
    if (this.#violation !== 0) return;
    if (!this.isLevel) throw new Error(`queue ${this.index} has buffers in flight`);
    const first = this.#slot;
    const flags = this.#usedFlags | (hasWritten ? WRITE : 0);
    this.#move(buffers);
    if (this.#slot <= first) this.#usedFlags ^= AVAIL_USED;
    this.#usedSlot = this.#slot;
    this.#publishedSlot = this.#slot;
    this.#publishedFlags = this.#usedFlags;
    const { counters } = this;
    counters.chains += buffers;
    counters.used += buffers;
    counters.usedEntries += entries;
    counters.usedPublications++;
    this.#events.advanced(buffers);
    this.#publisher.u16(this.#descOffset + 16 * first + 14, flags);
  }

  /** Writes one used descriptor per run of completed buffers, at the place of the run's first; returns the buffers. */
  #flushInOrder(): number {
    const buffers = this.#buffers;
    let waiting = this.#inFlight;
    let slots = 0;
    while (waiting > 0) {
      const id = this.#order[this.#oldest];
      if (buffers.completed[id] === 0) break;
      this.#oldest = this.#oldest + 1 === this.size ? 0 : this.#oldest + 1;
      waiting--;
      slots += this.#descriptors[id];
      buffers.remove(id);
      const isLast = waiting === 0 || buffers.completed[this.#order[this.#oldest]] === 0;
      if (isLast || buffers.isPartial(id)) {
        this.#writeUsed(id, buffers.written[id], slots);
        slots = 0;
      }
    }
    return this.#inFlight - waiting;
  }

  shouldCall(): boolean {
    return this.#violation === 0 && this.#events.wanted(this.#publishedSlot, this.#publishedFlags >>> 15);
  }

  enableNotifications(): void {
    this.#events.enable(this.#slot, this.#availFlags === AVAIL ? 1 : 0);
  }

  disableNotifications(): void {
    this.#events.disable();
  }

  reset(): void {
    this.#events.reset();
    this.#start(0, 1, 0, 1);
  }

  #start(slot: number, wrap: number, usedSlot: number, usedWrap: number): void {
    this.#violation = 0;
    this.#buffers.clear();
    this.#newest = 0;
    this.#oldest = 0;
    this.#inFlight = 0;
    this.#slot = slot;
    this.#availFlags = wrap === 1 ? AVAIL : USED;
    this.#usedSlot = usedSlot;
    this.#usedFlags = usedWrap === 1 ? AVAIL_USED : 0;
    this.#publishedSlot = usedSlot;
    this.#publishedFlags = this.#usedFlags;
    this.#batchEntries = 0;
  }

  saveBase(): number {
    const wrap = this.#availFlags === AVAIL ? 1 : 0;
    return packedBase(this.#slot, wrap, this.#publishedSlot, this.#publishedFlags >>> 15);
  }

  restoreBase(base: number): boolean {
    const position = splitPackedBase(base, this.size);
    if (position === undefined) return false;
    const { avail, used } = position;
    this.#start(avail & 0x7fff, avail >>> 15, used & 0x7fff, used >>> 15);
    this.#events.takeOver();
    return true;
  }
}
