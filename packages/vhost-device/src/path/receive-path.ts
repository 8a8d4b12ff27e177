import { type Arena, copyFrames } from '@vhostlab/memory';
import {
  type FeatureSet,
  type HeaderBytes,
  type HeaderFields,
  type HeaderRules,
  headerBytes,
  NO_OFFLOAD,
  receiveRules,
  writeHeader,
} from '@vhostlab/virtio-net';
import { PlainBurst, type PlainRing } from '@vhostlab/virtqueue';
import { BATCH_FRAMES, type FrameBatch } from '../frames/frame-batch.ts';
import type { ReceiveRing } from '../rings/receive-ring.ts';
import type { Ring } from '../rings/ring.ts';
import { COUNTER } from '../stats/queue-counters.ts';
import { BurstTimer } from './burst-timer.ts';
import { plainRing } from './plain-ring.ts';

/** The last word of a header of 12 bytes without offloads: csum_offset 0, num_buffers 1. */
const ONE_BUFFER = 1 << 16;
const LONGEST = 0xffff_ffff;

/**
 * Puts frames into a receiveq, fast: one buffer of one descriptor per frame. What needs more than that (merging, an
 * offload, a log of writes) goes to the careful `ReceiveRing`.
 */
export class ReceivePath {
  readonly ring: Ring;
  /** What the last `peek` found. */
  readonly burst = new PlainBurst(BATCH_FRAMES);
  readonly headerBytes: HeaderBytes = 12;
  /** Offloads that the guest takes. */
  readonly rules: HeaderRules;
  readonly #careful: ReceiveRing;
  readonly #arena: Arena;
  readonly #plain: PlainRing;
  /** Where frames of a burst begin, and the bytes written into their buffers. */
  readonly #to = new Uint32Array(BATCH_FRAMES);
  readonly #written = new Uint32Array(BATCH_FRAMES);
  readonly #timer: BurstTimer;

  constructor(careful: ReceiveRing, features: FeatureSet, arena: Arena) {
    const { ring } = careful;
    this.ring = ring;
    this.headerBytes = headerBytes(features);
    this.rules = receiveRules(features);
    this.#careful = careful;
    this.#arena = arena;
    this.#timer = new BurstTimer(ring.counters);
    this.#plain = plainRing(arena, ring.queue, ring.memory.space, ring.place, {
      writable: true,
      minBytes: this.headerBytes,
      maxBytes: LONGEST,
    });
  }

  /** True when the ring can take a frame of some length now. */
  hasRoom(): boolean {
    return this.#careful.hasRoom();
  }

  /**
   * Frames that the guest has buffers for, up to `max`; `max` when its next buffers are not of the fast kind: of those, it is
   * not known before they are taken how many a frame needs.
   */
  room(max: number): number {
    return (this.ring.isPlain ? this.peek(max) : 0) || max;
  }

  /** Puts the frames of `batch` into buffers of the guest, drops those without room, and answers how many went in. @hot */
  enqueue(batch: FrameBatch): number {
    if (!this.#timer.isDue()) return this.#enqueue(batch);
    const begin = this.#timer.begin();
    const placed = this.#enqueue(batch);
    this.#timer.end(begin, placed);
    return placed;
  }

  #enqueue(batch: FrameBatch): number {
    const { ring } = this;
    if (!ring.isPlain) return this.#careful.enqueue(batch, 0);
    const found = this.peek(batch.count);
    const fitting = this.fitting(batch.length, found);
    const count = this.#plainFrames(batch, fitting);
    if (count > 0) {
      this.writePlainHeaders(count);
      this.place(batch.offset, batch.length, count);
    }
    if (count === batch.count) return count;
    return count + this.#careful.enqueue(batch, count);
  }

  /** Looks for up to `max` buffers of the fast kind: they stand in `burst`. Takes none. */
  peek(max: number): number {
    return this.#plain.peek(this.burst, max);
  }

  /** How many of the first `count` frames of these lengths fit into the buffers of the last peek, one each. */
  fitting(length: Uint32Array, count: number): number {
    const bufferBytes = this.burst.length;
    // whole words are written
    const more = this.headerBytes + 7;
    let i = 0;
    while (i < count && length[i] + more <= bufferBytes[i]) i++;
    return i;
  }

  /** Frames before the first that has an offload. */
  #plainFrames(batch: FrameBatch, count: number): number {
    const { flags, gsoType } = batch;
    let i = 0;
    while (i < count && (flags[i] | gsoType[i]) === 0) i++;
    return i;
  }

  /**
   * Writes headers without offloads into the first `count` buffers, where they are not there already: a driver uses its
   * buffers again and again, and a line that is not written stays in both caches.
   */
  writePlainHeaders(count: number): void {
    const { u32 } = this.#arena;
    const { offset } = this.burst;
    const hasWords = this.headerBytes === 12;
    for (let i = 0; i < count; i++) {
      const at = offset[i];
      if (!hasWords || (at & 3) !== 0) {
        this.writeHeader(i, NO_OFFLOAD);
        continue;
      }
      const w = at >>> 2;
      if (u32[w] !== 0) u32[w] = 0;
      if (u32[w + 1] !== 0) u32[w + 1] = 0;
      if (u32[w + 2] !== ONE_BUFFER) u32[w + 2] = ONE_BUFFER;
    }
  }

  /** Writes the header of buffer `i`, for a frame that takes this buffer alone. */
  writeHeader(i: number, fields: Readonly<HeaderFields>): void {
    writeHeader(this.#arena.u8, this.burst.offset[i], this.headerBytes, fields, 1);
  }

  /** Where frames begin in the buffers of the last `place`. */
  get placed(): Uint32Array {
    return this.#to;
  }

  /** Copies the first `count` of these frames behind the headers of the last peek's buffers and gives those back. */
  place(offset: Uint32Array, length: Uint32Array, count: number): void {
    const bytes = this.copy(offset, length, count);
    this.finish(count, bytes);
  }

  /** The first half of `place`: nothing is given back. Answers the frames' bytes. */
  copy(offset: Uint32Array, length: Uint32Array, count: number): number {
    const to = this.#to;
    const written = this.#written;
    const buffers = this.burst.offset;
    const header = this.headerBytes | 0;
    let bytes = 0;
    for (let i = 0; i < count; i++) {
      const frameBytes = length[i] | 0;
      to[i] = buffers[i] + header;
      written[i] = frameBytes + header;
      bytes = (bytes + frameBytes) | 0;
    }
    copyFrames(this.#arena, to, offset, length, count);
    return bytes;
  }

  /** The second half: publishes what `copy` wrote. */
  finish(count: number, bytes: number): void {
    const { ring } = this;
    this.#plain.finishWritten(this.burst, count, this.#written);
    ring.callIfWanted();
    const { counters } = ring;
    counters[COUNTER.fast_bursts]++;
    counters[COUNTER.seen] += this.burst.visible;
    ring.countBurst(count, bytes);
  }
}
