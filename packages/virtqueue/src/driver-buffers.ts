import type { DriverPlace, OutstandingBuffer } from './driver-queue.ts';
import type { SegmentList } from './segment-list.ts';

/**
 * What a driver remembers of the buffers it has given away, by slot (head descriptor or buffer id). Nothing of it
 * lives in guest memory, so a device cannot change it.
 */
export class DriverBuffers {
  readonly size: number;
  readonly token: Float64Array;
  /** Bytes that the device may write. */
  readonly writable: Float64Array;
  /** Ring descriptors that the buffer takes; 0: the slot is not in flight. */
  readonly descriptors: Uint16Array;
  /** Number of the buffer in the order of adding. */
  readonly sequence: Float64Array;
  /** Buffers added, published and popped since the start. */
  added = 0;
  published = 0;
  popped = 0;
  /** Slots in the order of adding, a ring: the oldest in flight is at `oldest` while buffers come back in order. */
  readonly order: Uint16Array;
  oldest = 0;
  #newest = 0;

  constructor(size: number) {
    this.size = size;
    this.token = new Float64Array(size);
    this.writable = new Float64Array(size);
    this.descriptors = new Uint16Array(size);
    this.sequence = new Float64Array(size);
    this.order = new Uint16Array(size);
  }

  add(slot: number, descriptors: number, writable: number, token: number): void {
    const sequence = this.added;
    this.added = sequence + 1;
    this.token[slot] = token;
    this.writable[slot] = writable;
    this.descriptors[slot] = descriptors;
    this.sequence[slot] = sequence;
    const at = this.#newest;
    this.order[at] = slot;
    this.#newest = at + 1 === this.size ? 0 : at + 1;
  }

  /** True when the device may complete `slot` now. */
  isPublished(slot: number): boolean {
    return slot < this.size && this.descriptors[slot] !== 0 && this.sequence[slot] < this.published;
  }

  /** Takes `slot` back. */
  remove(slot: number): void {
    this.descriptors[slot] = 0;
    this.popped++;
    this.oldest = this.oldest + 1 === this.size ? 0 : this.oldest + 1;
  }

  get inFlight(): number {
    return this.added - this.popped;
  }

  list(): OutstandingBuffer[] {
    const found: OutstandingBuffer[] = [];
    for (let slot = 0; slot < this.size; slot++) {
      if (this.descriptors[slot] !== 0) found.push({ slot, token: this.token[slot] });
    }
    return found.sort((a, b) => this.sequence[a.slot] - this.sequence[b.slot]);
  }

  clear(): void {
    this.descriptors.fill(0);
    this.added = 0;
    this.published = 0;
    this.popped = 0;
    this.oldest = 0;
    this.#newest = 0;
  }
}

/** Bytes of the writable segments. Throws when the list cannot be a buffer of a queue of `limit` descriptors. */
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

/** Arena offset of the indirect table of `slot`; throws when the queue has no tables or the buffer is too long. */
export function indirectTableOffset(place: DriverPlace, slot: number, segments: SegmentList): number {
  const tables = place.tables;
  if (!place.features.indirect || tables === undefined) {
    throw new Error(
      `queue ${place.index} has no indirect tables; negotiate VIRTIO_F_INDIRECT_DESC and give it tables`,
    );
  }
  if (segments.count > tables.entries) {
    throw new RangeError(
      `a buffer of ${segments.count} segments does not go into a table of ${tables.entries}`,
    );
  }
  return tables.offset + slot * tables.entries * 16;
}
