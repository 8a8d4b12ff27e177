import type { Arena } from './arena.ts';

/** How a pool is made. Sizes in bytes. */
export interface PacketPoolOptions {
  /** How many buffers, 1 to 2^24. */
  readonly buffers: number;
  /** Bytes per buffer, headroom included. */
  readonly bufferBytes: number;
  /** Bytes before the frame of a fresh buffer, for headers that are put in front. Default 0. */
  readonly headroomBytes?: number;
  /** Alignment of every buffer, a power of two. Default 64. */
  readonly align?: number;
  /**
   * Which free buffer comes next: the one freed last (`stack`, few buffers stay hot) or the one freed first (`ring`,
   * every buffer in turn). Caches and TLB feel the difference. Default `stack`.
   */
  readonly order?: 'stack' | 'ring';
}

/** What travels with a frame besides its bytes: the fields that pool and links have in common. */
export interface PacketMeta {
  packet: number;
  bornPs: number;
  flags: number;
  gsoType: number;
  hdrLen: number;
  gsoSize: number;
  csumStart: number;
  csumOffset: number;
  aux: number;
  wireLength: number;
}

const FREE = 0;
const TAKEN = 1;
const EXTERNAL = 2;

/**
 * Packet buffers of one size in the arena, handed out by index, with the packets' metadata as parallel arrays. A
 * packet may instead refer to bytes elsewhere (guest memory) without a copy. Running dry is an answer and a counter;
 * freeing what is free throws, since only our own code can do it.
 */
export class PacketPool {
  readonly buffers: number;
  readonly bufferBytes: number;
  readonly headroomBytes: number;
  /** Arena offset of the first buffer, and the distance from one to the next. */
  readonly base: number;
  readonly strideBytes: number;

  /** Arena offset and length of the frame's bytes. */
  readonly offset: Uint32Array;
  readonly length: Uint32Array;
  /** Packet number of the run, below 0 for none; moment of birth in picoseconds. */
  readonly packet: Float64Array;
  readonly bornPs: Float64Array;
  readonly port: Uint16Array;
  readonly queue: Uint16Array;
  /** Fields of the virtio-net header (virtio 1.3, 5.1.6). */
  readonly flags: Uint8Array;
  readonly gsoType: Uint8Array;
  readonly hdrLen: Uint16Array;
  readonly gsoSize: Uint16Array;
  readonly csumStart: Uint16Array;
  readonly csumOffset: Uint16Array;
  /** Free for the owner: hash, mark, action. */
  readonly aux: Uint32Array;
  /** Bytes on the wire when they differ from `length`; 0: same. */
  readonly wireLength: Uint32Array;
  /** External packets: the ring slot (queue is in `queue`) that is given back when the packet is freed. */
  readonly externalSlot: Uint32Array;

  /** Allocations that found no buffer; a bulk allocation counts once. */
  exhausted = 0;

  readonly #state: Uint8Array;
  readonly #free: Uint32Array;
  readonly #ring: boolean;
  #head = 0;
  #freeCount: number;

  /** Allocates `buffers` × `bufferBytes` in the arena; throws a RangeError when it is full. */
  constructor(arena: Arena, options: PacketPoolOptions) {
    const { buffers, bufferBytes, headroomBytes = 0, align = 64, order = 'stack' } = options;
    if (!Number.isInteger(buffers) || buffers < 1 || buffers > 2 ** 24) {
      throw new RangeError(`a pool of ${buffers} buffers: use 1 to 16777216`);
    }
    if (!(headroomBytes >= 0 && headroomBytes < bufferBytes)) {
      throw new RangeError(`headroom of ${headroomBytes} bytes leaves no room in a buffer of ${bufferBytes}`);
    }
    this.buffers = buffers;
    this.bufferBytes = bufferBytes;
    this.headroomBytes = headroomBytes;
    this.strideBytes = Math.ceil(bufferBytes / align) * align;
    this.base = arena.alloc(this.strideBytes * buffers, align);
    this.offset = new Uint32Array(buffers);
    this.length = new Uint32Array(buffers);
    this.packet = new Float64Array(buffers);
    this.bornPs = new Float64Array(buffers);
    this.port = new Uint16Array(buffers);
    this.queue = new Uint16Array(buffers);
    this.flags = new Uint8Array(buffers);
    this.gsoType = new Uint8Array(buffers);
    this.hdrLen = new Uint16Array(buffers);
    this.gsoSize = new Uint16Array(buffers);
    this.csumStart = new Uint16Array(buffers);
    this.csumOffset = new Uint16Array(buffers);
    this.aux = new Uint32Array(buffers);
    this.wireLength = new Uint32Array(buffers);
    this.externalSlot = new Uint32Array(buffers);
    this.#state = new Uint8Array(buffers);
    this.#ring = order === 'ring';
    this.#free = new Uint32Array(buffers);
    for (let i = 0; i < buffers; i++) this.#free[i] = this.#ring ? i : buffers - 1 - i;
    this.#freeCount = buffers;
  }

  /** Buffers that can be allocated now. */
  get available(): number {
    return this.#freeCount;
  }

  get inUse(): number {
    return this.buffers - this.#freeCount;
  }

  /** Arena offset where buffer `index` starts, headroom first. */
  bufferOffset(index: number): number {
    return this.base + index * this.strideBytes;
  }

  /** Takes a buffer with cleared metadata and `offset` behind the headroom: its index, or -1 when the pool is dry. */
  alloc(): number {
    if (this.#freeCount === 0) {
      this.exhausted++;
      return -1;
    }
    return this.#take();
  }

  /** Takes `count` buffers into `out[at…]`, all or none: answers `count` or 0. */
  allocBulk(out: Uint32Array, at: number, count: number): number {
    if (count > this.#freeCount) {
      this.exhausted++;
      return 0;
    }
    for (let i = 0; i < count; i++) out[at + i] = this.#take();
    return count;
  }

  /** Gives a buffer back. Throws when it is free already or no buffer of this pool. */
  free(index: number): void {
    if (!(index >= 0 && index < this.buffers) || this.#state[index] === FREE) {
      throw new Error(`buffer ${index} of ${this.buffers} is freed but not in use`);
    }
    this.#state[index] = FREE;
    let place = this.#freeCount++;
    if (this.#ring) {
      place += this.#head;
      if (place >= this.buffers) place -= this.buffers;
    }
    this.#free[place] = index;
  }

  /** Gives back `indices[at…at + count)`. */
  freeBulk(indices: Uint32Array, at: number, count: number): void {
    for (let i = at; i < at + count; i++) this.free(indices[i]);
  }

  /** Lets packet `index` refer to `length` bytes at an arena offset outside the pool, which a ring slot owns. */
  attach(index: number, arenaOffset: number, length: number, slot: number): void {
    if (this.#state[index] === FREE) throw new Error(`buffer ${index} is attached to but not in use`);
    this.#state[index] = EXTERNAL;
    this.offset[index] = arenaOffset;
    this.length[index] = length;
    this.externalSlot[index] = slot;
  }

  /** True while the packet refers to bytes outside the pool. */
  isExternal(index: number): boolean {
    return this.#state[index] === EXTERNAL;
  }

  /** True between allocation and free. */
  isTaken(index: number): boolean {
    return this.#state[index] !== FREE;
  }

  /** Fills the metadata of `index` from a link's or generator's. */
  setMeta(index: number, meta: PacketMeta): void {
    this.packet[index] = meta.packet;
    this.bornPs[index] = meta.bornPs;
    this.flags[index] = meta.flags;
    this.gsoType[index] = meta.gsoType;
    this.hdrLen[index] = meta.hdrLen;
    this.gsoSize[index] = meta.gsoSize;
    this.csumStart[index] = meta.csumStart;
    this.csumOffset[index] = meta.csumOffset;
    this.aux[index] = meta.aux;
    this.wireLength[index] = meta.wireLength;
  }

  /** Fills `meta` from the metadata of `index`. */
  getMeta(index: number, meta: PacketMeta): void {
    meta.packet = this.packet[index];
    meta.bornPs = this.bornPs[index];
    meta.flags = this.flags[index];
    meta.gsoType = this.gsoType[index];
    meta.hdrLen = this.hdrLen[index];
    meta.gsoSize = this.gsoSize[index];
    meta.csumStart = this.csumStart[index];
    meta.csumOffset = this.csumOffset[index];
    meta.aux = this.aux[index];
    meta.wireLength = this.wireLength[index];
  }

  /** Frames that packet `index` is on the wire: the segments of a GSO frame (virtio 1.3, 5.1.6.2), else 1. */
  wireFrames(index: number): number {
    if (this.gsoType[index] === 0 || this.gsoSize[index] === 0) return 1;
    return Math.max(1, Math.ceil((this.length[index] - this.hdrLen[index]) / this.gsoSize[index]));
  }

  /** The same for `indices[at…at + count)` together. */
  wireFramesOf(indices: Uint32Array, at: number, count: number): number {
    let frames = 0;
    for (let i = at; i < at + count; i++) frames += this.wireFrames(indices[i]);
    return frames;
  }

  /** Copies metadata, length, port and queue of one packet to another of the same pool; bytes stay. */
  copyMeta(to: number, from: number): void {
    this.length[to] = this.length[from];
    this.packet[to] = this.packet[from];
    this.bornPs[to] = this.bornPs[from];
    this.port[to] = this.port[from];
    this.queue[to] = this.queue[from];
    this.flags[to] = this.flags[from];
    this.gsoType[to] = this.gsoType[from];
    this.hdrLen[to] = this.hdrLen[from];
    this.gsoSize[to] = this.gsoSize[from];
    this.csumStart[to] = this.csumStart[from];
    this.csumOffset[to] = this.csumOffset[from];
    this.aux[to] = this.aux[from];
    this.wireLength[to] = this.wireLength[from];
  }

  #take(): number {
    this.#freeCount--;
    let place = this.#freeCount;
    if (this.#ring) {
      place = this.#head++;
      if (this.#head === this.buffers) this.#head = 0;
    }
    const index = this.#free[place];
    this.#state[index] = TAKEN;
    this.offset[index] = this.base + index * this.strideBytes + this.headroomBytes;
    this.length[index] = 0;
    this.packet[index] = -1;
    this.bornPs[index] = 0;
    this.port[index] = 0;
    this.queue[index] = 0;
    this.flags[index] = 0;
    this.gsoType[index] = 0;
    this.hdrLen[index] = 0;
    this.gsoSize[index] = 0;
    this.csumStart[index] = 0;
    this.csumOffset[index] = 0;
    this.aux[index] = 0;
    this.wireLength[index] = 0;
    return index;
  }
}
