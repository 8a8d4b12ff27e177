import type { OutstandingBuffer } from './driver-queue.ts';
import { NO_F64 } from './no-arrays.ts';
import type { SegmentList } from './segment-list.ts';
import { VIOLATION_NONE, VIOLATION_USED_ID, VIOLATION_USED_LENGTH } from './violations.ts';

/** Numbers per buffer in `DriverBuffers.records`. */
export const RECORD_STRIDE = 4;
/** The caller's token. */
export const RECORD_TOKEN = 0;
/** Bytes that the device may write. */
export const RECORD_WRITABLE = 1;
/** Number of the buffer in the order of adding; FREE_SEQUENCE while the slot is not in flight. */
export const RECORD_SEQUENCE = 2;
/** Ring descriptors that the buffer takes: 1 but for chains in flight. */
export const RECORD_DESCRIPTORS = 3;
/** Not below any sequence number, so that one comparison finds free and unpublished slots. */
export const FREE_SEQUENCE = Number.POSITIVE_INFINITY;

/**
 * What a driver remembers of the buffers it has given away, by slot (head descriptor or buffer id). Nothing of it
 * lives in guest memory, so a device cannot change it. One array, because each further one costs a nanosecond per
 * packet.
 */
export class DriverBuffers {
  /** Record of slot `s` from index `s * RECORD_STRIDE` on. */
  readonly records: Float64Array = NO_F64;
  readonly #size: number = 0;

  constructor(size: number) {
    this.#size = size;
    this.records = new Float64Array(size * RECORD_STRIDE);
    this.clear();
  }

  clear(): void {
    for (let r = 0; r < this.records.length; r += RECORD_STRIDE) {
      this.records[r + RECORD_SEQUENCE] = FREE_SEQUENCE;
      this.records[r + RECORD_DESCRIPTORS] = 1;
    }
  }

  /** Notes a buffer that goes into flight. */
  add(slot: number, token: number, writable: number, sequence: number, descriptors: number): void {
    const { records } = this;
    const r = slot * RECORD_STRIDE;
    records[r + RECORD_TOKEN] = token;
    records[r + RECORD_WRITABLE] = writable;
    records[r + RECORD_SEQUENCE] = sequence;
    records[r + RECORD_DESCRIPTORS] = descriptors;
  }

  /** Frees `slot`; returns how many ring descriptors its buffer took. */
  remove(slot: number): number {
    const { records } = this;
    const r = slot * RECORD_STRIDE;
    const descriptors = records[r + RECORD_DESCRIPTORS];
    records[r + RECORD_SEQUENCE] = FREE_SEQUENCE;
    records[r + RECORD_DESCRIPTORS] = 1;
    return descriptors;
  }

  /**
   * VIOLATION_… of a device that says it has used `slot` with `length` bytes written, or VIOLATION_NONE; buffers from
   * number `published` on are not its to use.
   */
  usedFault(slot: number, length: number, published: number): number {
    const r = slot * RECORD_STRIDE;
    if (slot >= this.#size || this.records[r + RECORD_SEQUENCE] >= published) return VIOLATION_USED_ID;
    return length > this.records[r + RECORD_WRITABLE] ? VIOLATION_USED_LENGTH : VIOLATION_NONE;
  }

  /** Buffers in flight, oldest first. */
  list(): OutstandingBuffer[] {
    const { records } = this;
    const found: OutstandingBuffer[] = [];
    for (let slot = 0; slot < this.#size; slot++) {
      const r = slot * RECORD_STRIDE;
      if (records[r + RECORD_SEQUENCE] !== FREE_SEQUENCE)
        found.push({ slot, token: records[r + RECORD_TOKEN] });
    }
    const sequence = (buffer: OutstandingBuffer) => records[buffer.slot * RECORD_STRIDE + RECORD_SEQUENCE];
    return found.sort((a, b) => sequence(a) - sequence(b));
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
