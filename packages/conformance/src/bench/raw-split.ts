import { signalEvent } from '@vhostlab/host';
import { type RingLayout, ringLayout, VIRTQ_DESC_F_NEXT, VIRTQ_DESC_F_WRITE } from '@vhostlab/virtqueue';
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
  readonly descriptors: readonly number[];
  readonly writable: number;
}

/** A split ring without rules (virtio 1.3, 2.7). */
export class RawSplit implements RawQueue {
  readonly format = 'split';
  readonly index: number;
  readonly size: number;
  readonly layout: RingLayout;
  readonly memory: GuestMemory;
  readonly at: RingAddresses;
  readonly events: RingEvents;
  readonly violations: string[] = [];
  readonly base: number;
  readonly #offered = new Map<number, Offered>();
  readonly #free: number[] = [];
  readonly #written: Range[] = [];
  /** Heads that are with the device a second time. */
  readonly #twice = new Set<number>();
  #availIdx: number;
  #usedIdx: number;
  /** A used index that the guest wrote; what the device writes later is another. */
  #scribbled: number | null = null;

  constructor(
    memory: GuestMemory,
    index: number,
    size: number,
    at: RingAddresses,
    events: RingEvents,
    start = 0,
  ) {
    this.memory = memory;
    this.index = index;
    this.size = size;
    this.at = at;
    this.events = events;
    this.base = start;
    this.#availIdx = start;
    this.#usedIdx = start;
    this.layout = ringLayout('split', size, true);
    memory.clear(at.desc, this.layout.desc.bytes);
    memory.clear(at.driver, this.layout.driver.bytes);
    memory.clear(at.device, this.layout.device.bytes);
    for (let i = 0; i < size; i++) this.#free.push(i);
    this.availIdx = start;
    this.memory.u16[this.#usedWord] = start;
  }

  get outstanding(): number {
    return this.#offered.size + this.#twice.size;
  }

  /** The available index as the device sees it; settable to anything. */
  get availIdx(): number {
    return Atomics.load(this.memory.u16, this.#availWord);
  }

  set availIdx(value: number) {
    Atomics.store(this.memory.u16, this.#availWord, value & 0xffff);
  }

  /** The available index that a correct driver would have. */
  get trueAvailIdx(): number {
    return this.#availIdx;
  }

  /** The used index as the device wrote it; settable to anything. */
  get usedIdx(): number {
    return Atomics.load(this.memory.u16, this.#usedWord);
  }

  set usedIdx(value: number) {
    Atomics.store(this.memory.u16, this.#usedWord, value & 0xffff);
  }

  /** `flags` of the available ring: NO_INTERRUPT. */
  set availFlags(value: number) {
    Atomics.store(this.memory.u16, this.#availWord - 1, value);
  }

  /** The used index after which the driver wants a call (EVENT_IDX). */
  set usedEvent(value: number) {
    Atomics.store(this.memory.u16, this.#availWord + 1 + this.size, value & 0xffff);
  }

  /** Writes one descriptor. */
  descriptor(at: number, address: number | bigint, bytes: number, flags: number, next = 0): void {
    this.memory.descriptor(this.at.desc + 16 * at, address, bytes, (next << 16) | flags);
  }

  /** Takes `count` descriptors that are not with the device. */
  take(count: number): number[] {
    if (count > this.#free.length)
      throw new RangeError(`${count} descriptors are asked, ${this.#free.length} left`);
    return this.#free.splice(0, count);
  }

  /** Puts a head into the available ring and publishes it; `writable` bytes may come back, `ranges` be written. */
  expose(head: number, descriptors: readonly number[], writable: number, ranges: readonly Range[]): void {
    const { u16 } = this.memory;
    u16[this.#availWord + 1 + (this.#availIdx & (this.size - 1))] = head;
    this.#offered.set(head, { descriptors, writable });
    this.#written.push(...ranges);
    this.#availIdx = (this.#availIdx + 1) & 0xffff;
    this.availIdx = this.#availIdx;
  }

  /** Exposes a head that is with the device already; it may come back once more. */
  exposeAgain(head: number): void {
    this.memory.u16[this.#availWord + 1 + (this.#availIdx & (this.size - 1))] = head;
    this.#twice.add(head);
    this.#availIdx = (this.#availIdx + 1) & 0xffff;
    this.availIdx = this.#availIdx;
  }

  /** Fills the used ring and its index with `byte`, which no device has written. */
  scribble(byte: number): void {
    const from = this.memory.offset(this.at.device);
    this.memory.u8.fill(byte, from, from + 4 + 8 * this.size);
    this.#scribbled = this.usedIdx;
  }

  offer(segments: readonly Segment[]): number {
    const descriptors = this.take(segments.length);
    segments.forEach(({ address, bytes, writable, flags = 0 }, i) => {
      const next = descriptors[i + 1];
      const all = flags | (writable ? VIRTQ_DESC_F_WRITE : 0) | (next === undefined ? 0 : VIRTQ_DESC_F_NEXT);
      this.descriptor(descriptors[i], address, bytes, all, next ?? 0);
    });
    this.expose(descriptors[0], descriptors, writableBytes(segments), writableRanges(segments));
    return descriptors[0];
  }

  collect(): Used[] {
    const { u32 } = this.memory;
    const published = this.usedIdx;
    if (published === this.#scribbled) return [];
    this.#scribbled = null;
    const count = (published - this.#usedIdx) & 0xffff;
    if (count > this.outstanding) {
      this.violations.push(
        `used.idx moved by ${count}, ${this.outstanding} buffers are outstanding (virtio 1.3, 2.7.8)`,
      );
      this.#usedIdx = published;
      return [];
    }
    const used: Used[] = [];
    for (let i = 0; i < count; i++) {
      const word = (this.memory.offset(this.at.device) + 4) / 4 + ((this.#usedIdx + i) & (this.size - 1)) * 2;
      used.push({ id: u32[word], length: u32[word + 1] });
    }
    this.#usedIdx = published;
    for (const one of used) this.#judge(one);
    return used;
  }

  mayChange(): Range[] {
    return [{ gpa: this.at.device, bytes: this.layout.device.bytes }, ...this.#written];
  }

  kick(): void {
    signalEvent(this.events.kick.number);
  }

  #judge({ id, length }: Used): void {
    const offered = this.#offered.get(id);
    if (offered === undefined) {
      this.violations.push(`used id ${id}, which is not with the device (virtio 1.3, 2.7.8)`);
      return;
    }
    if (!this.#twice.delete(id)) {
      this.#offered.delete(id);
      this.#free.push(...offered.descriptors);
    }
    if (length > offered.writable) {
      this.violations.push(`used length ${length} of ${offered.writable} writable bytes (virtio 1.3, 2.7.8)`);
    }
  }

  /** Word of `idx` of the available ring. */
  get #availWord(): number {
    return this.memory.offset(this.at.driver) / 2 + 1;
  }

  get #usedWord(): number {
    return this.memory.offset(this.at.device) / 2 + 1;
  }
}
