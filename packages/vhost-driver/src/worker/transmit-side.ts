import { SegmentList, UsedBatch } from '@vhostlab/virtqueue';
import type { TxLayout } from '../options.ts';
import type { Buffers } from './buffers.ts';
import { COUNTER } from './counters.ts';
import type { Agreement } from './plan.ts';
import type { Rewound, Ring } from './ring.ts';

const PACKETS = COUNTER.packets;
const BYTES = COUNTER.bytes;
const BURSTS = COUNTER.bursts;
const COMPLETED = COUNTER.completed;
const NONE = -1;

/** The guest's end of a transmitq. Frames lie in numbered buffers, the virtio_net_hdr right before each. */
export class TransmitSide {
  readonly ring: Ring;
  readonly buffers: Buffers;
  readonly #layout: TxLayout;
  readonly #used: UsedBatch;
  readonly #segments: SegmentList;
  #headerBytes: number;
  /** Of each buffer in flight: bytes with the header, and the buffer that goes on with the frame. */
  readonly #bytes: Uint32Array;
  readonly #next: Int32Array;
  #hasChains = false;
  #pending = 0;
  #pendingBytes = 0;

  constructor(ring: Ring, buffers: Buffers, agreement: Agreement, layout: TxLayout, burst: number) {
    this.ring = ring;
    this.buffers = buffers;
    this.#layout = layout;
    this.#used = new UsedBatch(Math.max(burst, Math.min(256, ring.plan.size)));
    this.#segments = new SegmentList(Math.max(2, ring.plan.size));
    this.#headerBytes = agreement.headerBytes;
    this.#bytes = new Uint32Array(buffers.count);
    this.#next = new Int32Array(buffers.count).fill(NONE);
  }

  /** Frames of one buffer that can be put now. */
  get room(): number {
    const slots = this.ring.queue.freeSlots;
    const frames = this.#layout === 'two' ? slots >>> 1 : slots;
    const free = this.buffers.freeCount;
    return frames < free ? frames : free;
  }

  /** Frames that the device has not given back. */
  get inFlight(): number {
    return this.ring.queue.inFlight;
  }

  /** Adds the frame of `length` bytes in `buffer`; there is room. Nothing is visible before `flush`. @hot */
  put(buffer: number, length: number): void {
    const bytes = length + this.#headerBytes;
    this.#bytes[buffer] = bytes;
    this.#pending++;
    this.#pendingBytes += length;
    if (this.#layout === 'one') {
      this.ring.queue.addOne(this.buffers.frameGpa[buffer] - this.#headerBytes, bytes, false, buffer);
    } else this.#putSplit(buffer, bytes);
  }

  /** The same for the first `n` of `list`, whose frames have the lengths of `lengths`. @hot */
  putBurst(list: Uint32Array, lengths: Uint32Array, n: number): void {
    if (this.#layout !== 'one') {
      for (let i = 0; i < n; i++) this.put(list[i], lengths[i]);
      return;
    }
    const queue = this.ring.queue;
    const { frameGpa } = this.buffers;
    const header = this.#headerBytes;
    const inBuffer = this.#bytes;
    let total = 0;
    for (let i = 0; i < n; i++) {
      const buffer = list[i];
      const bytes = lengths[i] + header;
      inBuffer[buffer] = bytes;
      total += lengths[i];
      queue.addOne(frameGpa[buffer] - header, bytes, false, buffer);
    }
    this.#pending += n;
    this.#pendingBytes += total;
  }

  /** Header and frame in descriptors of their own. */
  #putSplit(buffer: number, bytes: number): void {
    const segments = this.#segments;
    const header = this.#headerBytes;
    const frame = this.buffers.frameGpa[buffer];
    segments.clear();
    segments.push(frame - header, header, false);
    segments.push(frame, bytes - header, false);
    if (this.#layout === 'indirect') this.ring.queue.addIndirect(segments, buffer);
    else this.ring.queue.addChain(segments, buffer);
  }

  /**
   * Adds a frame that lies in `parts` buffers of `list` from place `at`, as it was received: `bytes` of each, counted from
   * its header's place, the first one's header included. False when the ring has no room for all. @hot
   */
  putParts(list: Uint32Array, bytes: Uint32Array, at: number, parts: number): boolean {
    const queue = this.ring.queue;
    if (queue.freeSlots < parts) return false;
    const first = list[at];
    const next = this.#next;
    let length = -this.#headerBytes;
    for (let i = at; i < at + parts; i++) {
      this.#bytes[list[i]] = bytes[i];
      next[list[i]] = i + 1 < at + parts ? list[i + 1] : NONE;
      length += bytes[i];
    }
    if (parts > 1) this.#hasChains = true;
    this.#addParts(first);
    this.#pending++;
    this.#pendingBytes += length;
    return true;
  }

  #addParts(first: number): void {
    const { queue } = this.ring;
    const { frameGpa } = this.buffers;
    const header = this.#headerBytes;
    if (this.#next[first] === NONE) {
      queue.addOne(frameGpa[first] - header, this.#bytes[first], false, first);
      return;
    }
    const segments = this.#segments;
    segments.clear();
    for (let part = first; part !== NONE; part = this.#next[part]) {
      segments.push(frameGpa[part] - header, this.#bytes[part], false);
    }
    queue.addChain(segments, first);
  }

  /** Makes the frames that were put available, and kicks if asked. @hot */
  flush(): void {
    if (this.#pending === 0) return;
    const counters = this.ring.counters;
    counters[PACKETS] += this.#pending;
    counters[BYTES] += this.#pendingBytes;
    counters[BURSTS] += 1;
    this.#pending = 0;
    this.#pendingBytes = 0;
    this.ring.publish();
  }

  /** Takes back buffers of frames that the device is done with; answers how many frames. @hot */
  reclaim(): number {
    const used = this.#used;
    const n = this.ring.queue.popUsed(used, used.capacity);
    if (n === 0) return 0;
    const token = used.token;
    if (this.#hasChains) {
      for (let i = 0; i < n; i++) this.#giveChain(token[i]);
    } else this.buffers.giveBurst(token, n);
    this.ring.counters[COMPLETED] += n;
    return n;
  }

  #giveChain(first: number): void {
    const next = this.#next;
    for (let part = first; part !== NONE; ) {
      const after = next[part];
      next[part] = NONE;
      this.buffers.give(part);
      part = after;
    }
  }

  /** For a new back end: frames that were in flight are offered again, in their order. */
  rewind(agreement: Agreement): Rewound {
    this.#headerBytes = agreement.headerBytes;
    const rewound = this.ring.rewind(agreement);
    for (const { token } of rewound.outstanding) {
      if (this.#layout === 'one') this.#addParts(token);
      else this.#putSplit(token, this.#bytes[token]);
    }
    this.ring.publish();
    return rewound;
  }
}
