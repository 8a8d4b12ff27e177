import type { OutstandingBuffer } from './driver-queue.ts';
import { NO_F64 } from './no-arrays.ts';
import type { SegmentList } from './segment-list.ts';
import { VIOLATION_NONE, VIOLATION_USED_ID, VIOLATION_USED_LENGTH } from './violations.ts';

/** Numbers per buffer in the records: */
const STRIDE = 4;
/** the caller's token, */
const TOKEN = 0;
/** bytes that the device may write, or NOT_PLAIN, */
const WRITABLE = 1;
/** the buffer's number in the order of adding; FREE while the slot is not in flight, */
const SEQUENCE = 2;
/** ring descriptors that a chain takes. */
const DESCRIPTORS = 3;
/** Not below any sequence number, so that one comparison finds free and unpublished slots. */
const FREE = Number.POSITIVE_INFINITY;
/** Below any length, so that one comparison finds buffers of several descriptors and used lengths too large. */
const NOT_PLAIN = -1;

/**
 * What a driver remembers of the buffers it has given away, by slot (head descriptor or buffer id). Nothing of it
 * lives in guest memory, so a device cannot change it. Plain buffers, of one descriptor, have all in one array, because
 * each further one costs a nanosecond per packet.
 */
export class DriverBuffers {
  readonly #records: Float64Array = NO_F64;
  /** Writable bytes of buffers that are not plain. */
  readonly #chainWritable: Float64Array = NO_F64;
  readonly #size: number = 0;

  constructor(size: number) {
    this.#size = size;
    this.#records = new Float64Array(size * STRIDE);
    this.#chainWritable = new Float64Array(size);
    this.clear();
  }

  clear(): void {
    for (let slot = 0; slot < this.#size; slot++) this.#records[slot * STRIDE + SEQUENCE] = FREE;
  }

  /** Notes a plain buffer that goes into flight. @hot */
  addPlain(slot: number, token: number, writable: number, sequence: number): void {
    const records = this.#records;
    const r = slot * STRIDE;
    records[r + TOKEN] = token;
    records[r + WRITABLE] = writable;
    records[r + SEQUENCE] = sequence;
  }

  /** Notes a buffer of `descriptors` ring descriptors. */
  addChain(slot: number, token: number, writable: number, sequence: number, descriptors: number): void {
    this.addPlain(slot, token, NOT_PLAIN, sequence);
    this.#records[slot * STRIDE + DESCRIPTORS] = descriptors;
    this.#chainWritable[slot] = writable;
  }

  /**
   * True when a device may say that it has used `slot`, a plain buffer below number `published`, with `length` bytes
   * written. `slot` is below the size. @hot
   */
  isPlainUsed(slot: number, length: number, published: number): boolean {
    const records = this.#records;
    const r = slot * STRIDE;
    return length <= records[r + WRITABLE] && records[r + SEQUENCE] < published;
  }

  /** Writable bytes of `slot`, a buffer in flight; below 0 when it is not plain. @hot */
  plainWritable(slot: number): number {
    return this.#records[slot * STRIDE + WRITABLE];
  }

  /** Frees `slot`; returns its token. @hot */
  take(slot: number): number {
    const records = this.#records;
    const r = slot * STRIDE;
    records[r + SEQUENCE] = FREE;
    return records[r + TOKEN];
  }

  /**
   * VIOLATION_… of a device that says it has used `slot` with `length` bytes written, or VIOLATION_NONE; buffers from
   * number `published` on are not its to use.
   */
  usedFault(slot: number, length: number, published: number): number {
    if (slot >= this.#size || this.sequence(slot) >= published) return VIOLATION_USED_ID;
    return length > this.writable(slot) ? VIOLATION_USED_LENGTH : VIOLATION_NONE;
  }

  sequence(slot: number): number {
    return this.#records[slot * STRIDE + SEQUENCE];
  }

  /** Bytes of the buffer that the device may write. */
  writable(slot: number): number {
    const plain = this.#records[slot * STRIDE + WRITABLE];
    return plain === NOT_PLAIN ? this.#chainWritable[slot] : plain;
  }

  /** Ring descriptors of the buffer. */
  descriptors(slot: number): number {
    const r = slot * STRIDE;
    return this.#records[r + WRITABLE] === NOT_PLAIN ? this.#records[r + DESCRIPTORS] : 1;
  }

  /** Buffers in flight, oldest first. */
  list(): OutstandingBuffer[] {
    const found: OutstandingBuffer[] = [];
    for (let slot = 0; slot < this.#size; slot++) {
      if (this.sequence(slot) !== FREE) found.push({ slot, token: this.#records[slot * STRIDE + TOKEN] });
    }
    return found.sort((a, b) => this.sequence(a.slot) - this.sequence(b.slot));
  }
}

/** Bytes of the writable segments. Throws when the list cannot be a buffer of at most `limit` descriptors. */
export function checkedWritableBytes(segments: SegmentList, limit: number): number {
  const count = segments.count;
  if (count === 0 || count > limit) {
    throw new RangeError(`a buffer of ${count} segments does not go into ${limit} descriptors`);
  }
  let bytes = 0;
  let writing = false;
  for (let i = 0; i < count; i++) {
    if (segments.writable[i] === 1) {
      writing = true;
      bytes += segments.length[i];
    } else if (writing) {
      throw new RangeError('a device-readable segment comes after a device-writable one');
    }
  }
  return bytes;
}
