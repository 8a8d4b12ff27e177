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
import { DeviceBuffers, zeroCounters } from './device-buffers.ts';
import type { DeviceCounters, DeviceQueue } from './device-queue.ts';
import type { RingPlace } from './driver-queue.ts';
import { IndirectReader } from './indirect-reader.ts';
import { PackedEvents } from './packed-events.ts';
import { ringLayout } from './ring-layout.ts';
import {
  CHAIN_OK,
  VIOLATION_BUFFER_BUSY,
  VIOLATION_CHAIN_BYTES,
  VIOLATION_CHAIN_LENGTH,
  VIOLATION_CHAIN_TORN,
  VIOLATION_ID_RANGE,
  VIOLATION_INDIRECT_FEATURE,
  VIOLATION_INDIRECT_NEXT,
  VIOLATION_NONE,
} from './violations.ts';

const HIGH_WORD = 2 ** 32;
const AVAIL_USED = VIRTQ_DESC_F_AVAIL | VIRTQ_DESC_F_USED;

/** Device side of a packed virtqueue (virtio 1.3, 2.8). */
export class PackedDevice implements DeviceQueue {
  readonly size: number;
  readonly index: number;
  violation = 0;
  readonly counters: DeviceCounters = zeroCounters();

  readonly #u16: Uint16Array;
  readonly #u32: Uint32Array;
  readonly #publisher: Publisher;
  readonly #translator: Translator;
  readonly #inOrder: boolean;
  readonly #indirect: boolean;
  readonly #events: PackedEvents;
  readonly #buffers: DeviceBuffers;
  readonly #tables: IndirectReader;
  readonly #descOffset: number;
  readonly #descWord: number;

  /** Next descriptor to pop, and AVAIL and USED as they mean available in this lap. */
  #slot = 0;
  #availFlags = VIRTQ_DESC_F_AVAIL;
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
    ringLayout('packed', size, place.features.eventIdx);
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
    this.#buffers = new DeviceBuffers(size);
    this.#tables = new IndirectReader(arena, translator, size);
  }

  get inFlight(): number {
    return this.#buffers.inFlight;
  }

  hasAvailable(): boolean {
    if (this.violation !== 0) return false;
    const word = Atomics.load(this.#u32, this.#descWord + this.#slot * 4 + 3);
    return ((word >>> 16) & AVAIL_USED) === this.#availFlags;
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
      if ((word & VIRTQ_DESC_F_NEXT) === 0) chains++;
      if (++slot === this.size) {
        slot = 0;
        flags ^= AVAIL_USED;
      }
    }
    return chains;
  }

  #break(code: number): void {
    this.violation = code;
    this.counters.violations++;
  }

  pop(batch: ChainBatch, max: number): number {
    batch.clear();
    if (!this.hasAvailable()) return 0;
    const limit = Math.min(max, batch.chainCapacity);
    const u32 = this.#u32;
    const buffers = this.#buffers;
    for (let n = 0; n < limit; n++) {
      const w = this.#descWord + this.#slot * 4;
      const idFlags = u32[w + 3];
      const flags = idFlags >>> 16;
      if ((flags & AVAIL_USED) !== this.#availFlags) break;
      batch.open();
      const address = u32[w] + u32[w + 1] * HIGH_WORD;
      const length = u32[w + 2];
      let id = idFlags & 0xffff;
      let slots = 1;
      let code = VIOLATION_NONE;
      if ((flags & (VIRTQ_DESC_F_NEXT | VIRTQ_DESC_F_INDIRECT)) === 0) {
        batch.segment(this.#translator, address, length, (flags & VIRTQ_DESC_F_WRITE) !== 0);
      } else {
        code = this.#walk(batch, address, length, idFlags);
        id = this.#walkId;
        slots = this.#walkSlots;
      }
      if (code === VIOLATION_NONE) {
        if (id >= this.size) code = VIOLATION_ID_RANGE;
        else if (buffers.isBusy(id)) code = VIOLATION_BUFFER_BUSY;
      }
      if (code !== VIOLATION_NONE) {
        batch.abandon();
        this.#break(code);
        break;
      }
      if (n > 0 && batch.isOverflown) {
        batch.abandon();
        break;
      }
      if (batch.status[batch.count] !== CHAIN_OK) this.counters.chainFaults++;
      buffers.add(id, slots, batch.writableBytes[batch.count]);
      batch.close(id);
      this.#move(slots);
    }
    this.counters.chains += batch.count;
    return batch.count;
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

  /** Follows a chain from its first descriptor, which the caller has read; leaves its id and descriptor count. */
  #walk(batch: ChainBatch, address: number, length: number, idFlags: number): number {
    const u32 = this.#u32;
    let slot = this.#slot;
    let expected = this.#availFlags;
    for (let read = 1; ; read++) {
      const flags = idFlags >>> 16;
      this.#walkId = idFlags & 0xffff;
      this.#walkSlots = read;
      if ((flags & VIRTQ_DESC_F_INDIRECT) !== 0) {
        if (!this.#indirect) return VIOLATION_INDIRECT_FEATURE;
        if ((flags & VIRTQ_DESC_F_NEXT) !== 0 || read > 1) return VIOLATION_INDIRECT_NEXT;
        const code = this.#tables.read(batch, address, length, false);
        if (code !== VIOLATION_NONE) return code;
        break;
      }
      batch.segment(this.#translator, address, length, (flags & VIRTQ_DESC_F_WRITE) !== 0);
      if ((flags & VIRTQ_DESC_F_NEXT) === 0) break;
      if (read === this.size) return VIOLATION_CHAIN_LENGTH;
      if (++slot === this.size) {
        slot = 0;
        expected ^= AVAIL_USED;
      }
      const w = this.#descWord + slot * 4;
      idFlags = u32[w + 3];
      if (((idFlags >>> 16) & AVAIL_USED) !== expected) return VIOLATION_CHAIN_TORN;
      address = u32[w] + u32[w + 1] * HIGH_WORD;
      length = u32[w + 2];
    }
    return batch.openBytes > MAX_CHAIN_BYTES ? VIOLATION_CHAIN_BYTES : VIOLATION_NONE;
  }

  unpop(n: number): void {
    for (let i = 0; i < n; i++) this.#move(-this.#buffers.descriptors[this.#buffers.takeBack()]);
    this.counters.chains -= n;
  }

  pushUsed(slot: number, length: number): void {
    if (this.violation !== 0) return;
    const buffers = this.#buffers;
    buffers.complete(slot, length);
    if (this.#inOrder) return;
    this.#writeUsed(slot, length, 1, buffers.descriptors[slot]);
    buffers.remove(slot);
  }

  /** Writes one used descriptor that stands for `count` buffers of `slots` descriptors. */
  #writeUsed(id: number, length: number, count: number, slots: number): void {
    const u32 = this.#u32;
    const at = this.#usedSlot;
    const w = this.#descWord + at * 4;
    const flags = (this.#usedWrap === 1 ? AVAIL_USED : 0) | (length > 0 ? VIRTQ_DESC_F_WRITE : 0);
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
    this.#batchBuffers += count;
    this.#batchSlots += slots;
    let next = at + slots;
    if (next >= this.size) {
      next -= this.size;
      this.#usedWrap ^= 1;
    }
    this.#usedSlot = next;
  }

  publishUsed(): void {
    if (this.violation !== 0) return;
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
    let count = 0;
    let slots = 0;
    for (let id = buffers.oldestCompleted(); id >= 0; ) {
      const written = buffers.written[id];
      const isPartial = written !== buffers.writable[id];
      count++;
      slots += buffers.descriptors[id];
      buffers.removeOldest();
      const next = buffers.oldestCompleted();
      if (isPartial || next < 0) {
        this.#writeUsed(id, written, count, slots);
        count = 0;
        slots = 0;
      }
      id = next;
    }
  }

  shouldCall(): boolean {
    return this.violation === 0 && this.#events.wanted(this.#publishedSlot, this.#publishedWrap);
  }

  enableNotifications(): void {
    this.#events.enable(this.#slot, this.#availFlags === VIRTQ_DESC_F_AVAIL ? 1 : 0);
  }

  disableNotifications(): void {
    this.#events.disable();
  }

  reset(): void {
    this.violation = 0;
    this.#buffers.clear();
    this.#events.reset();
    this.#setPosition(0, 1, 0, 1);
  }

  #setPosition(slot: number, wrap: number, usedSlot: number, usedWrap: number): void {
    this.#slot = slot;
    this.#availFlags = wrap === 1 ? VIRTQ_DESC_F_AVAIL : VIRTQ_DESC_F_USED;
    this.#usedSlot = usedSlot;
    this.#usedWrap = usedWrap;
    this.#publishedSlot = usedSlot;
    this.#publishedWrap = usedWrap;
    this.#batchEntries = 0;
    this.#batchBuffers = 0;
    this.#batchSlots = 0;
  }

  saveBase(): number {
    const wrap = this.#availFlags === VIRTQ_DESC_F_AVAIL ? 1 : 0;
    const used = this.#publishedSlot | (this.#publishedWrap << 15);
    return (this.#slot | (wrap << 15) | (used << 16)) >>> 0;
  }

  restoreBase(base: number): boolean {
    const avail = base & 0xffff;
    const high = (base >>> 16) & 0xffff;
    const used = high === 0 && (avail & 0x8000) !== 0 ? avail : high;
    if ((avail & 0x7fff) >= this.size || (used & 0x7fff) >= this.size) return false;
    this.reset();
    this.#setPosition(avail & 0x7fff, avail >>> 15, used & 0x7fff, used >>> 15);
    this.#events.takeOver();
    return true;
  }
}
