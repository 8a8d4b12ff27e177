import type { Arena, Publisher } from '@vhostlab/memory';
import type { ChainBatch, Translator } from './chain-batch.ts';
import {
  MAX_CHAIN_BYTES,
  VIRTQ_DESC_F_INDIRECT,
  VIRTQ_DESC_F_NEXT,
  VIRTQ_DESC_F_WRITE,
} from './constants.ts';
import { DeviceBuffers, zeroCounters } from './device-buffers.ts';
import type { DeviceCounters, DeviceQueue } from './device-queue.ts';
import type { RingPlace } from './driver-queue.ts';
import { IndirectReader } from './indirect-reader.ts';
import { ringLayout } from './ring-layout.ts';
import { SplitEvents } from './split-events.ts';
import {
  CHAIN_OK,
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

const HIGH_WORD = 2 ** 32;

/** Device side of a split virtqueue (virtio 1.3, 2.7). */
export class SplitDevice implements DeviceQueue {
  readonly size: number;
  readonly index: number;
  violation = 0;
  readonly counters: DeviceCounters = zeroCounters();

  readonly #u16: Uint16Array;
  readonly #u32: Uint32Array;
  readonly #publisher: Publisher;
  readonly #translator: Translator;
  readonly #mask: number;
  readonly #inOrder: boolean;
  readonly #indirect: boolean;
  readonly #events: SplitEvents;
  readonly #buffers: DeviceBuffers;
  readonly #tables: IndirectReader;
  /** Places of the areas: words of their typed arrays, and the used area in bytes. */
  readonly #descWord: number;
  readonly #availIdxWord: number;
  readonly #availRingWord: number;
  readonly #usedOffset: number;
  readonly #usedRingWord: number;

  /** Free-running indices modulo 2^16: next chain to pop, published used index. */
  #lastAvail = 0;
  #usedIdx = 0;
  /** Any order: used entries written and not published. */
  #pending = 0;

  constructor(arena: Arena, publisher: Publisher, translator: Translator, place: RingPlace) {
    const size = place.size;
    ringLayout('split', size, place.features.eventIdx);
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
    this.#availRingWord = (place.driverOffset + 4) >>> 1;
    this.#usedOffset = place.deviceOffset;
    this.#usedRingWord = (place.deviceOffset + 4) >>> 2;
    this.#events = new SplitEvents(
      arena,
      publisher,
      { flagsOffset: place.deviceOffset, eventOffset: place.deviceOffset + 4 + 8 * size },
      { flagsOffset: place.driverOffset, eventOffset: place.driverOffset + 4 + 2 * size },
      place.features.eventIdx,
    );
    this.#buffers = new DeviceBuffers(size);
    this.#tables = new IndirectReader(arena, translator, size);
  }

  get inFlight(): number {
    return this.#buffers.inFlight;
  }

  hasAvailable(): boolean {
    return this.violation === 0 && Atomics.load(this.#u16, this.#availIdxWord) !== this.#lastAvail;
  }

  available(): number {
    if (this.violation !== 0) return 0;
    const visible = (Atomics.load(this.#u16, this.#availIdxWord) - this.#lastAvail) & 0xffff;
    if (visible > this.size) {
      this.#break(VIOLATION_AVAIL_JUMP);
      return 0;
    }
    return visible;
  }

  #break(code: number): void {
    this.violation = code;
    this.counters.violations++;
  }

  pop(batch: ChainBatch, max: number): number {
    batch.clear();
    const visible = this.available();
    const limit = Math.min(visible, max, batch.chainCapacity);
    if (limit === 0) return 0;
    const u16 = this.#u16;
    const u32 = this.#u32;
    const mask = this.#mask;
    const buffers = this.#buffers;
    let at = this.#lastAvail;
    for (let n = 0; n < limit; n++) {
      const head = u16[this.#availRingWord + (at & mask)];
      let code = VIOLATION_NONE;
      if (head > mask) code = VIOLATION_HEAD_RANGE;
      else if (buffers.isBusy(head)) code = VIOLATION_BUFFER_BUSY;
      if (code !== VIOLATION_NONE) {
        this.#break(code);
        break;
      }
      batch.open();
      const w = this.#descWord + head * 4;
      const flagsNext = u32[w + 3];
      const address = u32[w] + u32[w + 1] * HIGH_WORD;
      const length = u32[w + 2];
      if ((flagsNext & (VIRTQ_DESC_F_NEXT | VIRTQ_DESC_F_INDIRECT)) === 0) {
        batch.segment(this.#translator, address, length, (flagsNext & VIRTQ_DESC_F_WRITE) !== 0);
      } else {
        code = this.#walk(batch, address, length, flagsNext);
        if (code !== VIOLATION_NONE) {
          batch.abandon();
          this.#break(code);
          break;
        }
        if (n > 0 && batch.isOverflown) {
          batch.abandon();
          break;
        }
      }
      if (batch.status[batch.count] !== CHAIN_OK) this.counters.chainFaults++;
      buffers.add(head, 1, batch.writableBytes[batch.count]);
      batch.close(head);
      at++;
    }
    this.#lastAvail = at & 0xffff;
    this.counters.chains += batch.count;
    return batch.count;
  }

  /** Follows a chain from its first descriptor, which the caller has read. */
  #walk(batch: ChainBatch, address: number, length: number, flagsNext: number): number {
    const u32 = this.#u32;
    for (let read = 1; ; read++) {
      if ((flagsNext & VIRTQ_DESC_F_INDIRECT) !== 0) {
        if (!this.#indirect) return VIOLATION_INDIRECT_FEATURE;
        if ((flagsNext & VIRTQ_DESC_F_NEXT) !== 0) return VIOLATION_INDIRECT_NEXT;
        const code = this.#tables.read(batch, address, length, true);
        if (code !== VIOLATION_NONE) return code;
        break;
      }
      batch.segment(this.#translator, address, length, (flagsNext & VIRTQ_DESC_F_WRITE) !== 0);
      if ((flagsNext & VIRTQ_DESC_F_NEXT) === 0) break;
      const next = flagsNext >>> 16;
      if (next > this.#mask) return VIOLATION_NEXT_RANGE;
      if (read === this.size) return VIOLATION_CHAIN_LENGTH;
      const w = this.#descWord + next * 4;
      flagsNext = u32[w + 3];
      address = u32[w] + u32[w + 1] * HIGH_WORD;
      length = u32[w + 2];
    }
    return batch.openBytes > MAX_CHAIN_BYTES ? VIOLATION_CHAIN_BYTES : VIOLATION_NONE;
  }

  unpop(n: number): void {
    for (let i = 0; i < n; i++) this.#buffers.takeBack();
    this.#lastAvail = (this.#lastAvail - n) & 0xffff;
    this.counters.chains -= n;
  }

  pushUsed(slot: number, length: number): void {
    if (this.violation !== 0) return;
    const buffers = this.#buffers;
    buffers.complete(slot, length);
    if (this.#inOrder) return;
    this.#writeEntry(this.#usedIdx + this.#pending, slot, length);
    this.#pending++;
    buffers.remove(slot);
  }

  #writeEntry(at: number, slot: number, length: number): void {
    const w = this.#usedRingWord + ((at & this.#mask) << 1);
    this.#u32[w] = slot;
    this.#u32[w + 1] = length;
    this.counters.usedEntries++;
  }

  publishUsed(): void {
    if (this.violation !== 0) return;
    const count = this.#inOrder ? this.#flushInOrder() : this.#coverPending();
    if (count === 0) return;
    this.#pending = 0;
    this.#usedIdx = (this.#usedIdx + count) & 0xffff;
    this.counters.used += count;
    this.counters.usedPublications++;
    this.#events.advanced(count);
    this.#publisher.u16(this.#usedOffset + 2, this.#usedIdx);
    this.#events.moved(this.#lastAvail);
  }

  #coverPending(): number {
    const count = this.#pending;
    const first = this.#usedIdx & this.#mask;
    const straight = Math.min(count, this.size - first);
    const ring = this.#usedOffset + 4;
    if (straight > 0) this.#publisher.cover(ring + 8 * first, 8 * straight);
    if (straight < count) this.#publisher.cover(ring, 8 * (count - straight));
    return count;
  }

  /** Writes one entry per run of completed buffers, at the place of the run's first; returns the buffers. */
  #flushInOrder(): number {
    const buffers = this.#buffers;
    let count = 0;
    let runStart = 0;
    for (let slot = buffers.oldestCompleted(); slot >= 0; ) {
      const written = buffers.written[slot];
      const isPartial = written !== buffers.writable[slot];
      buffers.removeOldest();
      count++;
      const next = buffers.oldestCompleted();
      if (isPartial || next < 0) {
        const at = this.#usedIdx + runStart;
        this.#writeEntry(at, slot, written);
        this.#publisher.cover(this.#usedOffset + 4 + ((at & this.#mask) << 3), 8);
        runStart = count;
      }
      slot = next;
    }
    return count;
  }

  shouldCall(): boolean {
    return this.violation === 0 && this.#events.wanted(this.#usedIdx);
  }

  enableNotifications(): void {
    this.#events.enable(this.#lastAvail);
  }

  disableNotifications(): void {
    this.#events.disable(this.#lastAvail, Atomics.load(this.#u16, this.#availIdxWord));
  }

  reset(): void {
    this.violation = 0;
    this.#lastAvail = 0;
    this.#usedIdx = 0;
    this.#pending = 0;
    this.#buffers.clear();
    this.#events.reset();
  }

  saveBase(): number {
    return this.#lastAvail;
  }

  restoreBase(base: number): boolean {
    this.reset();
    this.#lastAvail = base & 0xffff;
    this.#usedIdx = base & 0xffff;
    this.#events.takeOver();
    return true;
  }
}
