import type { Arena } from './arena.ts';

/** Bytes of guest memory per bit (vhost-user, "Migration": VHOST_LOG_PAGE). */
export const DIRTY_PAGE_BYTES = 4096;

/** Bytes of log that cover guest-physical addresses 0 up to and without `memoryBytes`. */
export function dirtyLogBytes(memoryBytes: number): number {
  return Math.ceil(memoryBytes / (DIRTY_PAGE_BYTES * 8));
}

/**
 * The dirty log of vhost: one bit per 4096-byte page of guest-physical memory, page `p` is bit `p % 8` of byte
 * `p / 8`. Bits are set with an atomic OR and taken with an atomic exchange, so a device and a migration thread may
 * share the log.
 */
export class DirtyLog {
  readonly #bytes: Uint8Array;
  readonly #limit: number;
  /** Writes that fell, in part or whole, outside the log and were not recorded (a peer's fault). */
  outside = 0;

  /** The log is `bytes` bytes of the arena from `offset` on; the caller allocates and shares them. */
  constructor(arena: Arena, offset: number, bytes: number) {
    if (bytes <= 0 || offset < 0 || offset + bytes > arena.sizeBytes) {
      throw new RangeError(`dirty log of ${bytes} bytes at arena offset ${offset} is outside the arena`);
    }
    this.#bytes = arena.u8.subarray(offset, offset + bytes);
    this.#limit = bytes * 8 * DIRTY_PAGE_BYTES;
  }

  /** First guest-physical address that has no bit. */
  get limit(): number {
    return this.#limit;
  }

  /**
   * Marks the pages of `[gpa, gpa + length)` dirty. A range that does not lie wholly inside the log marks nothing,
   * adds to `outside` and answers false. Length 0 marks nothing and answers true.
   */
  mark(gpa: number, length: number): boolean {
    if (!(gpa >= 0 && length >= 0 && gpa + length <= this.#limit)) {
      this.outside++;
      return false;
    }
    if (length === 0) return true;
    const last = Math.floor((gpa + length - 1) / DIRTY_PAGE_BYTES);
    for (let page = Math.floor(gpa / DIRTY_PAGE_BYTES); page <= last; page++) {
      Atomics.or(this.#bytes, page >>> 3, 1 << (page & 7));
    }
    return true;
  }

  /** True when the page of `gpa` is dirty; false outside the log. */
  isDirty(gpa: number): boolean {
    const page = Math.floor(gpa / DIRTY_PAGE_BYTES);
    if (!(gpa >= 0 && gpa < this.#limit)) return false;
    return (Atomics.load(this.#bytes, page >>> 3) & (1 << (page & 7))) !== 0;
  }

  /** How many pages are dirty. */
  count(): number {
    let pages = 0;
    for (let i = 0; i < this.#bytes.length; i++) {
      for (let bits = this.#bytes[i]; bits !== 0; bits &= bits - 1) pages++;
    }
    return pages;
  }

  /**
   * Takes dirty pages and clears their bits: writes page numbers (gpa / 4096) in rising order from `fromPage` on
   * into `out` and answers how many. Fewer than `out.length` means that no dirty page is left behind `fromPage`.
   */
  take(out: Float64Array, fromPage = 0): number {
    let taken = 0;
    const bytes = this.#bytes;
    let keep = fromPage & 7;
    for (let at = fromPage >>> 3; at < bytes.length && taken < out.length; at++, keep = 0) {
      if (bytes[at] === 0) continue;
      const mask = 0xff & ~((1 << keep) - 1);
      let found = Atomics.and(bytes, at, ~mask & 0xff) & mask;
      for (let bit = 0; found !== 0 && taken < out.length; bit++) {
        if ((found & (1 << bit)) === 0) continue;
        found &= ~(1 << bit);
        out[taken++] = at * 8 + bit;
      }
      if (found !== 0) Atomics.or(bytes, at, found);
    }
    return taken;
  }

  /** Clears every bit. */
  clear(): void {
    for (let i = 0; i < this.#bytes.length; i++) Atomics.store(this.#bytes, i, 0);
  }
}
