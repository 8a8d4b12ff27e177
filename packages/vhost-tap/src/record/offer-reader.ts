import { ACCESS_READ, type AddressSpace, type Arena } from '@vhostlab/memory';
import {
  VIRTQ_DESC_F_AVAIL,
  VIRTQ_DESC_F_INDIRECT,
  VIRTQ_DESC_F_NEXT,
  VIRTQ_DESC_F_USED,
  VIRTQ_DESC_F_WRITE,
} from '@vhostlab/virtqueue';
import type { RingToObserve } from '../observe/ring-to-observe.ts';
import { type DescriptorNote, hex } from './record-lines.ts';

const HIGH_WORD = 2 ** 32;
const AVAIL_USED = VIRTQ_DESC_F_AVAIL | VIRTQ_DESC_F_USED;
/** A table longer than this is not kept. */
const MAX_TABLE_BYTES = 4096;
/** Bytes kept of what one buffer holds. */
const MAX_DATA_BYTES = 65_536;

/** A piece of guest memory to keep. */
export interface Piece {
  readonly gpa: number;
  readonly offset: number;
  readonly bytes: number;
}

/** A buffer as memory shows it. */
export interface Offer {
  readonly place: number;
  readonly descriptors: DescriptorNote[];
  readonly pieces: Piece[];
  writable: number;
}

/**
 * Reads what a driver offers for the record: raw descriptors, tables and device-readable bytes. Unlike the observer it
 * takes memory at its word; a ring that is too fast for it leaves gaps.
 */
export class OfferReader {
  readonly #arena: Arena;
  readonly #ring: RingToObserve;
  /** Places that came after the ones read so far. Split: index; packed: place from 0 to 2 * size - 1. */
  #next: number;
  /** Descriptors of a packed ring that the last read left. */
  #left = 0;

  constructor(arena: Arena, ring: RingToObserve, next: number) {
    this.#arena = arena;
    this.#ring = ring;
    this.#next = next;
  }

  /**
   * Reads up to `most` buffers that are new, up to the driver's place as a sample shows it. `give` gets each, and how many
   * descriptors or indices went by unseen before it.
   */
  read(
    memory: AddressSpace,
    avail: number,
    most: number,
    give: (offer: Offer, missed: number) => void,
  ): void {
    if (avail < 0) return;
    if (this.#ring.format === 'split') this.#readSplit(memory, avail, most, give);
    else this.#readPacked(memory, avail, most, give);
  }

  #readSplit(
    memory: AddressSpace,
    avail: number,
    most: number,
    give: (offer: Offer, missed: number) => void,
  ): void {
    const { size, driverOffset } = this.#ring;
    const steps = (avail - this.#next) & 0xffff;
    const count = Math.min(steps, most, size);
    let missed = steps - count;
    for (let i = 0; i < count; i++) {
      const index = (avail - count + i) & 0xffff;
      const head = this.#arena.u16[(driverOffset + 4 + 2 * (index & (size - 1))) >>> 1];
      const offer: Offer = { place: index, descriptors: [], pieces: [], writable: 0 };
      this.#follow(memory, offer, head);
      give(offer, missed);
      missed = 0;
    }
    this.#next = avail;
  }

  #follow(memory: AddressSpace, offer: Offer, head: number): void {
    const { size } = this.#ring;
    for (let slot = head, read = 0; slot < size && read < size; read++) {
      const { flags, last } = this.#take(memory, offer, slot);
      if ((flags & VIRTQ_DESC_F_NEXT) === 0) return;
      slot = last;
    }
  }

  #readPacked(
    memory: AddressSpace,
    avail: number,
    most: number,
    give: (offer: Offer, missed: number) => void,
  ): void {
    const { size } = this.#ring;
    const around = 2 * size;
    const end = (avail & 0x7fff) + ((avail & 0x8000) === 0 ? size : 0);
    let left = (end - this.#next + around) % around;
    let missed = this.#left;
    if (left > size) {
      missed += left - size;
      left = size;
    }
    for (let given = 0; left > 0 && given < most; ) {
      const place = (end - left + around) % around;
      const offer: Offer = { place: wireOf(place, size), descriptors: [], pieces: [], writable: 0 };
      const slots = this.#followPacked(memory, offer, place, left);
      if (slots === 0) {
        missed++;
        left--;
        continue;
      }
      give(offer, missed);
      missed = 0;
      given++;
      left -= slots;
    }
    this.#left = left + missed;
    this.#next = end;
  }

  /** Descriptors of the list at `place`; 0 when it is not available any more. */
  #followPacked(memory: AddressSpace, offer: Offer, place: number, most: number): number {
    const { size } = this.#ring;
    for (let read = 0; read < most; read++) {
      const at = (place + read) % (2 * size);
      const { flags } = this.#take(memory, offer, at % size);
      const expected = at < size ? VIRTQ_DESC_F_AVAIL : VIRTQ_DESC_F_USED;
      if ((flags & AVAIL_USED) !== expected) return 0;
      if ((flags & VIRTQ_DESC_F_NEXT) === 0) return read + 1;
    }
    return most;
  }

  #take(memory: AddressSpace, offer: Offer, slot: number): { flags: number; last: number } {
    const { u16, u32 } = this.#arena;
    const at = this.#ring.descOffset + 16 * slot;
    const w = at >>> 2;
    const address = u32[w] + u32[w + 1] * HIGH_WORD;
    const length = u32[w + 2];
    const first = u16[(at + 12) >>> 1];
    const second = u16[(at + 14) >>> 1];
    const [flags, last] = this.#ring.format === 'split' ? [first, second] : [second, first];
    offer.descriptors.push({ slot, address: hex(address), length, flags, last });
    if ((flags & VIRTQ_DESC_F_INDIRECT) !== 0) this.#takeTable(memory, offer, address, length);
    else this.#takeSegment(memory, offer, address, length, (flags & VIRTQ_DESC_F_WRITE) !== 0);
    return { flags, last };
  }

  #takeTable(memory: AddressSpace, offer: Offer, address: number, length: number): void {
    if (length > MAX_TABLE_BYTES) return;
    const at = this.#takePiece(memory, offer, address, length);
    if (at < 0 || (at & 3) !== 0) return;
    const { u16, u32 } = this.#arena;
    for (let entry = at; entry + 16 <= at + length; entry += 16) {
      const w = entry >>> 2;
      const flags = u16[(entry + (this.#ring.format === 'split' ? 12 : 14)) >>> 1];
      const segment = u32[w] + u32[w + 1] * HIGH_WORD;
      this.#takeSegment(memory, offer, segment, u32[w + 2], (flags & VIRTQ_DESC_F_WRITE) !== 0);
    }
  }

  #takeSegment(memory: AddressSpace, offer: Offer, address: number, length: number, writable: boolean): void {
    if (writable) offer.writable += length;
    else this.#takePiece(memory, offer, address, Math.min(length, MAX_DATA_BYTES));
  }

  #takePiece(memory: AddressSpace, offer: Offer, address: number, bytes: number): number {
    const offset = bytes === 0 ? -1 : memory.translate(address, bytes, ACCESS_READ);
    if (offset >= 0) offer.pieces.push({ gpa: address, offset, bytes });
    return offset;
  }
}

/** Descriptor and wrap counter as messages carry them. */
function wireOf(place: number, size: number): number {
  return place < size ? place | 0x8000 : place - size;
}

/** Place 0 to 2 * size - 1 of a descriptor with its wrap counter. */
export function placeOfWire(wire: number, size: number): number {
  return (wire & 0x7fff) + ((wire & 0x8000) === 0 ? size : 0);
}
