import { Arena } from '@vhostlab/memory';

/** Bytes in front of each frame of a ring: its length, and when it was put there. */
export const RECORD_HEADER_BYTES = 8;
/** Length that says: the next record is at the begin of the ring. */
const SKIP = 0xffff_ffff;
/** Words in front of the records. */
const HEAD = 0;
const TAIL = 16;
const WANTS_SIGNAL = 32;
const CONTROL_BYTES = 256;

/** Bytes that a frame takes in a ring, and in a `FrameBurst`: both have the same form. */
export function recordBytes(length: number): number {
  return RECORD_HEADER_BYTES + ((length + 7) & ~7);
}

/**
 * Frames on their way from one thread to another, one of which writes and one of which reads. Positions are bytes modulo
 * 2^32; a record never goes over the end. Nothing waits: what does not fit is the writer's to count.
 */
export class FrameRing {
  readonly buffer: SharedArrayBuffer;
  /** Where a reader finds bytes. */
  readonly arena: Arena;
  readonly capacity: number;
  readonly #control: Int32Array;
  readonly #mask: number;
  /** The own side's position, and what was last seen of the other's. */
  #at = 0;
  #seen = 0;

  /** `buffer`: of another thread's ring; `capacity`: bytes, a power of two. */
  constructor(capacity: number, buffer?: SharedArrayBuffer) {
    this.buffer = buffer ?? new SharedArrayBuffer(CONTROL_BYTES + capacity);
    this.arena = new Arena(this.buffer);
    this.capacity = capacity;
    this.#control = new Int32Array(this.buffer, 0, CONTROL_BYTES / 4);
    this.#mask = capacity - 1;
  }

  /** Bytes that are in use, as both sides have published. */
  get usedBytes(): number {
    return (Atomics.load(this.#control, TAIL) - Atomics.load(this.#control, HEAD)) >>> 0;
  }

  /**
   * Writer: appends a frame of `length` bytes, which is there after `publish`; false when it does not fit. `stampUs`:
   * microseconds of the monotonic clock, 32 bits of them.
   */
  put(from: Arena, offset: number, length: number, stampUs: number): boolean {
    const at = this.#reserve(recordBytes(length));
    if (at < 0) return false;
    const { arena } = this;
    arena.u32[at >>> 2] = length;
    arena.u32[(at >>> 2) + 1] = stampUs;
    // what is behind the frame goes over the link, too
    if ((length & 7) !== 0) arena.b64[(at + RECORD_HEADER_BYTES + length) >>> 3] = 0n;
    copyBetween(arena, at + RECORD_HEADER_BYTES, from, offset, length);
    return true;
  }

  /** Writer: appends whole records as they are, at most as many as fit. Answers how many bytes of them it took. */
  putRecords(bytes: Uint8Array, from: number, to: number): number {
    const at = this.#reserve(to - from);
    if (at < 0) return 0;
    this.arena.u8.set(bytes.subarray(from, to), at);
    return to - from;
  }

  /** Writer: bytes that a record may have that is appended next, before the end of the ring. */
  get runBytes(): number {
    return this.capacity - (this.#at & this.#mask);
  }

  /** Writer: what was put is there for the reader, who is woken if it waits in `changed`. True when it wants a signal. */
  publish(): boolean {
    const control = this.#control;
    Atomics.store(control, TAIL, this.#at | 0);
    Atomics.notify(control, TAIL);
    return Atomics.load(control, WANTS_SIGNAL) !== 0 && Atomics.exchange(control, WANTS_SIGNAL, 0) !== 0;
  }

  /** Reader: looks what there is. True when there is anything. */
  look(): boolean {
    this.#seen = Atomics.load(this.#control, TAIL);
    return ((this.#seen ^ this.#at) | 0) !== 0;
  }

  /** Reader: arena offset of the next record that was seen; -1: none. It stays until `release`. */
  next(): number {
    if (((this.#seen ^ this.#at) | 0) === 0) return -1;
    const at = this.#place(this.#at);
    if (this.arena.u32[at >>> 2] !== SKIP) return at;
    this.#at = (this.#at + this.capacity - (this.#at & this.#mask)) >>> 0;
    return ((this.#seen ^ this.#at) | 0) === 0 ? -1 : this.#place(this.#at);
  }

  /** Reader: goes on behind the record of a frame of `length` bytes. */
  pass(length: number): void {
    this.#at = (this.#at + recordBytes(length)) >>> 0;
  }

  /** Reader: the writer may use the place of what was passed. */
  release(): void {
    Atomics.store(this.#control, HEAD, this.#at | 0);
  }

  /** Reader: asks for a signal with the next publication; look once more afterwards. */
  wantSignal(): void {
    Atomics.store(this.#control, WANTS_SIGNAL, 1);
  }

  /** Reader with an event loop: resolves when something was published since `look`, or after `ms`. */
  changed(ms: number): Promise<unknown> | undefined {
    const { async, value } = Atomics.waitAsync(this.#control, TAIL, this.#seen | 0, ms);
    return async ? value : undefined;
  }

  #place(position: number): number {
    return CONTROL_BYTES + (position & this.#mask);
  }

  /** Arena offset of `bytes` bytes in one piece; -1 when they are not free. */
  #reserve(bytes: number): number {
    const run = this.runBytes;
    const needed = bytes <= run ? bytes : bytes + run;
    if (this.capacity - ((this.#at - this.#seen) >>> 0) < needed) {
      this.#seen = Atomics.load(this.#control, HEAD);
      if (this.capacity - ((this.#at - this.#seen) >>> 0) < needed) return -1;
    }
    if (bytes > run) {
      this.arena.u32[this.#place(this.#at) >>> 2] = SKIP;
      this.#at = (this.#at + run) >>> 0;
    }
    const at = this.#place(this.#at);
    this.#at = (this.#at + bytes) >>> 0;
    return at;
  }
}

/** Copies between two arenas: words when both ends are 8-aligned, else bytes. */
export function copyBetween(to: Arena, at: number, from: Arena, offset: number, length: number): void {
  if (((at | offset) & 7) === 0) {
    const a = to.b64;
    const b = from.b64;
    let d = at >>> 3;
    let s = offset >>> 3;
    for (let words = length >>> 3; words > 0; words--) a[d++] = b[s++];
  }
  const a = to.u8;
  const b = from.u8;
  for (let i = ((at | offset) & 7) === 0 ? length & ~7 : 0; i < length; i++) a[at + i] = b[offset + i];
}
