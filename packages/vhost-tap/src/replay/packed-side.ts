import type { Arena } from '@vhostlab/memory';
import { decodeBase } from '@vhostlab/vhost-user';
import { RING_EVENT_FLAGS_DISABLE, VIRTQ_DESC_F_AVAIL, VIRTQ_DESC_F_USED } from '@vhostlab/virtqueue';
import type { RingToObserve } from '../observe/ring-to-observe.ts';
import { placeOfWire } from '../record/offer-reader.ts';
import type { OfferLine } from '../record/record-lines.ts';
import type { DriverSide, Returned, Say } from './driver-side.ts';
import type { OfferedBuffer } from './offered-buffer.ts';
import { usedFault } from './ring-rules.ts';

const AVAIL_USED = VIRTQ_DESC_F_AVAIL | VIRTQ_DESC_F_USED;

/**
 * The driver's half of a packed ring. A place is a number from 0 to 2 * size - 1: below size in laps with wrap counter 1.
 */
export class PackedSide implements DriverSide {
  isBroken = false;
  readonly #u16: Uint16Array;
  readonly #u32: Uint32Array;
  readonly #ring: RingToObserve;
  readonly #say: Say;
  readonly #inOrder: boolean;
  /** By id, oldest first. */
  readonly #buffers = new Map<number, OfferedBuffer>();
  /** Heads that are written and not yet visible: word of the flags, and their value. */
  #hidden: [word: number, flags: number][] = [];
  #next: number;
  #used: number;
  /** The ring started with buffers outstanding, which the record does not know. */
  readonly #isInherited: boolean;
  #isDirty = false;
  #shift = 0;

  /** `base`: num of SET_VRING_BASE. No descriptor is available before the first `publish`. */
  constructor(arena: Arena, ring: RingToObserve, base: number, say: Say) {
    this.#u16 = arena.u16;
    this.#u32 = arena.u32;
    this.#ring = ring;
    this.#say = say;
    this.#inOrder = ring.features.has('IN_ORDER');
    const at = decodeBase('packed', base);
    const { size } = ring;
    const [avail, used] =
      at?.format === 'packed' && at.avail < size && at.used < size
        ? [at.avail + (at.availWrap ? 0 : size), at.used + (at.usedWrap ? 0 : size)]
        : [0, 0];
    this.#next = avail;
    this.#used = used;
    this.#isInherited = avail !== used;
    this.#hideAll();
  }

  get outstanding(): number {
    return (this.#next - this.#used + 2 * this.#ring.size) % (2 * this.#ring.size);
  }

  get nextPlace(): number {
    const { size } = this.#ring;
    const place = (this.#next + this.#shift) % (2 * size);
    return place < size ? place | 0x8000 : place - size;
  }

  isFree({ id, slots }: OfferedBuffer): boolean {
    return slots.length + this.outstanding <= this.#ring.size && !this.#buffers.has(id);
  }

  put(line: OfferLine, buffer: OfferedBuffer): void {
    const around = 2 * this.#ring.size;
    this.#shift = (placeOfWire(line.place, this.#ring.size) - this.#next + around) % around;
    line.descriptors.forEach(({ address, length, flags, last }, i) => {
      const place = (this.#next + i) % around;
      const at = this.#ring.descOffset + 16 * (place % this.#ring.size);
      const word = BigInt(address);
      this.#u32[at >>> 2] = Number(word & 0xffffffffn);
      this.#u32[(at >>> 2) + 1] = Number(word >> 32n);
      this.#u32[(at >>> 2) + 2] = length;
      this.#u16[(at + 12) >>> 1] = last;
      const mark = place < this.#ring.size ? VIRTQ_DESC_F_AVAIL : VIRTQ_DESC_F_USED;
      const value = (flags & 0xffff & ~AVAIL_USED) | mark;
      if (i === 0) this.#hidden.push([(at + 14) >>> 1, value]);
      else Atomics.store(this.#u16, (at + 14) >>> 1, value);
    });
    this.#buffers.set(buffer.id, buffer);
    this.#next = (this.#next + line.descriptors.length) % around;
  }

  publish(): void {
    if (this.#hidden.length === 0) return;
    // the first one last: a device sees all of them or none
    for (const [word, flags] of this.#hidden.reverse()) Atomics.store(this.#u16, word, flags);
    this.#hidden = [];
    this.#isDirty = true;
  }

  words(flags: number, event: number): void {
    const word = this.#ring.driverOffset >>> 1;
    const { size } = this.#ring;
    if (event >= 0) {
      const around = 2 * size;
      const isPlace = (event & 0x7fff) < size;
      const place = (placeOfWire(event, size) - this.#shift + around) % around;
      const wire = place < size ? place | 0x8000 : place - size;
      Atomics.store(this.#u16, word, isPlace ? wire : event & 0xffff);
    }
    Atomics.store(this.#u16, word + 1, flags & 0xffff);
  }

  asksForKick(): boolean {
    if (!this.#isDirty) return false;
    // a device that waits for one descriptor takes an early kick too
    return (Atomics.load(this.#u16, (this.#ring.deviceOffset >>> 1) + 1) & 3) !== RING_EVENT_FLAGS_DISABLE;
  }

  kicked(): void {
    this.#isDirty = false;
  }

  take(returned: Returned): void {
    while (!this.isBroken && this.outstanding > 0 && this.#takeOne(returned));
  }

  baseProblem(num: number): string | null {
    if (this.isBroken || this.#isInherited) return null;
    const { size } = this.#ring;
    const base = decodeBase('packed', num);
    const name = `it stops at 0x${num.toString(16)}`;
    if (base?.format !== 'packed' || base.avail >= size) return `${name}, which is not in a queue of ${size}`;
    const around = 2 * size;
    const place = base.avail + (base.availWrap ? 0 : size);
    if ((place - this.#used + around) % around <= this.outstanding) return null;
    return `${name}, and the device has used all up to ${this.#used % size}, the driver offered up to ${this.#next % size}`;
  }

  /** The descriptor at the device's place, when it is used. */
  #takeOne(returned: Returned): boolean {
    const { size, queue } = this.#ring;
    const slot = this.#used % size;
    const at = this.#ring.descOffset + 16 * slot;
    const expected = this.#used < size ? AVAIL_USED : 0;
    if ((Atomics.load(this.#u16, (at + 14) >>> 1) & AVAIL_USED) !== expected) return false;
    const id = this.#u16[(at + 12) >>> 1];
    const length = this.#u32[(at + 8) >>> 2];
    const buffer = this.#buffers.get(id);
    if (buffer === undefined) {
      this.isBroken = true;
      if (this.#isInherited) return false;
      const code = id >= size ? 'used-id-range' : 'used-id-unknown';
      this.#say(usedFault(code, queue, `used descriptor ${slot} has id ${id}, which is not outstanding`));
      return false;
    }
    if (this.#inOrder) this.#skipTo(buffer, returned);
    if (length > buffer.writable) {
      const text = `used descriptor ${slot}, id ${id}, has len ${length}, the buffer has room for ${buffer.writable}`;
      this.#say(usedFault('used-length', queue, text));
    }
    this.#giveBack(buffer, length, returned);
    return true;
  }

  /** One used descriptor stands for all buffers up to its own (virtio 1.3, 2.8.9). */
  #skipTo(last: OfferedBuffer, returned: Returned): void {
    for (const buffer of [...this.#buffers.values()]) {
      if (buffer === last) return;
      this.#giveBack(buffer, null, returned);
    }
  }

  #giveBack(buffer: OfferedBuffer, length: number | null, returned: Returned): void {
    const together = this.#buffers.size;
    this.#buffers.delete(buffer.id);
    this.#used = (this.#used + buffer.slots.length) % (2 * this.#ring.size);
    returned(buffer, length, together);
  }

  /** Descriptors as they are when a device has used all before the base and nothing is offered (virtio 1.3, 2.8.1). */
  #hideAll(): void {
    const { size, descOffset } = this.#ring;
    for (let slot = 0; slot < size; slot++) {
      const isThisLap = slot < this.#next % size;
      const wrap = this.#next < size === isThisLap;
      Atomics.store(this.#u16, (descOffset + 16 * slot + 14) >>> 1, wrap ? AVAIL_USED : 0);
    }
  }
}
