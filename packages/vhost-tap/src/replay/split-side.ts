import type { Arena } from '@vhostlab/memory';
import { needEvent, VIRTQ_USED_F_NO_NOTIFY } from '@vhostlab/virtqueue';
import type { RingToObserve } from '../observe/ring-to-observe.ts';
import type { OfferLine } from '../record/record-lines.ts';
import type { DriverSide, Returned, Say } from './driver-side.ts';
import type { OfferedBuffer } from './offered-buffer.ts';
import { usedFault } from './ring-rules.ts';

/** The driver's half of a split ring. The areas are as the record has them, and no device runs yet. */
export class SplitSide implements DriverSide {
  isBroken = false;
  readonly #u16: Uint16Array;
  readonly #u32: Uint32Array;
  readonly #ring: RingToObserve;
  readonly #say: Say;
  readonly #mask: number;
  readonly #avail: number;
  readonly #usedAt: number;
  readonly #hasEvents: boolean;
  readonly #inOrder: boolean;
  readonly #busy: Uint8Array;
  readonly #buffers = new Map<number, OfferedBuffer>();
  #next: number;
  #published: number;
  #kickedAt: number;
  #used: number;
  /** Buffers that were outstanding when the ring started, which the record does not know. */
  #inherited: number;
  /** How far the record's indices are ahead of these. */
  #shift = 0;

  /** `base`: available index at which the device starts. */
  constructor(arena: Arena, ring: RingToObserve, base: number, say: Say) {
    this.#u16 = arena.u16;
    this.#u32 = arena.u32;
    this.#ring = ring;
    this.#say = say;
    this.#mask = ring.size - 1;
    this.#avail = ring.driverOffset >>> 1;
    this.#usedAt = ring.deviceOffset >>> 1;
    this.#hasEvents = ring.features.has('EVENT_IDX');
    this.#inOrder = ring.features.has('IN_ORDER');
    this.#busy = new Uint8Array(ring.size);
    this.#next = this.#published = this.#kickedAt = base & 0xffff;
    this.#used = Atomics.load(this.#u16, this.#usedAt + 1);
    this.#inherited = (this.#next - this.#used) & 0xffff;
    if (this.#inherited > ring.size) {
      this.#used = this.#next;
      this.#inherited = 0;
    }
    Atomics.store(this.#u16, this.#avail + 1, this.#next);
  }

  get outstanding(): number {
    return (this.#next - this.#used) & 0xffff;
  }

  get nextPlace(): number {
    return (this.#next + this.#shift) & 0xffff;
  }

  isFree({ slots }: OfferedBuffer): boolean {
    if (this.outstanding >= this.#ring.size) return false;
    return slots.every((slot) => slot < this.#ring.size && this.#busy[slot] === 0);
  }

  put(line: OfferLine, buffer: OfferedBuffer): void {
    for (const { slot, address, length, flags, last } of line.descriptors) {
      const w = (this.#ring.descOffset + 16 * slot) >>> 2;
      const word = BigInt(address);
      this.#u32[w] = Number(word & 0xffffffffn);
      this.#u32[w + 1] = Number(word >> 32n);
      this.#u32[w + 2] = length;
      this.#u32[w + 3] = (flags & 0xffff) | (last << 16);
      this.#busy[slot] = 1;
    }
    this.#buffers.set(buffer.id, buffer);
    this.#shift = (line.place - this.#next) & 0xffff;
    this.#u16[this.#avail + 2 + (this.#next & this.#mask)] = buffer.id;
    this.#next = (this.#next + 1) & 0xffff;
  }

  publish(): void {
    if (this.#published === this.#next) return;
    this.#published = this.#next;
    Atomics.store(this.#u16, this.#avail + 1, this.#next);
  }

  words(flags: number, event: number): void {
    Atomics.store(this.#u16, this.#avail, flags & 0xffff);
    if (!this.#hasEvents || event < 0) return;
    Atomics.store(this.#u16, this.#avail + 2 + this.#ring.size, (event - this.#shift) & 0xffff);
  }

  asksForKick(): boolean {
    if (this.#kickedAt === this.#published) return false;
    if (!this.#hasEvents) return (Atomics.load(this.#u16, this.#usedAt) & VIRTQ_USED_F_NO_NOTIFY) === 0;
    const event = Atomics.load(this.#u16, this.#usedAt + 2 + 4 * this.#ring.size);
    return needEvent(event, this.#published, this.#kickedAt);
  }

  kicked(): void {
    this.#kickedAt = this.#published;
  }

  take(returned: Returned): void {
    const index = Atomics.load(this.#u16, this.#usedAt + 1);
    const steps = (index - this.#used) & 0xffff;
    if (steps === 0 || this.isBroken) return;
    const most = (this.#published - this.#used) & 0xffff;
    if (steps > most) {
      this.isBroken = true;
      const text = `used.idx ${this.#used} -> ${index}, with ${most} buffers outstanding`;
      this.#say(usedFault('used-index-jump', this.#ring.queue, text));
      return;
    }
    const from = this.#used;
    this.#used = index;
    if (this.#inOrder && this.#inherited === 0) this.#takeInOrder(from, steps, returned);
    else {
      for (let i = 0; i < steps; i++) this.#takeOne((from + i) & 0xffff, steps - i, returned);
    }
  }

  baseProblem(num: number): string | null {
    if (this.isBroken) return null;
    const behind = (num - this.#used) & 0xffff;
    if (num <= 0xffff && behind <= this.outstanding) return null;
    return `it stops at ${num}, and its used index is ${this.#used}, the available index ${this.#next}`;
  }

  #idAt(index: number): number {
    return this.#u32[(this.#usedAt >>> 1) + 1 + 2 * (index & this.#mask)];
  }

  #takeOne(index: number, together: number, returned: Returned): void {
    const id = this.#idAt(index);
    const length = this.#u32[(this.#usedAt >>> 1) + 2 + 2 * (index & this.#mask)];
    const buffer = this.#buffers.get(id);
    if (buffer !== undefined) this.#giveBack(index, buffer, length, together, returned);
    else if (id >= this.#ring.size) this.#stranger('used-id-range', index, id);
    else if (this.#inherited > 0) this.#inherited--;
    else this.#stranger('used-id-unknown', index, id);
  }

  /**
   * An entry may stand for all buffers up to its own, in the first place of so many (virtio 1.3, 2.7.9); what stands in
   * the places behind it is old.
   */
  #takeInOrder(from: number, steps: number, returned: Returned): void {
    const order = [...this.#buffers.values()].slice(0, steps);
    let hasEntry = false;
    for (let i = 0; i < steps; ) {
      const index = (from + i) & 0xffff;
      const id = this.#idAt(index);
      const at = order.findIndex((each, place) => place >= i && each.id === id);
      if (at >= 0) {
        hasEntry = true;
        for (; i < at; i++) this.#giveBack(index, order[i]!, null, steps - i, returned);
        const length = this.#u32[(this.#usedAt >>> 1) + 2 + 2 * (index & this.#mask)];
        this.#giveBack(index, order[i]!, length, steps - i, returned);
      } else if (i < steps - 1 || hasEntry) this.#giveBack(index, order[i]!, null, steps - i, returned);
      else this.#stranger(id >= this.#ring.size ? 'used-id-range' : 'used-id-unknown', index, id);
      i++;
    }
  }

  #stranger(code: 'used-id-range' | 'used-id-unknown', index: number, id: number): void {
    this.isBroken = true;
    const text =
      code === 'used-id-range'
        ? `used entry ${index} has id ${id} in a queue of ${this.#ring.size}`
        : `used entry ${index} has id ${id}, which is not outstanding`;
    this.#say(usedFault(code, this.#ring.queue, text));
  }

  #giveBack(
    index: number,
    buffer: OfferedBuffer,
    length: number | null,
    together: number,
    returned: Returned,
  ): void {
    this.#buffers.delete(buffer.id);
    for (const slot of buffer.slots) this.#busy[slot] = 0;
    if (length !== null && length > buffer.writable) {
      const text = `used entry ${index}, id ${buffer.id}, has len ${length}, the buffer has room for ${buffer.writable}`;
      this.#say(usedFault('used-length', this.#ring.queue, text));
    }
    returned(buffer, length, together);
  }
}
