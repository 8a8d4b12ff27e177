import { type Arena, copyAligned } from '@vhostlab/memory';
import {
  checkHeader,
  type FeatureSet,
  HDR_F_NEEDS_CSUM,
  HEADER_OK,
  type HeaderFields,
  type HeaderRules,
  hasOffload,
  headerBytes,
  NO_OFFLOAD,
  readHeader,
  transmitRules,
} from '@vhostlab/virtio-net';
import { PlainBurst, type PlainRing } from '@vhostlab/virtqueue';
import { BATCH_FRAMES, type FrameBatch } from '../frames/frame-batch.ts';
import type { Ring } from '../rings/ring.ts';
import type { TransmitRing } from '../rings/transmit-ring.ts';
import { COUNTER } from '../stats/queue-counters.ts';
import { BurstTimer } from './burst-timer.ts';
import { plainRing } from './plain-ring.ts';

const ETHERNET_BYTES = 14;

/**
 * Takes frames out of a transmitq, fast: bursts of buffers of one descriptor, in passes over ring, headers and bytes. What
 * is not of that kind, and a ring whose writes are logged, goes to the careful `TransmitRing`, which checks the same and
 * more.
 */
export class TransmitPath {
  readonly ring: Ring;
  /** What the last `peek` found. */
  readonly burst = new PlainBurst(BATCH_FRAMES);
  readonly headerBytes: number = 0;
  /** False when no offload was negotiated: then headers are zero, and are not even read. */
  readonly mayOffload: boolean = false;
  readonly #careful: TransmitRing;
  readonly #arena: Arena;
  readonly #plain: PlainRing;
  readonly #rules: HeaderRules;
  readonly #fields: HeaderFields = { ...NO_OFFLOAD };
  readonly #timer: BurstTimer;

  /**
   * `frameBytes`: longest frame that goes the fast way; no batch has less room. `patience`: looks that may find nothing
   * while less than a burst is there (`PlainRules`).
   */
  constructor(
    careful: TransmitRing,
    features: FeatureSet,
    arena: Arena,
    frameBytes: number,
    patience: number,
  ) {
    const { ring } = careful;
    this.ring = ring;
    this.headerBytes = headerBytes(features);
    this.#careful = careful;
    this.#arena = arena;
    this.#rules = transmitRules(features);
    this.#timer = new BurstTimer(ring.counters);
    this.mayOffload = this.#rules.csum || this.#rules.gsoTypes !== 0;
    this.#plain = plainRing(arena, ring.queue, ring.memory.space, ring.place, {
      writable: false,
      minBytes: this.headerBytes + ETHERNET_BYTES,
      maxBytes: this.headerBytes + frameBytes,
      patience,
    });
  }

  /**
   * Copies up to `max` frames (at most 64) into `batch` and gives their buffers back. Answers how many buffers were
   * taken: more than `batch.count` when some held no frame that can be carried. @hot
   */
  dequeue(batch: FrameBatch, max: number): number {
    if (!this.#timer.isDue()) return this.#dequeue(batch, max);
    const begin = this.#timer.begin();
    const taken = this.#dequeue(batch, max);
    this.#timer.end(begin, taken);
    return taken;
  }

  #dequeue(batch: FrameBatch, max: number): number {
    const { ring } = this;
    if (!ring.isPlain) return this.#careful.dequeue(batch, max);
    const found = this.peek(max);
    if (found === 0) {
      if (this.burst.visible > 0 || !ring.isAlive) return this.#careful.dequeue(batch, max);
      batch.count = 0;
      ring.counters[COUNTER.polls]++;
      ring.counters[COUNTER.empty_polls]++;
      return 0;
    }
    const count = this.mayOffload ? this.#readHeaders(batch, found) : this.#clearHeaders(batch, found);
    if (count === 0) return this.#careful.dequeue(batch, max);
    const bytes = this.#place(batch, count);
    copyAligned(this.#arena, batch.offset, this.burst.offset, batch.length, count);
    batch.count = count;
    this.finish(count, bytes);
    return count;
  }

  /** Looks for up to `max` frames of the fast kind: their buffers stand in `burst`, header first. Takes none. */
  peek(max: number): number {
    return this.#plain.peek(this.burst, max);
  }

  /** Gives the first `count` buffers of the last peek back; their frames have `bytes` bytes. */
  finish(count: number, bytes: number): void {
    const { ring } = this;
    this.#plain.finishRead(this.burst, count);
    ring.callIfWanted();
    const { counters } = ring;
    counters[COUNTER.polls]++;
    counters[COUNTER.fast_bursts]++;
    counters[COUNTER.seen] += this.burst.visible;
    ring.countBurst(count, bytes);
  }

  /**
   * Reads the header in front of frame `i` of the burst, once, into `fields`. False when it makes no sense; a header
   * without offload reads as zeroes.
   */
  readHeader(i: number, fields: HeaderFields): boolean {
    const { u8 } = this.#arena;
    const at = this.burst.offset[i];
    readHeader(u8, at, fields);
    fields.flags &= HDR_F_NEEDS_CSUM;
    if ((fields.flags | fields.gsoType) === 0) return true;
    return checkHeader(fields, this.burst.length[i] - this.headerBytes, this.#rules) === HEADER_OK;
  }

  /** True when frame `i` of the burst has an offload: only then its header is of interest. */
  hasOffload(i: number): boolean {
    return this.mayOffload && hasOffload(this.#arena.u8, this.burst.offset[i]);
  }

  /** Header fields of up to `found` frames into `batch`; answers the number of the first whose header makes no sense. */
  #readHeaders(batch: FrameBatch, found: number): number {
    const { flags, gsoType } = batch;
    const { u8 } = this.#arena;
    const { offset } = this.burst;
    for (let i = 0; i < found; i++) {
      const at = offset[i];
      flags[i] = 0;
      gsoType[i] = 0;
      if (hasOffload(u8, at) && !this.#readOffload(batch, i)) return i;
    }
    return found;
  }

  #readOffload(batch: FrameBatch, i: number): boolean {
    const fields = this.#fields;
    if (!this.readHeader(i, fields)) return false;
    batch.flags[i] = fields.flags;
    batch.gsoType[i] = fields.gsoType;
    batch.hdrLen[i] = fields.hdrLen;
    batch.gsoSize[i] = fields.gsoSize;
    batch.csumStart[i] = fields.csumStart;
    batch.csumOffset[i] = fields.csumOffset;
    return true;
  }

  #clearHeaders(batch: FrameBatch, found: number): number {
    const { flags, gsoType } = batch;
    for (let i = 0; i < found; i++) {
      flags[i] = 0;
      gsoType[i] = 0;
    }
    return found;
  }

  /**
   * Turns buffers of the burst into frames, and gives each a place of `batch` at the same distance from a word's begin.
   * Answers the frames' bytes.
   */
  #place(batch: FrameBatch, count: number): number {
    const from = this.burst.offset;
    const bufferBytes = this.burst.length;
    const { offset, length } = batch;
    const header = this.headerBytes | 0;
    const stride = batch.strideBytes | 0;
    let home = batch.home(0) >>> 0;
    let bytes = 0;
    for (let i = 0; i < count; i++) {
      const source = (from[i] + header) >>> 0;
      const frameBytes = (bufferBytes[i] - header) | 0;
      from[i] = source;
      offset[i] = home + (source & 7);
      length[i] = frameBytes;
      bytes = (bytes + frameBytes) | 0;
      home = (home + stride) >>> 0;
    }
    return bytes;
  }
}
