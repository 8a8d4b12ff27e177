/** The page was in the first-level TLB. */
export const TLB_L1 = 0;
/** It was in the second-level TLB. */
export const TLB_L2 = 1;
/** It was in neither: a page walk. */
export const TLB_WALK = 2;

/** Sizes of a two-level data TLB for one page size. Sets (entries / ways) must be a power of two. */
export interface TlbOptions {
  /** Bytes per page, a power of two: 4096, 2 MiB, 1 GiB. */
  readonly pageBytes: number;
  readonly l1Entries: number;
  readonly l1Ways: number;
  readonly l2Entries: number;
  readonly l2Ways: number;
}

/** One level: per set its pages, most recently used first. */
class Level {
  readonly #pages: Float64Array;
  readonly #ways: number;
  readonly #setMask: number;

  constructor(name: string, entries: number, ways: number) {
    const sets = entries / ways;
    if (!Number.isInteger(sets) || sets < 1 || (sets & (sets - 1)) !== 0) {
      throw new RangeError(`${name}: ${entries} entries in ${ways} ways are no power of two of sets`);
    }
    this.#pages = new Float64Array(entries).fill(-1);
    this.#ways = ways;
    this.#setMask = sets - 1;
  }

  /** Makes `page` the most recent of its set; true when it was there, else the least recent one is gone. */
  touch(page: number): boolean {
    const pages = this.#pages;
    const first = (page & this.#setMask) * this.#ways;
    if (pages[first] === page) return true;
    const last = first + this.#ways - 1;
    let at = first + 1;
    while (at < last && pages[at] !== page) at++;
    if (at > last) at = last;
    const hit = pages[at] === page;
    for (; at > first; at--) pages[at] = pages[at - 1];
    pages[first] = page;
    return hit;
  }

  clear(): void {
    this.#pages.fill(-1);
  }
}

/**
 * A processor's data TLB as a model that counts: two levels, set-associative, least recently used goes, for one page
 * size (make one per page size). It translates nothing. A touch costs some nanoseconds and allocates nothing.
 */
export class Tlb {
  readonly pageBytes: number;
  /** Touches by where the page was: `counts[TLB_L1]`, `counts[TLB_L2]`, `counts[TLB_WALK]`. Callers may zero them. */
  readonly counts = new Float64Array(3);
  readonly #l1: Level;
  readonly #l2: Level;
  #last = -1;

  constructor(options: TlbOptions) {
    if (!Number.isInteger(Math.log2(options.pageBytes))) {
      throw new RangeError(`page size ${options.pageBytes} is no power of two`);
    }
    this.pageBytes = options.pageBytes;
    this.#l1 = new Level('first-level TLB', options.l1Entries, options.l1Ways);
    this.#l2 = new Level('second-level TLB', options.l2Entries, options.l2Ways);
  }

  /** An access to `address` (0..2^53): TLB_L1, TLB_L2 or TLB_WALK. The page is in both levels afterwards. */
  touch(address: number): number {
    const page = Math.floor(address / this.pageBytes);
    let level = TLB_L1;
    if (page !== this.#last) {
      this.#last = page;
      if (!this.#l1.touch(page)) level = this.#l2.touch(page) ? TLB_L2 : TLB_WALK;
    }
    this.counts[level]++;
    return level;
  }

  /** Touches every page of `[address, address + length)` in order; answers how many page walks that took. */
  touchRange(address: number, length: number): number {
    const before = this.counts[TLB_WALK];
    const stop = address + length;
    let at = address;
    while (at < stop) {
      this.touch(at);
      at = (Math.floor(at / this.pageBytes) + 1) * this.pageBytes;
    }
    return this.counts[TLB_WALK] - before;
  }

  /** Forgets every page (a context switch, a TLB shoot-down); counts stay. */
  clear(): void {
    this.#l1.clear();
    this.#l2.clear();
    this.#last = -1;
  }
}
