import type { Arena } from '@vhostlab/memory';
import { UsedBatch } from '@vhostlab/virtqueue';
import type { Buffers } from './buffers.ts';
import { COUNTER } from './counters.ts';
import type { Agreement } from './plan.ts';
import type { Rewound, Ring } from './ring.ts';

const PACKETS = COUNTER.packets;
const BYTES = COUNTER.bytes;
const BURSTS = COUNTER.bursts;
const DROP_SHORT = COUNTER.dropShort;
const DROP_MERGE = COUNTER.dropMerge;

/** Shortest frame that is one: an Ethernet header. */
const MIN_FRAME_BYTES = 14;
/** Longest frame that is taken: the largest IP packet behind an Ethernet header with two tags. */
export const MAX_FRAME_BYTES = 65_557;
const NUM_BUFFERS_AT = 10;

/** Frames of one poll: struct of arrays, filled again by the next. */
export class FrameBatch {
  count = 0;
  /**
   * Where the frame's buffers begin in `buffer`, and how many there are. While `isPlain`, frame f has the buffer of the
   * same number, and these arrays say so without having been written.
   */
  readonly first: Uint32Array;
  readonly parts: Uint32Array;
  /** Bytes of the frame, without the header. */
  readonly length: Uint32Array;
  /** Buffers in the order in which they were used, and the bytes written to each, the first one's header included. */
  readonly buffer: Uint32Array;
  readonly written: Uint32Array;
  isPlain = true;

  constructor(frames: number, buffers: number) {
    this.first = new Uint32Array(frames);
    this.parts = new Uint32Array(frames);
    this.length = new Uint32Array(frames);
    this.buffer = new Uint32Array(buffers);
    this.written = new Uint32Array(buffers);
    this.#makePlain();
  }

  clear(): void {
    this.count = 0;
    if (!this.isPlain) this.#makePlain();
  }

  #makePlain(): void {
    for (let f = 0; f < this.first.length; f++) this.first[f] = f;
    this.parts.fill(1);
    this.isPlain = true;
  }
}

/** The guest's end of a receiveq: posts buffers, takes frames, whole or merged from several buffers. */
export class ReceiveSide {
  readonly ring: Ring;
  readonly buffers: Buffers;
  readonly frames: FrameBatch;
  readonly #u8: Uint8Array;
  readonly #u16: Uint16Array;
  readonly #used: UsedBatch;
  readonly #scratch: number;
  #headerBytes: number;
  #mergeable: boolean;
  /** A frame of which buffers are missing: where those that came stand in `frames`, how many come, its bytes so far. */
  #openFirst = 0;
  #openEnd = 0;
  #openNeeds = 0;
  #openLength = 0;

  /** `scratch`: MAX_FRAME_BYTES of the arena for this side alone. */
  constructor(
    arena: Arena,
    ring: Ring,
    buffers: Buffers,
    agreement: Agreement,
    burst: number,
    scratch: number,
  ) {
    this.ring = ring;
    this.buffers = buffers;
    this.frames = new FrameBatch(burst, burst + ring.plan.size);
    this.#u8 = arena.u8;
    this.#u16 = arena.u16;
    this.#used = new UsedBatch(burst);
    this.#scratch = scratch;
    this.#headerBytes = agreement.headerBytes;
    this.#mergeable = agreement.mergeable;
  }

  /** Takes what was used: at most a burst of buffers. Answers how many; their frames stand in `frames`. @hot */
  poll(): number {
    const frames = this.frames;
    frames.clear();
    const used = this.#used;
    const n = this.ring.queue.popUsed(used, used.capacity);
    if (n === 0) return 0;
    const bytes = this.#mergeable ? this.#merge(n) : this.#single(n);
    const counters = this.ring.counters;
    counters[BURSTS] += 1;
    counters[PACKETS] += frames.count;
    counters[BYTES] += bytes;
    return n;
  }

  /** One buffer, one frame. Answers the bytes of all. */
  #single(n: number): number {
    const { length, buffer, written } = this.frames;
    const { token, length: usedLength } = this.#used;
    const header = this.#headerBytes;
    let count = 0;
    let bytes = 0;
    for (let i = 0; i < n; i++) {
      const frame = usedLength[i] - header;
      if (frame < MIN_FRAME_BYTES) {
        this.#drop(token[i], DROP_SHORT);
        continue;
      }
      buffer[count] = token[i];
      written[count] = usedLength[i];
      length[count] = frame;
      bytes += frame;
      count++;
    }
    this.frames.count = count;
    return bytes;
  }

  /** num_buffers of the header says how many buffers a frame has (virtio 1.3, 5.1.6.4). Answers the bytes of all. */
  #merge(n: number): number {
    const { length, buffer, written } = this.frames;
    const { token, length: usedLength } = this.#used;
    const { frameOffset } = this.buffers;
    const numBuffersAt = NUM_BUFFERS_AT - this.#headerBytes;
    const header = this.#headerBytes;
    const u16 = this.#u16;
    let bytes = 0;
    let i = 0;
    if (this.#openNeeds === 0) {
      for (; i < n; i++) {
        const frame = usedLength[i] - header;
        const numBuffers = u16[(frameOffset[token[i]] + numBuffersAt) >>> 1];
        if (numBuffers !== 1 || frame < MIN_FRAME_BYTES) break;
        buffer[i] = token[i];
        written[i] = usedLength[i];
        length[i] = frame;
        bytes += frame;
      }
      this.frames.count = i;
    }
    return i === n ? bytes : bytes + this.#mergeFrom(i, n);
  }

  /** The same from used buffer `from` on, which are not all frames by themselves. */
  #mergeFrom(from: number, n: number): number {
    const { buffer, written } = this.frames;
    const { token, length: usedLength } = this.#used;
    const { frameOffset } = this.buffers;
    const header = this.#headerBytes;
    const mostParts = this.ring.plan.size;
    this.frames.isPlain = false;
    if (this.#openFirst > 0) this.#moveOpen();
    let end = this.#openNeeds === 0 ? from : this.#openEnd;
    let start = 0;
    let needs = this.#openNeeds;
    let length = this.#openLength;
    let bytes = 0;
    for (let i = from; i < n; i++) {
      if (needs === 0) {
        needs = this.#u16[(frameOffset[token[i]] - header + NUM_BUFFERS_AT) >>> 1];
        if (needs === 0 || needs > mostParts || usedLength[i] < header) {
          this.#drop(token[i], DROP_MERGE);
          needs = 0;
          continue;
        }
        start = end;
        length = -header;
      }
      buffer[end] = token[i];
      written[end] = usedLength[i];
      end++;
      length += usedLength[i];
      needs--;
      if (needs === 0 && this.#close(start, end, length)) bytes += length;
    }
    this.#openFirst = needs === 0 ? 0 : start;
    this.#openEnd = needs === 0 ? 0 : end;
    this.#openNeeds = needs;
    this.#openLength = length;
    return bytes;
  }

  /** The frame's last buffer is there: true when it is a frame. */
  #close(start: number, end: number, length: number): boolean {
    const { first, parts, length: lengths, buffer } = this.frames;
    if (length < MIN_FRAME_BYTES || length > MAX_FRAME_BYTES) {
      this.ring.counters[length < MIN_FRAME_BYTES ? DROP_SHORT : DROP_MERGE] += 1;
      for (let i = start; i < end; i++) this.buffers.give(buffer[i]);
      return false;
    }
    const at = this.frames.count++;
    first[at] = start;
    parts[at] = end - start;
    lengths[at] = length;
    return true;
  }

  /** Moves the open frame's buffers to the start, since the frames before it have been handled. */
  #moveOpen(): void {
    const { buffer, written } = this.frames;
    buffer.copyWithin(0, this.#openFirst, this.#openEnd);
    written.copyWithin(0, this.#openFirst, this.#openEnd);
    this.#openEnd -= this.#openFirst;
    this.#openFirst = 0;
  }

  #drop(buffer: number, reason: number): void {
    this.ring.counters[reason] += 1;
    this.buffers.give(buffer);
  }

  /** Arena offset at which all bytes of frame `f` stand one after the other; those of several buffers are copied there. */
  contiguous(f: number): number {
    const { first, parts, buffer, written } = this.frames;
    const { frameOffset } = this.buffers;
    const from = first[f];
    if (parts[f] === 1) return frameOffset[buffer[from]];
    const header = this.#headerBytes;
    let to = this.#scratch;
    for (let i = from; i < from + parts[f]; i++) {
      const start = frameOffset[buffer[i]] - (i === from ? 0 : header);
      const bytes = i === from ? written[i] - header : written[i];
      this.#u8.copyWithin(to, start, start + bytes);
      to += bytes;
    }
    return this.#scratch;
  }

  /** Posts the buffers of all frames of the last poll again, and any other that is free; kicks if asked. @hot */
  repost(): void {
    const { count, first, parts, buffer } = this.frames;
    if (count > 0) {
      const queue = this.ring.queue;
      const { frameGpa, frameBytes } = this.buffers;
      const header = this.#headerBytes;
      const bytes = frameBytes + header;
      if (this.frames.isPlain) {
        for (let i = 0; i < count; i++) queue.addOne(frameGpa[buffer[i]] - header, bytes, true, buffer[i]);
      } else {
        for (let f = 0; f < count; f++) {
          const end = first[f] + parts[f];
          for (let i = first[f]; i < end; i++) {
            queue.addOne(frameGpa[buffer[i]] - header, bytes, true, buffer[i]);
          }
        }
      }
      this.frames.count = 0;
    }
    this.fill();
    this.ring.publish();
  }

  /** Posts free buffers, up to the ring's size; `publish` shows them to the device. */
  fill(): void {
    const { buffers } = this;
    if (buffers.freeCount === 0) return;
    const queue = this.ring.queue;
    const header = this.#headerBytes;
    const bytes = buffers.frameBytes + header;
    for (let n = Math.min(buffers.freeCount, queue.freeSlots); n > 0; n--) {
      const buffer = buffers.take();
      queue.addOne(buffers.frameGpa[buffer] - header, bytes, true, buffer);
    }
  }

  /** For a new back end: what was in flight is posted again. An open frame is dropped, its rest will not come. */
  rewind(agreement: Agreement): Rewound {
    const { buffer } = this.frames;
    if (this.#openNeeds > 0) {
      this.ring.counters[DROP_MERGE] += 1;
      for (let i = this.#openFirst; i < this.#openEnd; i++) this.buffers.give(buffer[i]);
    }
    this.#openFirst = this.#openEnd = this.#openNeeds = 0;
    this.#headerBytes = agreement.headerBytes;
    this.#mergeable = agreement.mergeable;
    const rewound = this.ring.rewind(agreement);
    const bytes = this.buffers.frameBytes + agreement.headerBytes;
    for (const { token } of rewound.outstanding) {
      this.ring.queue.addOne(this.buffers.frameGpa[token] - agreement.headerBytes, bytes, true, token);
    }
    this.fill();
    this.ring.publish();
    return rewound;
  }
}
