import type { CoreContext, MemoryEnd, Ps, RegisterTarget, Ticket } from '@vhostlab/engine';
import type { Publisher } from '@vhostlab/memory';

/** A part of guest memory, as arena offsets. */
export interface MemoryPart {
  from: number;
  bytes: number;
  /** Also sent where it is all zero. */
  whole: boolean;
}

/** Bytes that travel with one word. */
const CHUNK_BYTES = 64 * 1024;
/** Notifications of both queues of a pair. */
const BOTH_VECTORS = 3;

/**
 * A queue pair's memory channel that leads to one of several devices, one at a time. Each device has a copy of guest memory:
 * what is published goes to the present one, and the next one is sent all of it before. In a machine all of them see the same
 * memory, so nothing is charged for that.
 */
export class RoutedMemory implements MemoryEnd, Publisher {
  /** Where drivers publish: here, or at what watches on the way here. */
  publisher: Publisher = this;
  readonly #context: CoreContext;
  readonly #ends: readonly MemoryEnd[];
  #parts: readonly MemoryPart[];
  #present: MemoryEnd;
  /** Of the end whose other side works in this very memory; -1: there is none. */
  readonly #shared: number;
  #isShared = false;
  #pending = 0;

  /** `parts`: the rings and buffers of the pair. */
  constructor(context: CoreContext, ends: readonly MemoryEnd[], parts: readonly MemoryPart[], shared = -1) {
    this.#context = context;
    this.#ends = ends;
    this.#parts = parts;
    this.#present = ends[0];
    this.#shared = shared;
  }

  /**
   * From now on the device of instance `index` is at the other end. `interrupts`: the guest is interrupted once, since
   * nobody knows whether the device before had something to tell.
   */
  to(index: number, interrupts: boolean): void {
    const next = this.#ends[index];
    if (next === this.#present) return;
    next.carryTags(this.#present);
    this.#isShared = index === this.#shared;
    if (!this.#isShared) for (const part of this.#parts) this.#send(next.publisher, part);
    this.#present = next;
    if (interrupts) this.#pending = BOTH_VECTORS;
  }

  /** The guest's memory is `bytes` further in the arena from now on. */
  moveBy(bytes: number): void {
    this.#parts = this.#parts.map((part) => ({ ...part, from: part.from + bytes }));
  }

  #send(publisher: Publisher, { from, bytes, whole }: MemoryPart): void {
    const { u8, u16 } = this.#context.arena;
    for (let at = 0; at < bytes; at += CHUNK_BYTES) {
      const offset = from + at;
      const length = Math.min(CHUNK_BYTES, bytes - at);
      if (!whole && isZero(u8, offset, length)) continue;
      publisher.cover(offset, length);
      publisher.u16(offset, u16[offset >>> 1]);
    }
  }

  cover(offset: number, length: number): void {
    this.#present.publisher.cover(offset, length);
  }

  // a word is kept here as well: the next device gets it from this memory; one that shares it stores it when it sees it
  u16(offset: number, value: number): void {
    if (!this.#isShared) this.#context.arena.u16[offset >>> 1] = value;
    this.#present.publisher.u16(offset, value);
  }

  u32(offset: number, value: number): void {
    if (!this.#isShared) this.#context.arena.u32[offset >>> 2] = value;
    this.#present.publisher.u32(offset, value);
  }

  departAt(atPs: Ps): void {
    this.#present.departAt(atPs);
  }

  notify(vector: number): void {
    this.#present.notify(vector);
  }

  takeNotified(): number {
    let mask = this.#pending;
    this.#pending = 0;
    for (let i = 0; i < this.#ends.length; i++) mask |= this.#ends[i].takeNotified();
    return mask;
  }

  write(offset: number, width: number, value: number): void {
    this.#present.write(offset, width, value);
  }

  read(offset: number, width: number): Ticket {
    return this.#present.read(offset, width);
  }

  onRegister(target: RegisterTarget): void {
    for (const end of this.#ends) end.onRegister(target);
  }

  setTag(queue: number, slot: number, packet: number, bornPs: Ps): void {
    this.#present.setTag(queue, slot, packet, bornPs);
  }

  tagPacket(queue: number, slot: number): number {
    return this.#present.tagPacket(queue, slot);
  }

  tagBornPs(queue: number, slot: number): Ps {
    return this.#present.tagBornPs(queue, slot);
  }

  carryTags(from: MemoryEnd): void {
    this.#present.carryTags(from);
  }
}

function isZero(u8: Uint8Array, offset: number, length: number): boolean {
  for (let i = 0; i < length; i++) if (u8[offset + i] !== 0) return false;
  return true;
}
