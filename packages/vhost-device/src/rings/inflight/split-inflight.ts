import type { Arena, Publisher } from '@vhostlab/memory';
import type { RingPlace } from '@vhostlab/virtqueue';
import { DESC_NUM_BYTES, INFLIGHT_VERSION, VERSION_BYTES } from './inflight-part.ts';

/** struct QueueRegionSplit: u64 features, u16 version, u16 desc_num, u16 last_batch_head, u16 used_idx, entries. */
const LAST_BATCH_HEAD_BYTES = 12;
const USED_IDX_BYTES = 14;
const HEADER_BYTES = 16;
/** struct DescStateSplit: u8 inflight, 5 bytes, u16 next, u64 counter. */
const ENTRY_BYTES = 16;
const NEXT_BYTES = 6;
const COUNTER_BYTES = 8;
const NONE = new Uint16Array(0);

/**
 * The part of a split ring in the region for buffers in flight, kept by publishing the ring's used index.
 *
 * A device that takes buffers in the order of the available ring, completes them within one step and gives them back in
 * that order leaves no mark in the entries: at every moment what it had taken and not given back is what stands in the
 * available ring from the used index on, and a successor begins there. So a burst costs one store, `used_idx`. Marks
 * that a predecessor of another kind left are worked off as the specification says.
 */
export class SplitInflight implements Publisher {
  readonly #u8: Uint8Array;
  readonly #u16: Uint16Array;
  readonly #u32: Uint32Array;
  readonly #part: number;
  readonly #size: number;
  /** Arena offset of the ring's used index. */
  readonly #usedOffset: number;
  /** Heads that a predecessor left in flight, oldest first, and how many of them are given back. */
  #heads: Uint16Array = NONE;
  #done = 0;
  #usedIdx = 0;

  /** `part`: arena offset of the queue's part. */
  constructor(arena: Arena, place: RingPlace, part: number) {
    this.#u8 = arena.u8;
    this.#u16 = arena.u16;
    this.#u32 = arena.u32;
    this.#part = part;
    this.#size = place.size;
    this.#usedOffset = place.deviceOffset + 2;
  }

  /**
   * Heads that were in flight when the part was last written, oldest first; a part that was never written is made ready.
   * A sentence: what stands there makes no sense. `usedIdx`: the ring's.
   */
  recover(usedIdx: number): Uint16Array | string {
    const version = this.#word(VERSION_BYTES);
    this.#usedIdx = usedIdx;
    if (version === 0) {
      this.#initialise(usedIdx);
      return NONE;
    }
    const count = this.#word(DESC_NUM_BYTES);
    if (version !== INFLIGHT_VERSION) return `the inflight region has version ${version}, not 1`;
    if (count !== this.#size)
      return `the inflight region is for ${count} descriptors, the ring has ${this.#size}`;
    this.#settle(usedIdx);
    this.#heads = this.#collect();
    this.#done = 0;
    return this.#heads;
  }

  #initialise(usedIdx: number): void {
    this.#u8.fill(0, this.#part, this.#entry(this.#size));
    this.#setWord(DESC_NUM_BYTES, this.#size);
    this.#setWord(USED_IDX_BYTES, usedIdx);
    Atomics.store(this.#u16, (this.#part + VERSION_BYTES) >>> 1, INFLIGHT_VERSION);
  }

  /** Ends a batch that was published and not yet cleared of its marks. */
  #settle(usedIdx: number): void {
    let entries = (usedIdx - this.#word(USED_IDX_BYTES)) & 0xffff;
    let head = this.#word(LAST_BATCH_HEAD_BYTES);
    for (; entries > 0 && head < this.#size; entries = Math.min(entries - 1, this.#size)) {
      this.#u8[this.#entry(head)] = 0;
      head = this.#u16[(this.#entry(head) + NEXT_BYTES) >>> 1];
    }
    this.#setWord(USED_IDX_BYTES, usedIdx);
  }

  #collect(): Uint16Array {
    const heads: number[] = [];
    for (let head = 0; head < this.#size; head++) {
      if (this.#u8[this.#entry(head)] === 1) heads.push(head);
    }
    return Uint16Array.from(heads.sort((a, b) => this.#counter(a) - this.#counter(b)));
  }

  #counter(head: number): number {
    const at = (this.#entry(head) + COUNTER_BYTES) >>> 2;
    return this.#u32[at] + this.#u32[at + 1] * 2 ** 32;
  }

  cover(_offset: number, _length: number): void {}

  u16(offset: number, value: number): void {
    if (offset !== this.#usedOffset) {
      Atomics.store(this.#u16, offset >>> 1, value);
      return;
    }
    const marked = this.#done < this.#heads.length;
    const from = this.#done;
    if (marked) this.#link(value);
    Atomics.store(this.#u16, offset >>> 1, value);
    if (marked) for (let i = from; i < this.#done; i++) this.#u8[this.#entry(this.#heads[i])] = 0;
    this.#u16[(this.#part + USED_IDX_BYTES) >>> 1] = value;
    this.#usedIdx = value;
  }

  /** Lists the marked buffers that are about to be given back: a device gives back the oldest first. */
  #link(usedIdx: number): void {
    const end = Math.min(this.#heads.length, this.#done + ((usedIdx - this.#usedIdx) & 0xffff));
    for (; this.#done < end; this.#done++) {
      const head = this.#heads[this.#done];
      this.#u16[(this.#entry(head) + NEXT_BYTES) >>> 1] = this.#word(LAST_BATCH_HEAD_BYTES);
      this.#setWord(LAST_BATCH_HEAD_BYTES, head);
    }
  }

  u32(offset: number, value: number): void {
    Atomics.store(this.#u32, offset >>> 2, value);
  }

  #entry(head: number): number {
    return this.#part + HEADER_BYTES + head * ENTRY_BYTES;
  }

  #word(at: number): number {
    return this.#u16[(this.#part + at) >>> 1];
  }

  #setWord(at: number, value: number): void {
    this.#u16[(this.#part + at) >>> 1] = value;
  }
}
