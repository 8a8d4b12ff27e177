import { ACCESS_READ, type Arena, type Publisher } from '@vhostlab/memory';
import type { ChainBatch, Translator } from './chain-batch.ts';
import {
  MAX_CHAIN_BYTES,
  VIRTQ_DESC_F_INDIRECT,
  VIRTQ_DESC_F_NEXT,
  VIRTQ_DESC_F_WRITE,
} from './constants.ts';
import { DeviceBuffers, failNotInFlight, zeroCounters } from './device-buffers.ts';
import type { DeviceCounters, DeviceQueue } from './device-queue.ts';
import type { RingPlace } from './driver-queue.ts';
import { IndirectReader } from './indirect-reader.ts';
import { NO_U16, NO_U32 } from './no-arrays.ts';
import { checkPlace } from './ring-layout.ts';
import { SplitEvents } from './split-events.ts';
import {
  VIOLATION_AVAIL_JUMP,
  VIOLATION_BUFFER_BUSY,
  VIOLATION_CHAIN_BYTES,
  VIOLATION_CHAIN_LENGTH,
  VIOLATION_HEAD_RANGE,
  VIOLATION_INDIRECT_FEATURE,
  VIOLATION_INDIRECT_NEXT,
  VIOLATION_NEXT_RANGE,
  VIOLATION_NONE,
} from './violations.ts';

/** Own copies: an imported constant is loaded and checked at every use, a module's own is folded into the code. */
const NEXT = VIRTQ_DESC_F_NEXT;
const WRITE = VIRTQ_DESC_F_WRITE;
const INDIRECT = VIRTQ_DESC_F_INDIRECT;
const CHAINED = NEXT | INDIRECT;
/** ACCESS_WRITE is one more. */
const READ = ACCESS_READ;

const HIGH_WORD = 2 ** 32;

/** Device side of a split virtqueue (virtio 1.3, 2.7). */
export class SplitDevice implements DeviceQueue {
  readonly size: number = 0;
  readonly index: number = 0;
  readonly counters: DeviceCounters = zeroCounters();

  readonly #u16: Uint16Array = NO_U16;
  readonly #u32: Uint32Array = NO_U32;
  readonly #publisher: Publisher;
  readonly #translator: Translator;
  readonly #mask: number = 0;
  readonly #inOrder: boolean = false;
  readonly #indirect: boolean = false;
  readonly #events: SplitEvents;
  readonly #tables: IndirectReader;
  readonly #buffers: DeviceBuffers;
  readonly #descriptors: Uint16Array = NO_U16;
  readonly #order: Uint16Array = NO_U16;
  /** Places of the areas: words of their typed arrays, and the used area in bytes. */
  readonly #descWord: number = 0;
  readonly #availIdxWord: number = 0;
  readonly #availWord: number = 0;
  readonly #usedOffset: number = 0;
  readonly #usedWord: number = 0;

  #violation = 0;
  /** Free-running indices modulo 2^16: next chain to pop, next used entry to write, published used index. */
  #lastAvail = 0;
  #nextUsed = 0;
  #usedIdx = 0;
  /** Heads that a device before this one left in flight, and the index behind the last of them (`resubmit`). */
  #again: Uint16Array = NO_U16;
  #againEnd = 0;

  constructor(arena: Arena, publisher: Publisher, translator: Translator, place: RingPlace) {
    const size = place.size;
    checkPlace('split', place, arena.sizeBytes);
    this.size = size;
    this.index = place.index;
    this.#u16 = arena.u16;
    this.#u32 = arena.u32;
    this.#publisher = publisher;
    this.#translator = translator;
    this.#mask = size - 1;
    this.#inOrder = place.features.inOrder;
    this.#indirect = place.features.indirect;
    this.#descWord = place.descOffset >>> 2;
    this.#availIdxWord = (place.driverOffset + 2) >>> 1;
    this.#availWord = (place.driverOffset + 4) >>> 1;
    this.#usedOffset = place.deviceOffset;
    this.#usedWord = (place.deviceOffset + 4) >>> 2;
    this.#events = new SplitEvents(
      arena,
      publisher,
      { flagsOffset: place.deviceOffset, eventOffset: place.deviceOffset + 4 + 8 * size },
      { flagsOffset: place.driverOffset, eventOffset: place.driverOffset + 4 + 2 * size },
      place.features.eventIdx,
    );
    this.#tables = new IndirectReader(arena, translator, size);
    this.#buffers = new DeviceBuffers(size, place.features.inOrder);
    this.#descriptors = this.#buffers.descriptors;
    this.#order = this.#buffers.order;
  }

  get inFlight(): number {
    return (this.#lastAvail - this.#usedIdx) & 0xffff;
  }

  get violation(): number {
    return this.#violation;
  }

  /** Next available index. */
  get position(): number {
    return this.#lastAvail;
  }

  /** True when used entries are written for the next available buffers, as a `SplitPlain` needs it. */
  get isLevel(): boolean {
    return this.#lastAvail === this.#usedIdx && this.#again.length === 0;
  }

  hasAvailable(): boolean {
    return this.#violation === 0 && Atomics.load(this.#u16, this.#availIdxWord) !== this.#lastAvail;
  }

  available(): number {
    if (this.#violation !== 0) return 0;
    const visible = (Atomics.load(this.#u16, this.#availIdxWord) - this.#lastAvail) & 0xffff;
    if (visible > this.size) {
      this.#break(VIOLATION_AVAIL_JUMP);
      return 0;
    }
    return visible;
  }

  #break(code: number): void {
    this.#violation = code;
    this.counters.violations++;
  }

  pop(batch: ChainBatch, max: number): number {
    batch.clear();
    const limit = Math.min(this.available(), max, batch.chainCapacity);
    let plain = 0;
    while (batch.count < limit) {
      if (batch.isPlain && this.#again.length === 0) {
        this.#popSingles(batch, limit);
        plain = batch.count;
      }
      if (batch.count === limit || !this.#popChain(batch)) break;
    }
    const count = batch.count;
    if (count === 0) return 0;
    if (!batch.isPlain) batch.translate(this.#translator, plain);
    if (this.#inOrder) this.#buffers.noteWritable(batch);
    this.counters.chains += count;
    this.counters.chainFaults += batch.countFaults();
    return count;
  }

  /**
   * Takes chains up to `limit` as long as they are of one descriptor that lies in one place; others it leaves untouched.
   * Translates at once: a loop of its own costs a nanosecond per chain.
   */
  #popSingles(batch: ChainBatch, limit: number): void {
    const { slot, readableBytes, writableBytes, address, length, writable, offset } = batch;
    const translator = this.#translator;
    const u16 = this.#u16;
    const u32 = this.#u32;
    const descriptors = this.#descriptors;
    const order = this.#order;
    const mask = this.#mask | 0;
    const descWord = this.#descWord | 0;
    const availWord = this.#availWord | 0;
    const lastAvail = this.#lastAvail | 0;
    const chains = batch.count | 0;
    const room = (Math.min(limit, batch.segmentCapacity) - chains) | 0;
    let i = 0;
    for (; i < room; i++) {
      const at = (lastAvail + i) & mask;
      const head = u16[availWord + at];
      if (head > mask || descriptors[head] !== 0) break;
      const w = descWord + head * 4;
      const flagsNext = u32[w + 3];
      if ((flagsNext & CHAINED) !== 0) break;
      const bytes = u32[w + 2];
      const guest = u32[w] + u32[w + 1] * HIGH_WORD;
      const isWritable = (flagsNext & WRITE) >> 1;
      const place = translator.translate(guest, bytes, READ + isWritable);
      if (place < 0) break;
      const chain = chains + i;
      offset[chain] = place;
      address[chain] = guest;
      length[chain] = bytes;
      descriptors[head] = 1;
      order[at] = head;
      slot[chain] = head;
      writable[chain] = isWritable;
      writableBytes[chain] = bytes * isWritable;
      readableBytes[chain] = bytes * (1 - isWritable);
    }
    batch.count = chains + i;
    batch.segmentTotal = chains + i;
    this.#lastAvail = (lastAvail + i) & 0xffff;
  }

  /** Takes the next chain, whatever it is; false when it breaks the queue or has to wait for an empty batch. */
  #popChain(batch: ChainBatch): boolean {
    const at = this.#lastAvail & this.#mask;
    const head = this.#headAt(this.#lastAvail);
    let code = VIOLATION_NONE;
    if (head > this.#mask) code = VIOLATION_HEAD_RANGE;
    else if (this.#descriptors[head] !== 0) code = VIOLATION_BUFFER_BUSY;
    else code = this.#walk(batch, head);
    if (code !== VIOLATION_NONE) {
      this.#break(code);
      return false;
    }
    if (batch.isOverflown && batch.count > 0) {
      batch.abandon();
      return false;
    }
    batch.close(head);
    this.#descriptors[head] = 1;
    this.#order[at] = head;
    this.#lastAvail = (this.#lastAvail + 1) & 0xffff;
    return true;
  }

  #headAt(index: number): number {
    const left = (this.#againEnd - index) & 0xffff;
    const again = this.#again;
    if (left > 0 && left <= again.length) return again[again.length - left];
    return this.#u16[this.#availWord + (index & this.#mask)];
  }

  /**
   * Takes over from a device that has taken `heads` (oldest first) and not given them back, in whatever order it gave
   * back others: they are popped first, as if they stood in the available ring from the used index on, where as many
   * others did. To be called after `restoreBase` with the used index. False, and nothing is done: the driver never made
   * so many available, or a head is outside the table.
   */
  resubmit(heads: Uint16Array): boolean {
    if (heads.length > this.available() || heads.some((head) => head > this.#mask)) return false;
    this.#again = heads.slice();
    this.#againEnd = (this.#usedIdx + heads.length) & 0xffff;
    return true;
  }

  /** Forgets what was resubmitted, once all of it is given back. */
  #endAgain(): void {
    const left = (this.#againEnd - this.#usedIdx) & 0xffff;
    if (left === 0 || left > this.#again.length) this.#again = NO_U16;
  }

  /** Opens a chain in the batch and follows it from `head`. Returns a VIOLATION_…, which leaves nothing in the batch. */
  #walk(batch: ChainBatch, head: number): number {
    batch.open();
    const code = this.#follow(batch, head);
    if (code !== VIOLATION_NONE) batch.abandon();
    return code;
  }

  #follow(batch: ChainBatch, head: number): number {
    const u32 = this.#u32;
    let desc = head;
    for (let read = 1; ; read++) {
      const w = this.#descWord + desc * 4;
      const flagsNext = u32[w + 3];
      const address = u32[w] + u32[w + 1] * HIGH_WORD;
      const length = u32[w + 2];
      if ((flagsNext & INDIRECT) !== 0) {
        if (!this.#indirect) return VIOLATION_INDIRECT_FEATURE;
        if ((flagsNext & NEXT) !== 0) return VIOLATION_INDIRECT_NEXT;
        const code = this.#tables.read(batch, address, length, true);
        if (code !== VIOLATION_NONE) return code;
        break;
      }
      batch.segment(address, length, (flagsNext & WRITE) !== 0);
      if ((flagsNext & NEXT) === 0) break;
      desc = flagsNext >>> 16;
      if (desc > this.#mask) return VIOLATION_NEXT_RANGE;
      if (read === this.size) return VIOLATION_CHAIN_LENGTH;
    }
    return batch.openBytes > MAX_CHAIN_BYTES ? VIOLATION_CHAIN_BYTES : VIOLATION_NONE;
  }

  unpop(n: number): void {
    for (let i = 0; i < n; i++) {
      const before = (this.#lastAvail - 1) & 0xffff;
      const slot = this.#order[before & this.#mask];
      const isDone = this.#inOrder && this.#buffers.completed[slot] === 1;
      if (this.inFlight === 0 || this.#descriptors[slot] === 0 || isDone) failNotInFlight(slot);
      this.#buffers.remove(slot);
      this.#lastAvail = before;
    }
    this.counters.chains -= n;
  }

  pushUsed(slot: number, length: number): void {
    if (this.#violation !== 0) return;
    if (this.#descriptors[slot] !== 1) failNotInFlight(slot);
    if (this.#inOrder) {
      if (this.#buffers.completed[slot] === 1) failNotInFlight(slot);
      this.#buffers.complete(slot, length);
      return;
    }
    this.#descriptors[slot] = 0;
    const at = this.#nextUsed;
    const w = this.#usedWord + ((at & this.#mask) << 1);
    this.#u32[w] = slot;
    this.#u32[w + 1] = length;
    this.#nextUsed = (at + 1) & 0xffff;
  }

  pushUsedBurst(slots: Uint16Array, count: number, length: number): void {
    if (this.#violation !== 0) return;
    if (this.#inOrder) {
      for (let i = 0; i < count; i++) this.pushUsed(slots[i], length);
      return;
    }
    const u32 = this.#u32;
    const descriptors = this.#descriptors;
    const mask = this.#mask | 0;
    const ring = this.#usedWord | 0;
    const at = this.#nextUsed | 0;
    for (let i = 0; i < count; i++) {
      const slot = slots[i];
      if (descriptors[slot] !== 1) failNotInFlight(slot);
      descriptors[slot] = 0;
      const w = ring + (((at + i) & mask) << 1);
      u32[w] = slot;
      u32[w + 1] = length;
    }
    this.#nextUsed = (at + count) & 0xffff;
  }

  publishUsed(): void {
    if (this.#violation !== 0) return;
    const count = this.#inOrder ? this.#flushInOrder() : this.#coverEntries();
    if (count === 0) return;
    this.#usedIdx = this.#nextUsed;
    if (this.#again.length > 0) this.#endAgain();
    this.counters.used += count;
    this.counters.usedPublications++;
    this.#events.advanced(count);
    this.#publisher.u16(this.#usedOffset + 2, this.#usedIdx);
    this.#events.moved(this.#lastAvail);
  }

  /**
   * What `SplitPlain` did: `buffers` buffers from the position on are taken and done, and their `entries` used entries
   * stand in the ring. Publishes. Throws while buffers are in flight.
   */
  moveOn(buffers: number, entries: number): void {
    if (this.#violation !== 0) return;
    if (!this.isLevel) throw new Error(`queue ${this.index} has buffers in flight`);
    const index = (this.#usedIdx + buffers) & 0xffff;
    this.#lastAvail = index;
    this.#nextUsed = index;
    this.#usedIdx = index;
    const { counters } = this;
    counters.chains += buffers;
    counters.used += buffers;
    counters.usedEntries += entries;
    counters.usedPublications++;
    this.#events.advanced(buffers);
    this.#publisher.u16(this.#usedOffset + 2, index);
    this.#events.moved(index);
  }

  #coverEntries(): number {
    const count = (this.#nextUsed - this.#usedIdx) & 0xffff;
    const first = this.#usedIdx & this.#mask;
    const straight = Math.min(count, this.size - first);
    const ring = this.#usedOffset + 4;
    if (straight > 0) this.#publisher.cover(ring + 8 * first, 8 * straight);
    if (straight < count) this.#publisher.cover(ring, 8 * (count - straight));
    this.counters.usedEntries += count;
    return count;
  }

  /** Writes one entry per run of completed buffers, at the place of the run's first; returns the buffers. */
  #flushInOrder(): number {
    const buffers = this.#buffers;
    const from = this.#nextUsed;
    let run = from;
    while (this.#nextUsed !== this.#lastAvail) {
      const slot = this.#order[this.#nextUsed & this.#mask];
      if (buffers.completed[slot] === 0) break;
      buffers.remove(slot);
      this.#nextUsed = (this.#nextUsed + 1) & 0xffff;
      if (buffers.isPartial(slot) || !this.#isNextCompleted()) {
        const entry = run & this.#mask;
        const w = this.#usedWord + (entry << 1);
        this.#u32[w] = slot;
        this.#u32[w + 1] = buffers.written[slot];
        this.#publisher.cover(this.#usedOffset + 4 + 8 * entry, 8);
        this.counters.usedEntries++;
        run = this.#nextUsed;
      }
    }
    return (this.#nextUsed - from) & 0xffff;
  }

  #isNextCompleted(): boolean {
    if (this.#nextUsed === this.#lastAvail) return false;
    return this.#buffers.completed[this.#order[this.#nextUsed & this.#mask]] === 1;
  }

  shouldCall(): boolean {
    return this.#violation === 0 && this.#events.wanted(this.#usedIdx);
  }

  enableNotifications(): void {
    this.#events.enable(this.#lastAvail);
  }

  disableNotifications(): void {
    this.#events.disable(this.#lastAvail, Atomics.load(this.#u16, this.#availIdxWord));
  }

  reset(): void {
    this.#events.reset();
    this.#start(0);
  }

  #start(index: number): void {
    this.#violation = 0;
    this.#again = NO_U16;
    this.#lastAvail = index;
    this.#nextUsed = index;
    this.#usedIdx = index;
    this.#buffers.clear();
  }

  saveBase(): number {
    return this.#lastAvail;
  }

  restoreBase(base: number): boolean {
    this.#start(base & 0xffff);
    this.#events.takeOver();
    return true;
  }
}
