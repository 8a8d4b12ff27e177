import type { Arena } from '@vhostlab/memory';
import type { FrameMeta, LinkEnd, Ps } from './api.ts';
import type { Reader } from './mailbox.ts';
import type { CoreClock } from './meter.ts';

/** A FrameMeta with every field zero. */
export function emptyFrameMeta(): FrameMeta {
  return {
    packet: -1,
    bornPs: 0,
    flags: 0,
    gsoType: 0,
    hdrLen: 0,
    gsoSize: 0,
    csumStart: 0,
    csumOffset: 0,
    aux: 0,
    wireLength: 0,
  };
}

const FIELDS = 8;

/**
 * One direction of a link: frames in order with their metadata, bytes in a ring of the reader's arena. In
 * the sender's process, when the reader is elsewhere, it is only the outbox.
 */
export class FrameQueue {
  readonly capacity: number;
  readonly bufferBytes: number;
  readonly latencyPs: Ps;
  readonly atPs: Float64Array;
  readonly bornPs: Float64Array;
  readonly packet: Int32Array;
  readonly fields: Int32Array;
  readonly offset: Float64Array;
  readonly length: Int32Array;
  readonly mask: number;
  readonly arena: Arena;
  head = 0;
  tail = 0;
  lastPs: Ps = 0;
  reader: Reader | undefined;
  /** False while frames do not wake the reader. */
  listens = true;
  readonly #ring: number;
  readonly #ringBytes: number;
  #write = 0;
  /** Credits on their way back: moment, places, bytes. */
  readonly creditPs: number[] = [];
  readonly creditPlaces: number[] = [];
  readonly creditBytes: number[] = [];
  sender: Reader | undefined;
  senderWaits = false;

  /** `bufferBytes`: most bytes in flight; the ring is twice that so that wrapping never lacks room. */
  constructor(arena: Arena, capacity: number, bufferBytes: number, latencyPs: Ps) {
    let size = 1;
    while (size < capacity + 1) size *= 2;
    this.capacity = capacity;
    this.bufferBytes = bufferBytes;
    this.latencyPs = latencyPs;
    this.arena = arena;
    this.mask = size - 1;
    this.atPs = new Float64Array(size);
    this.bornPs = new Float64Array(size);
    this.packet = new Int32Array(size);
    this.fields = new Int32Array(size * FIELDS);
    this.offset = new Float64Array(size);
    this.length = new Int32Array(size);
    this.#ringBytes = bufferBytes * 2;
    this.#ring = arena.alloc(this.#ringBytes);
  }

  /** Appends a frame that is visible at `atPs`; the sender's credits were checked before. */
  pushAt(atPs: Ps, source: Uint8Array, offset: number, length: number, meta: FrameMeta): void {
    const at = atPs < this.lastPs ? this.lastPs : atPs;
    this.lastPs = at;
    const i = this.tail & this.mask;
    this.atPs[i] = at;
    this.bornPs[i] = meta.bornPs;
    this.packet[i] = meta.packet;
    const f = i * FIELDS;
    const fields = this.fields;
    fields[f] = meta.flags | (meta.gsoType << 8);
    fields[f + 1] = meta.hdrLen;
    fields[f + 2] = meta.gsoSize;
    fields[f + 3] = meta.csumStart;
    fields[f + 4] = meta.csumOffset;
    fields[f + 5] = meta.aux;
    fields[f + 6] = meta.wireLength;
    this.length[i] = length;
    const room = (length + 63) & ~63;
    if (this.#write + room > this.#ringBytes) this.#write = 0;
    const to = this.#ring + this.#write;
    this.#write += room;
    this.offset[i] = to;
    if (source === this.arena.u8) this.arena.copy(to, offset, length);
    else this.arena.u8.set(source.subarray(offset, offset + length), to);
    this.tail++;
    if (this.listens) this.reader?.arriving(at, true);
  }

  /** Copies the metadata of entry `i` into `meta`. */
  readMeta(i: number, meta: FrameMeta): void {
    const f = i * FIELDS;
    const fields = this.fields;
    meta.packet = this.packet[i];
    meta.bornPs = this.bornPs[i];
    meta.flags = fields[f] & 0xff;
    meta.gsoType = fields[f] >>> 8;
    meta.hdrLen = fields[f + 1];
    meta.gsoSize = fields[f + 2];
    meta.csumStart = fields[f + 3];
    meta.csumOffset = fields[f + 4];
    meta.aux = fields[f + 5];
    meta.wireLength = fields[f + 6];
  }

  /** Gives credits back to the sender, visible there at `atPs`. */
  credit(atPs: Ps, places: number, bytes: number): void {
    this.creditPs.push(atPs);
    this.creditPlaces.push(places);
    this.creditBytes.push(bytes);
    if (this.senderWaits) this.sender?.arriving(atPs, true);
  }
}

/** One end of a link on frame queues, for both clocks: on the real one their latency is 0. */
export class ChannelLinkEnd implements LinkEnd {
  readonly out: FrameQueue;
  readonly in: FrameQueue;
  readonly meta: FrameMeta = emptyFrameMeta();
  offset = 0;
  length = 0;
  atPs: Ps = 0;
  readonly #clock: CoreClock;
  #placesUsed = 0;
  #bytesUsed = 0;
  #freedPlaces = 0;
  #freedBytes = 0;
  #creditHead = 0;

  constructor(clock: CoreClock, out: FrameQueue, inQueue: FrameQueue) {
    this.#clock = clock;
    this.out = out;
    this.in = inQueue;
  }

  free(): number {
    this.#takeCredits();
    return this.out.capacity - this.#placesUsed;
  }

  send(offset: number, length: number, meta: FrameMeta, atPs: Ps): boolean {
    this.#takeCredits();
    const out = this.out;
    const room = (length + 63) & ~63;
    if (this.#placesUsed >= out.capacity || this.#bytesUsed + room > out.bufferBytes) {
      out.senderWaits = true;
      return false;
    }
    this.#placesUsed++;
    this.#bytesUsed += room;
    const now = this.#clock.nowPs;
    out.pushAt((atPs > now ? atPs : now) + out.latencyPs, out.arena.u8, offset, length, meta);
    return true;
  }

  ready(): number {
    const queue = this.in;
    const now = this.#clock.startPs;
    let n = 0;
    for (let i = queue.head; i !== queue.tail && queue.atPs[i & queue.mask] <= now; i++) n++;
    return n;
  }

  get listens(): boolean {
    return this.in.listens;
  }

  set listens(on: boolean) {
    this.in.listens = on;
  }

  nextPs(): Ps {
    const queue = this.in;
    return queue.head === queue.tail ? Number.POSITIVE_INFINITY : queue.atPs[queue.head & queue.mask];
  }

  receive(): boolean {
    const queue = this.in;
    if (queue.head === queue.tail) return false;
    const i = queue.head & queue.mask;
    if (queue.atPs[i] > this.#clock.startPs) return false;
    this.offset = queue.offset[i];
    this.length = queue.length[i];
    this.atPs = queue.atPs[i];
    queue.readMeta(i, this.meta);
    return true;
  }

  release(): void {
    const queue = this.in;
    const i = queue.head & queue.mask;
    queue.head++;
    this.#freedPlaces++;
    this.#freedBytes += (queue.length[i] + 63) & ~63;
  }

  /**
   * Moment at which a sender that found the link full may try again; Infinity when it does not wait. A moment that has
   * come is answered once: the sender looks again, or has dropped what it had.
   */
  creditPs(): Ps {
    const out = this.out;
    if (!out.senderWaits || this.#creditHead >= out.creditPs.length) return Number.POSITIVE_INFINITY;
    const at = out.creditPs[this.#creditHead];
    if (at <= this.#clock.startPs) this.#takeCredits();
    return at;
  }

  /** Sends the credits of this run; called by the core at the end of every run. */
  flushCredits(): void {
    if (this.#freedPlaces === 0) return;
    this.in.credit(this.#clock.nowPs + this.in.latencyPs, this.#freedPlaces, this.#freedBytes);
    this.#freedPlaces = 0;
    this.#freedBytes = 0;
  }

  #takeCredits(): void {
    const out = this.out;
    const now = this.#clock.startPs;
    let at = this.#creditHead;
    while (at < out.creditPs.length && out.creditPs[at] <= now) {
      this.#placesUsed -= out.creditPlaces[at];
      this.#bytesUsed -= out.creditBytes[at];
      out.senderWaits = false;
      at++;
    }
    this.#creditHead = at;
    if (at > 1024) {
      out.creditPs.splice(0, at);
      out.creditPlaces.splice(0, at);
      out.creditBytes.splice(0, at);
      this.#creditHead = 0;
    }
  }
}
