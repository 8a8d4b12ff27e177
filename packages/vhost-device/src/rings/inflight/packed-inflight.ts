import type { Arena } from '@vhostlab/memory';
import type { RingPlace } from '@vhostlab/virtqueue';
import { DESC_NUM_BYTES, INFLIGHT_VERSION, VERSION_BYTES } from './inflight-part.ts';
import {
  ADDR_BYTES,
  COUNTER_BYTES,
  ENTRY_BYTES,
  FREE_HEAD_BYTES,
  HEADER_BYTES,
  ID_BYTES,
  LAST_BYTES,
  LEN_BYTES,
  NEXT_BYTES,
  NUM_BYTES,
  OLD_FREE_HEAD_BYTES,
  OLD_USED_IDX_BYTES,
  OLD_USED_WRAP_BYTES,
  USED_IDX_BYTES,
  USED_WRAP_BYTES,
} from './packed-layout.ts';

const DESC_BYTES = 16;
/** No entry of any region: rings have at most 32768 descriptors. */
const NONE = 0xffff;

/** A used position: slot and wrap counter (0 or 1). */
export interface UsedPosition {
  readonly slot: number;
  readonly wrap: number;
}

/**
 * The part of a packed ring in the region for buffers in flight, as the specification has it: a copy of every descriptor
 * that is taken, since used descriptors overwrite the available ones before they are published. The region is the peer's
 * to write too, so what is needed to go on is kept here and only written there.
 */
export class PackedInflight {
  readonly #u8: Uint8Array;
  readonly #u16: Uint16Array;
  readonly #u32: Uint32Array;
  readonly #part: number;
  readonly #size: number;
  readonly #desc: number;
  /** Of each entry the next free one or the next of its buffer, and of a buffer's first its last and how many. */
  readonly #next: Uint16Array;
  readonly #last: Uint16Array;
  readonly #num: Uint16Array;
  #freeHead = 0;
  #free = 0;
  #usedIdx = 0;
  #usedWrap = 0;
  #counter = 0;

  /** Makes the part ready: nothing is in flight, the ring goes on at `used`. `part`: its arena offset. */
  constructor(arena: Arena, { size, descOffset }: RingPlace, part: number, used: UsedPosition) {
    this.#u8 = arena.u8;
    this.#u16 = arena.u16;
    this.#u32 = arena.u32;
    this.#part = part;
    this.#size = size;
    this.#free = size;
    this.#desc = descOffset;
    this.#next = Uint16Array.from({ length: size }, (_, i) => i + 1);
    this.#last = new Uint16Array(size);
    this.#num = new Uint16Array(size);
    this.#usedIdx = used.slot;
    this.#usedWrap = used.wrap;
    const version = (part + VERSION_BYTES) >>> 1;
    Atomics.store(this.#u16, version, 0);
    this.#u8.fill(0, part, this.#entry(size));
    for (let i = 0; i < size; i++) this.#set(i, NEXT_BYTES, i + 1);
    this.#setWord(DESC_NUM_BYTES, size);
    this.#setWord(USED_IDX_BYTES, used.slot);
    this.#setWord(OLD_USED_IDX_BYTES, used.slot);
    this.#u8[part + USED_WRAP_BYTES] = used.wrap;
    this.#u8[part + OLD_USED_WRAP_BYTES] = used.wrap;
    Atomics.store(this.#u16, version, INFLIGHT_VERSION);
  }

  /**
   * Copies the buffer of `slots` descriptors that begins in ring slot `slot`; answers the entry that stands for it, NONE
   * when a driver races for more than the ring holds. ("When receiving available buffers")
   */
  take(slot: number, slots: number): number {
    const head = this.#freeHead;
    if (this.#free < slots) return NONE;
    this.#set(head, NUM_BYTES, 0);
    const counter = (this.#entry(head) + COUNTER_BYTES) >>> 2;
    this.#u32[counter] = this.#counter;
    this.#u32[counter + 1] = Math.floor(this.#counter / 2 ** 32);
    this.#counter++;
    this.#u8[this.#entry(head)] = 1;
    let entry = head;
    for (let i = 0, at = slot; i < slots; i++) {
      this.#copy(at, entry);
      if (i + 1 === slots) this.#set(head, LAST_BYTES, entry);
      this.#set(head, NUM_BYTES, i + 1);
      this.#last[head] = entry;
      entry = this.#next[entry];
      this.#setWord(FREE_HEAD_BYTES, entry);
      at = at + 1 === this.#size ? 0 : at + 1;
    }
    this.#num[head] = slots;
    this.#free -= slots;
    this.#freeHead = entry;
    // from here on the buffer is in flight for whoever looks
    Atomics.store(this.#u16, (this.#part + OLD_FREE_HEAD_BYTES) >>> 1, entry);
    return head;
  }

  #copy(slot: number, entry: number): void {
    const u32 = this.#u32;
    const from = (this.#desc + slot * DESC_BYTES) >>> 2;
    const to = this.#entry(entry) >>> 2;
    u32[to + (ADDR_BYTES >>> 2)] = u32[from];
    u32[to + (ADDR_BYTES >>> 2) + 1] = u32[from + 1];
    u32[to + (LEN_BYTES >>> 2)] = u32[from + 2];
    u32[to + (ID_BYTES >>> 2)] = u32[from + 3];
  }

  /** Descriptors of the buffer at `entry`. */
  countOf(entry: number): number {
    return entry === NONE ? 0 : this.#num[entry];
  }

  /** Puts a buffer's entries into the free list. */
  free(entry: number): void {
    if (entry === NONE) return;
    this.#free += this.#num[entry];
    const last = this.#last[entry];
    this.#next[last] = this.#freeHead;
    this.#set(last, NEXT_BYTES, this.#freeHead);
    this.#freeHead = entry;
    this.#setWord(FREE_HEAD_BYTES, entry);
  }

  /** Moves the used position over `descriptors`, before their flags are published. */
  advance(descriptors: number): void {
    let next = this.#usedIdx + descriptors;
    if (next >= this.#size) {
      next -= this.#size;
      this.#usedWrap ^= 1;
    }
    this.#usedIdx = next;
    this.#u8[this.#part + USED_WRAP_BYTES] = this.#usedWrap;
    Atomics.store(this.#u16, (this.#part + USED_IDX_BYTES) >>> 1, next);
  }

  /** The buffer at `entry` is no longer in flight. */
  clear(entry: number): void {
    if (entry !== NONE) this.#u8[this.#entry(entry)] = 0;
  }

  /** What was done is published: there is no way back. */
  commit(): void {
    this.#setWord(OLD_FREE_HEAD_BYTES, this.#freeHead);
    // the index last: as long as it differs, the ring says what happened
    this.#u8[this.#part + OLD_USED_WRAP_BYTES] = this.#usedWrap;
    Atomics.store(this.#u16, (this.#part + OLD_USED_IDX_BYTES) >>> 1, this.#usedIdx);
  }

  #entry(index: number): number {
    return this.#part + HEADER_BYTES + index * ENTRY_BYTES;
  }

  #set(entry: number, at: number, value: number): void {
    this.#u16[(this.#entry(entry) + at) >>> 1] = value;
  }

  #setWord(at: number, value: number): void {
    this.#u16[(this.#part + at) >>> 1] = value;
  }
}
