import { signalEvent } from '@vhostlab/host';
import {
  type RingLayout,
  ringLayout,
  VIRTQ_DESC_F_AVAIL,
  VIRTQ_DESC_F_NEXT,
  VIRTQ_DESC_F_USED,
  VIRTQ_DESC_F_WRITE,
} from '@vhostlab/virtqueue';
import type { GuestMemory, Range } from './guest-memory.ts';
import {
  type RawQueue,
  type RingAddresses,
  type RingEvents,
  type Segment,
  type Used,
  writableBytes,
  writableRanges,
} from './raw-queue.ts';

interface Offered {
  readonly slots: number;
  readonly writable: number;
}

/** Both wrap counters 1, both positions 0, as a full 32-bit base (vhost-user, "A vring state description"). */
const FIRST_BASE = 0x8000_8000;

/** A packed ring without rules (virtio 1.3, 2.8). */
export class RawPacked implements RawQueue {
  readonly format = 'packed';
  readonly index: number;
  readonly size: number;
  readonly layout: RingLayout;
  readonly memory: GuestMemory;
  readonly at: RingAddresses;
  readonly events: RingEvents;
  readonly violations: string[] = [];
  readonly base = FIRST_BASE;
  readonly #offered = new Map<number, Offered>();
  /** Slots of second buffers under an id that is in use. */
  readonly #twice = new Map<number, number>();
  readonly #free: number[] = [];
  readonly #written: Range[] = [];
  #slot = 0;
  #wrap = true;
  #usedSlot = 0;
  #usedWrap = true;
  /** Slots that are with the device. */
  #taken = 0;
  /** An unknown id came: where the next used descriptor would be cannot be told any more. */
  #isLost = false;

  constructor(memory: GuestMemory, index: number, size: number, at: RingAddresses, events: RingEvents) {
    this.memory = memory;
    this.index = index;
    this.size = size;
    this.at = at;
    this.events = events;
    this.layout = ringLayout('packed', size, true);
    memory.clear(at.desc, this.layout.desc.bytes);
    memory.clear(at.driver, 4);
    memory.clear(at.device, 4);
    for (let i = 0; i < size; i++) this.#free.push(i);
  }

  get outstanding(): number {
    return this.#offered.size + this.#twice.size;
  }

  /** Slot of the next buffer. */
  get nextSlot(): number {
    return this.#slot;
  }

  /** The driver event suppression structure as one word: off_wrap below, flags above. */
  set driverEvent(value: number) {
    Atomics.store(this.memory.u32, this.memory.offset(this.at.driver) / 4, value >>> 0);
  }

  /** Writes the descriptor `ahead` slots from the next one, with its flags as they are. */
  descriptor(ahead: number, address: number | bigint, bytes: number, id: number, flags: number): void {
    const slot = (this.#slot + ahead) % this.size;
    this.memory.descriptor(this.at.desc + 16 * slot, address, bytes, (flags << 16) | id);
  }

  /** AVAIL and USED bits that make the descriptor `ahead` slots from the next one available. */
  available(ahead: number): number {
    const wrap = this.#slot + ahead >= this.size ? !this.#wrap : this.#wrap;
    return wrap ? VIRTQ_DESC_F_AVAIL : VIRTQ_DESC_F_USED;
  }

  /** An id that is not with the device. */
  takeId(): number {
    const id = this.#free.shift();
    if (id === undefined) throw new RangeError('every buffer id is with the device');
    return id;
  }

  /** Notes that `slots` slots from the next one on are a buffer that the device has now. */
  expose(id: number, slots: number, writable: number, ranges: readonly Range[]): void {
    this.#offered.set(id, { slots, writable });
    this.#written.push(...ranges);
    this.#advance(slots);
  }

  /** Notes a second buffer under an id that is with the device already; it may come back once more. */
  exposeAgain(id: number, slots: number): void {
    this.#twice.set(id, slots);
    this.#advance(slots);
  }

  offer(segments: readonly Segment[]): number {
    if (segments.length > this.size - this.#taken) throw new RangeError('the ring is full');
    const id = this.takeId();
    // the first descriptor last: it makes all of them visible
    for (let i = segments.length - 1; i >= 0; i--) {
      const { address, bytes, writable, flags = 0 } = segments[i];
      const next = i + 1 < segments.length ? VIRTQ_DESC_F_NEXT : 0;
      const all = flags | next | (writable ? VIRTQ_DESC_F_WRITE : 0) | this.available(i);
      this.descriptor(i, address, bytes, id, all);
    }
    this.expose(id, segments.length, writableBytes(segments), writableRanges(segments));
    return id;
  }

  collect(): Used[] {
    const { u32 } = this.memory;
    const used: Used[] = [];
    while (this.#taken > 0 && !this.#isLost) {
      const word = this.memory.offset(this.at.desc) / 4 + this.#usedSlot * 4;
      const flags = Atomics.load(u32, word + 3) >>> 16;
      const wanted = this.#usedWrap ? VIRTQ_DESC_F_AVAIL | VIRTQ_DESC_F_USED : 0;
      if ((flags & (VIRTQ_DESC_F_AVAIL | VIRTQ_DESC_F_USED)) !== wanted) break;
      // the length means something only beside WRITE (virtio 1.3, 2.8.4)
      const length = (flags & VIRTQ_DESC_F_WRITE) === 0 ? 0 : u32[word + 2];
      const one = { id: u32[word + 3] & 0xffff, length };
      used.push(one);
      this.#judge(one);
    }
    return used;
  }

  mayChange(): Range[] {
    const { at, layout } = this;
    return [
      { gpa: at.desc, bytes: layout.desc.bytes },
      { gpa: at.device, bytes: layout.device.bytes },
      ...this.#written,
    ];
  }

  kick(): void {
    signalEvent(this.events.kick.number);
  }

  #advance(slots: number): void {
    this.#taken += slots;
    this.#slot += slots;
    if (this.#slot < this.size) return;
    this.#slot -= this.size;
    this.#wrap = !this.#wrap;
  }

  #judge({ id, length }: Used): void {
    const offered = this.#offered.get(id);
    if (offered === undefined) {
      this.violations.push(`used id ${id}, which is not with the device (virtio 1.3, 2.8.2)`);
      this.#isLost = true;
      return;
    }
    const again = this.#twice.get(id);
    this.#twice.delete(id);
    if (again !== undefined) this.#offered.set(id, { slots: again, writable: offered.writable });
    else {
      this.#offered.delete(id);
      if (id < this.size) this.#free.push(id);
    }
    this.#taken -= offered.slots;
    this.#usedSlot += offered.slots;
    if (this.#usedSlot >= this.size) {
      this.#usedSlot -= this.size;
      this.#usedWrap = !this.#usedWrap;
    }
    if (length > offered.writable) {
      this.violations.push(`used length ${length} of ${offered.writable} writable bytes (virtio 1.3, 2.8.2)`);
    }
  }
}
