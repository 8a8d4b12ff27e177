import type { Arena, Publisher } from '@vhostlab/memory';
import type { ChainBatch, Translator } from './chain-batch.ts';
import {
  MAX_CHAIN_BYTES,
  VIRTQ_DESC_F_AVAIL,
  VIRTQ_DESC_F_INDIRECT,
  VIRTQ_DESC_F_NEXT,
  VIRTQ_DESC_F_USED,
  VIRTQ_DESC_F_WRITE,
} from './constants.ts';
import { DeviceBuffers, failNotInFlight, zeroCounters } from './device-buffers.ts';
import type { DeviceCounters, DeviceQueue } from './device-queue.ts';
import type { RingPlace } from './driver-queue.ts';
import { IndirectReader } from './indirect-reader.ts';
import { NO_U16, NO_U32 } from './no-arrays.ts';
import { PackedEvents } from './packed-events.ts';
import { checkPlace } from './ring-layout.ts';
import {
  VIOLATION_BUFFER_BUSY,
  VIOLATION_CHAIN_BYTES,
  VIOLATION_CHAIN_LENGTH,
  VIOLATION_CHAIN_TORN,
  VIOLATION_ID_RANGE,
  VIOLATION_INDIRECT_FEATURE,
  VIOLATION_INDIRECT_NEXT,
  VIOLATION_NONE,
} from './violations.ts';

/** Own copies: an imported constant is loaded and checked at every use, a module's own is folded into the code. */
const NEXT = VIRTQ_DESC_F_NEXT;
const WRITE = VIRTQ_DESC_F_WRITE;
const INDIRECT = VIRTQ_DESC_F_INDIRECT;
const AVAIL = VIRTQ_DESC_F_AVAIL;
const USED = VIRTQ_DESC_F_USED;
const CHAINED = NEXT | INDIRECT;

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
  readonly #indirect: boolean = false;
  readonly #events: PackedEvents;
  readonly #tables: IndirectReader;
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
  /** Descriptors and id of the chain that was walked last. */
  #walkSlots = 0;
  #walkId = 0;
  /** Next used descriptor to write, its wrap counter, and the place that is published. */
  #usedSlot = 0;
  #usedWrap = 1;
  #publishedSlot = 0;
  #publishedWrap = 1;
  /** Used descriptors written and not published: the first one's place and flags, and where the last one lies. */
  #batchSlot = 0;
  #batchFlags = 0;
  #batchLast = 0;
  #batchEntries = 0;
  #batchBuffers = 0;
  #batchSlots = 0;

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
    this.#indirect = place.features.indirect;
    this.#descOffset = place.descOffset;
    this.#descWord = place.descOffset >>> 2;
    const { driverOffset, deviceOffset, features } = place;
    this.#events = new PackedEvents(arena, publisher, deviceOffset, driverOffset, size, features.eventIdx);
    this.#tables = new IndirectReader(arena, translator, size);
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

  hasAvailable(): boolean {
    if (this.#violation !== 0) return false;
    const flags = Atomics.load(this.#u16, ((this.#descWord + this.#slot * 4 + 3) << 1) + 1);
    return (flags & AVAIL_USED) === this.#availFlags;
  }

  available(): number {
    if (!this.hasAvailable()) return 0;
    const u32 = this.#u32;
    let slot = this.#slot;
    let flags = this.#availFlags;
    let chains = 0;
    for (let read = 0; read < this.size; read++) {
      const word = u32[this.#descWord + slot * 4 + 3] >>> 16;
      if ((word & AVAIL_USED) !== flags) break;
      if ((word & NEXT) === 0) chains++;
      if (++slot === this.size) {
        slot = 0;
        flags ^= AVAIL_USED;
      }
    }
    return chains;
  }

  #break(code: number): void {
    this.#violation = code;
    this.counters.violations++;
  }

  pop(batch: ChainBatch, max: number): number {
    batch.clear();
    if (!this.hasAvailable()) return 0;
    const limit = Math.min(max, batch.chainCapacity);
    while (batch.count < limit) {
      if (batch.isPlain) {
        const room = Math.min(limit, batch.segmentCapacity) - batch.count;
        const straight = Math.min(room, this.size - this.#slot);
        const taken = this.#popSingles(batch, straight);
        if (taken === room) break;
        if (taken === straight) continue;
      }
      if (!this.#popChain(batch)) break;
    }
    const count = batch.count;
    if (count === 0) return 0;
    batch.translate(this.#translator);
    if (this.#inOrder) this.#buffers.noteWritable(batch);
    this.#inFlight += count;
    this.counters.chains += count;
    this.counters.chainFaults += batch.countFaults();
    return count;
  }

  /** Takes up to `room` chains as long as they are of one descriptor; what is not, it leaves untouched. No branch but the way out. */
  #popSingles(batch: ChainBatch, room: number): number {
    const { slot, readableBytes, writableBytes, address, length, writable } = batch;
    const u32 = this.#u32;
    const descriptors = this.#descriptors;
    const order = this.#order;
    const size = this.size;
    const first = this.#descWord + this.#slot * 4;
    const availFlags = this.#availFlags;
    const chains = batch.count;
    let newest = this.#newest;
    let i = 0;
    for (; i < room; i++) {
      const w = first + i * 4;
      const idFlags = u32[w + 3];
      const flags = idFlags >>> 16;
      if ((flags & (AVAIL_USED | CHAINED)) !== availFlags) break;
      const id = idFlags & 0xffff;
      if (id >= size || descriptors[id] !== 0) break;
      const bytes = u32[w + 2];
      const chain = chains + i;
      address[chain] = u32[w] + u32[w + 1] * HIGH_WORD;
      length[chain] = bytes;
      descriptors[id] = 1;
      order[newest] = id;
      newest = newest + 1 === size ? 0 : newest + 1;
      slot[chain] = id;
      const isWritable = (flags & WRITE) >> 1;
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
    let code = this.#follow(batch);
    const id = this.#walkId;
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
    this.#descriptors[id] = this.#walkSlots;
    this.#order[this.#newest] = id;
    this.#newest = this.#newest + 1 === this.size ? 0 : this.#newest + 1;
    this.#move(this.#walkSlots);
    return true;
  }

  /** Moves the available position by `slots`, which may be negative. */
  #move(slots: number): void {
    let slot = this.#slot + slots;
    if (slot >= this.size) {
      slot -= this.size;
      this.#availFlags ^= AVAIL_USED;
    } else if (slot < 0) {
      slot += this.size;
      this.#availFlags ^= AVAIL_USED;
    }
    this.#slot = slot;
  }

  /** Follows the chain at the available position; leaves its id and descriptor count. Returns a VIOLATION_…. */
  #follow(batch: ChainBatch): number {
    const u32 = this.#u32;
    let slot = this.#slot;
    let expected = this.#availFlags;
    for (let read = 1; ; read++) {
      const w = this.#descWord + slot * 4;
      const idFlags = u32[w + 3];
      const flags = idFlags >>> 16;
      if ((flags & AVAIL_USED) !== expected) return VIOLATION_CHAIN_TORN;
      const address = u32[w] + u32[w + 1] * HIGH_WORD;
      const length = u32[w + 2];
      this.#walkId = idFlags & 0xffff;
      this.#walkSlots = read;
      if ((flags & INDIRECT) !== 0) {
        if (!this.#indirect) return VIOLATION_INDIRECT_FEATURE;
        if ((flags & NEXT) !== 0 || read > 1) return VIOLATION_INDIRECT_NEXT;
        const code = this.#tables.read(batch, address, length, false);
        if (code !== VIOLATION_NONE) return code;
        break;
      }
      batch.segment(address, length, (flags & WRITE) !== 0);
      if ((flags & NEXT) === 0) break;
      if (read === this.size) return VIOLATION_CHAIN_LENGTH;
      if (++slot === this.size) {
        slot = 0;
        expected ^= AVAIL_USED;
      }
    }
    return batch.openBytes > MAX_CHAIN_BYTES ? VIOLATION_CHAIN_BYTES : VIOLATION_NONE;
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
    this.#batchBuffers++;
    this.#writeUsed(slot, length, slots);
  }

  /** Writes one used descriptor that stands for `slots` descriptors. */
  #writeUsed(id: number, length: number, slots: number): void {
    const u32 = this.#u32;
    const at = this.#usedSlot;
    const w = this.#descWord + at * 4;
    const flags = (this.#usedWrap === 1 ? AVAIL_USED : 0) | (length > 0 ? WRITE : 0);
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
    this.#batchSlots += slots;
    let next = at + slots;
    if (next >= this.size) {
      next -= this.size;
      this.#usedWrap ^= 1;
    }
    this.#usedSlot = next;
  }

  publishUsed(): void {
    if (this.#violation !== 0) return;
    if (this.#inOrder) this.#flushInOrder();
    const entries = this.#batchEntries;
    if (entries === 0) return;
    const publisher = this.#publisher;
    const first = this.#descOffset + 16 * this.#batchSlot;
    const last = this.#descOffset + 16 * this.#batchLast;
    publisher.cover(first + 8, 6);
    if (last > first) {
      publisher.cover(first + 16, last - first);
    } else if (entries > 1) {
      const end = this.#descOffset + 16 * this.size;
      if (end > first + 16) publisher.cover(first + 16, end - first - 16);
      publisher.cover(this.#descOffset, last + 16 - this.#descOffset);
    }
    this.#inFlight -= this.#batchBuffers;
    this.counters.used += this.#batchBuffers;
    this.counters.usedEntries += entries;
    this.counters.usedPublications++;
    this.#events.advanced(this.#batchSlots);
    this.#batchEntries = 0;
    this.#batchBuffers = 0;
    this.#batchSlots = 0;
    this.#publishedSlot = this.#usedSlot;
    this.#publishedWrap = this.#usedWrap;
    publisher.u16(first + 14, this.#batchFlags);
  }

  /** Writes one used descriptor per run of completed buffers, at the place of the run's first. */
  #flushInOrder(): void {
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
      this.#batchBuffers++;
      const isLast = waiting === 0 || buffers.completed[this.#order[this.#oldest]] === 0;
      if (isLast || buffers.isPartial(id)) {
        this.#writeUsed(id, buffers.written[id], slots);
        slots = 0;
      }
    }
  }

  shouldCall(): boolean {
    return this.#violation === 0 && this.#events.wanted(this.#publishedSlot, this.#publishedWrap);
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
    this.#usedWrap = usedWrap;
    this.#publishedSlot = usedSlot;
    this.#publishedWrap = usedWrap;
    this.#batchEntries = 0;
    this.#batchBuffers = 0;
    this.#batchSlots = 0;
  }

  saveBase(): number {
    const wrap = this.#availFlags === AVAIL ? 1 : 0;
    const used = this.#publishedSlot | (this.#publishedWrap << 15);
    return (this.#slot | (wrap << 15) | (used << 16)) >>> 0;
  }

  restoreBase(base: number): boolean {
    const avail = base & 0xffff;
    const high = (base >>> 16) & 0xffff;
    const used = high === 0 && (avail & 0x8000) !== 0 ? avail : high;
    if ((avail & 0x7fff) >= this.size || (used & 0x7fff) >= this.size) return false;
    this.#start(avail & 0x7fff, avail >>> 15, used & 0x7fff, used >>> 15);
    this.#events.takeOver();
    return true;
  }
}
