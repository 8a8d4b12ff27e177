import { DIRTY_PAGE_BYTES } from './dirty-log.ts';

/**
 * A set of pages of 4096 bytes of guest memory, one bit each in the order of a dirty log (page `p` is bit `p % 8` of byte
 * `p / 8`). Belongs to one thread; the log that devices share is `DirtyLog`.
 */
export class PageSet {
  readonly pages: number;
  readonly #bytes: Uint8Array;
  #count = 0;

  /** Covers guest-physical addresses 0 up to and without `memoryBytes`. */
  constructor(memoryBytes: number) {
    this.pages = Math.ceil(memoryBytes / DIRTY_PAGE_BYTES);
    this.#bytes = new Uint8Array(Math.ceil(this.pages / 8));
  }

  /** How many pages are in the set. */
  get count(): number {
    return this.#count;
  }

  has(page: number): boolean {
    return page >= 0 && page < this.pages && (this.#bytes[page >>> 3] & (1 << (page & 7))) !== 0;
  }

  add(page: number): void {
    const bit = 1 << (page & 7);
    if (page < 0 || page >= this.pages || (this.#bytes[page >>> 3] & bit) !== 0) return;
    this.#bytes[page >>> 3] |= bit;
    this.#count++;
  }

  /** Adds the pages of `[gpa, gpa + length)`; what lies outside is left out. */
  addRange(gpa: number, length: number): void {
    if (length <= 0) return;
    const last = Math.floor((gpa + length - 1) / DIRTY_PAGE_BYTES);
    for (let page = Math.floor(gpa / DIRTY_PAGE_BYTES); page <= last; page++) this.add(page);
  }

  addAll(): void {
    for (let page = 0; page < this.pages; page++) this.add(page);
  }

  /** Adds the pages whose bits are set in `log`, the bytes of a dirty log; answers how many of them were new here. */
  addLog(log: Uint8Array): number {
    const before = this.#count;
    const bytes = Math.min(log.length, this.#bytes.length);
    for (let at = 0; at < bytes; at++) {
      for (let bits = log[at], bit = 0; bits !== 0; bits >>>= 1, bit++) if (bits & 1) this.add(at * 8 + bit);
    }
    return this.#count - before;
  }

  /** The first page of the set from `fromPage` on; -1 when there is none. */
  next(fromPage: number): number {
    const bytes = this.#bytes;
    let mask = 0xff << (fromPage & 7);
    for (let at = fromPage >>> 3; at < bytes.length; at++, mask = 0xff) {
      const found = bytes[at] & mask;
      if (found !== 0) return at * 8 + (31 - Math.clz32(found & -found));
    }
    return -1;
  }

  /** Takes the set as the bytes of a dirty log and empties it. */
  take(): Uint8Array {
    const log = this.#bytes.slice();
    this.clear();
    return log;
  }

  clear(): void {
    this.#bytes.fill(0);
    this.#count = 0;
  }
}
