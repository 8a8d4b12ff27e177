/**
 * One block of memory that holds every guest region, ring, packet pool and link buffer of a process.
 * Addresses are plain offsets, so one set of typed arrays covers everything and a copy between any two
 * regions is one operation without garbage.
 */
export class Arena {
  readonly buffer: ArrayBufferLike;
  readonly u8: Uint8Array;
  readonly u16: Uint16Array;
  readonly u32: Uint32Array;
  readonly i32: Int32Array;
  readonly b64: BigUint64Array;
  #next = 64;
  #limit: number;

  /** `buffer`: whole pages; the caller allocates it (plain, shared or mapped memory). */
  constructor(buffer: ArrayBufferLike) {
    this.buffer = buffer;
    this.u8 = new Uint8Array(buffer);
    this.u16 = new Uint16Array(buffer);
    this.u32 = new Uint32Array(buffer);
    this.i32 = new Int32Array(buffer);
    this.b64 = new BigUint64Array(buffer);
    this.#limit = this.u8.length;
  }

  /** The same memory, handing out only the `bytes` from `offset` on (a window that others see, for example). */
  within(offset: number, bytes: number): Arena {
    if (offset + bytes > this.#limit)
      throw new RangeError(`${bytes} bytes at ${offset} are not in the arena`);
    const part = new Arena(this.buffer);
    part.#next = offset;
    part.#limit = offset + bytes;
    return part;
  }

  get sizeBytes(): number {
    return this.u8.length;
  }

  get usedBytes(): number {
    return this.#next;
  }

  /**
   * Reserves `bytes` (rounded up to 8) at a multiple of `align` (a power of two). Offset 0 is never handed
   * out. Throws a RangeError when the arena is full.
   */
  alloc(bytes: number, align = 64): number {
    const at = Math.ceil(this.#next / align) * align;
    const size = Math.ceil(bytes / 8) * 8;
    if (at + size > this.#limit) {
      throw new RangeError(`arena is full: ${bytes} bytes asked, ${this.#limit - at} left`);
    }
    this.#next = at + size;
    return at;
  }

  /** Copies `length` bytes; ranges must not overlap. Words when both ends are 8-aligned, else `copyWithin`. */
  copy(to: number, from: number, length: number): void {
    if (length <= 128 && ((to | from) & 7) === 0) {
      const b64 = this.b64;
      let d = to >>> 3;
      let s = from >>> 3;
      const words = length >>> 3;
      for (let i = 0; i < words; i++) b64[d++] = b64[s++];
      const u8 = this.u8;
      for (let i = length & ~7; i < length; i++) u8[to + i] = u8[from + i];
      return;
    }
    this.u8.copyWithin(to, from, from + length);
  }
}

/** An arena on plain zeroed memory: the operating system commits pages as they are touched. */
export function createArena(bytes: number): Arena {
  return new Arena(new ArrayBuffer(Math.ceil(bytes / 4096) * 4096));
}
