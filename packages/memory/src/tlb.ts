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

/** Pages by set: `pages[set * ways + way]`, -1 where there is none. */
class Level {
  readonly pages: Int32Array;
  readonly ways: number;
  readonly setMask: number;
  /** Per set the way that the next new page takes (second level). */
  readonly victim: Uint8Array;

  constructor(name: string, entries: number, ways: number) {
    const sets = entries / ways;
    if (!Number.isInteger(sets) || sets < 1 || (sets & (sets - 1)) !== 0 || ways > 255) {
      throw new RangeError(`${name}: ${entries} entries in ${ways} ways are no power of two of sets`);
    }
    this.pages = new Int32Array(entries).fill(-1);
    this.ways = ways;
    this.setMask = sets - 1;
    this.victim = new Uint8Array(sets);
  }

  /** Makes `page` the most recent of its set, where the least recent one goes for it; true when it was there. */
  touchLru(page: number): boolean {
    const pages = this.pages;
    const first = (page & this.setMask) * this.ways;
    let carried = pages[first];
    if (carried === page) return true;
    pages[first] = page;
    const end = first + this.ways;
    for (let at = first + 1; at < end; at++) {
      const here = pages[at];
      pages[at] = carried;
      if (here === page) return true;
      carried = here;
    }
    return false;
  }

  /** Puts `page` in place of the set's pages in turn, unless it is there; true when it was. */
  touchRoundRobin(page: number): boolean {
    const pages = this.pages;
    const set = page & this.setMask;
    const first = set * this.ways;
    const end = first + this.ways;
    for (let at = first; at < end; at++) if (pages[at] === page) return true;
    const way = this.victim[set];
    pages[first + way] = page;
    this.victim[set] = way + 1 === this.ways ? 0 : way + 1;
    return false;
  }

  clear(): void {
    this.pages.fill(-1);
    this.victim.fill(0);
  }
}

/**
 * A processor's data TLB as a model that counts, for one page size (make one per page size): two set-associative
 * levels, the first replacing the least recently used page of a set, the second its pages in turn. It translates
 * nothing. A touch costs some nanoseconds and allocates nothing. Addresses reach up to 2^31 pages (8 TiB at 4 KiB).
 */
export class Tlb {
  readonly pageBytes: number;
  /** Touches by where the page was: `counts[TLB_L1]`, `counts[TLB_L2]`, `counts[TLB_WALK]`. Callers may zero them. */
  readonly counts = new Float64Array(3);
  readonly #perByte: number;
  readonly #l1: Level;
  readonly #l2: Level;
  #last = -1;

  constructor(options: TlbOptions) {
    if (!Number.isInteger(Math.log2(options.pageBytes))) {
      throw new RangeError(`page size ${options.pageBytes} is no power of two`);
    }
    this.pageBytes = options.pageBytes;
    this.#perByte = 1 / options.pageBytes;
    this.#l1 = new Level('first-level TLB', options.l1Entries, options.l1Ways);
    this.#l2 = new Level('second-level TLB', options.l2Entries, options.l2Ways);
  }

  /** An access to `address`: TLB_L1, TLB_L2 or TLB_WALK. The page is in the first level afterwards. */
  touch(address: number): number {
    return this.#touchPage((address * this.#perByte) | 0);
  }

  /** Touches every page of `[address, address + length)` in order; answers how many page walks that took. */
  touchRange(address: number, length: number): number {
    if (length <= 0) return 0;
    const last = ((address + length - 1) * this.#perByte) | 0;
    let walks = 0;
    for (let page = (address * this.#perByte) | 0; page <= last; page++) {
      if (this.#touchPage(page) === TLB_WALK) walks++;
    }
    return walks;
  }

  /** Forgets every page (a context switch, a TLB shoot-down); counts stay. */
  clear(): void {
    this.#l1.clear();
    this.#l2.clear();
    this.#last = -1;
  }

  #touchPage(page: number): number {
    let level = TLB_L1;
    if (page !== this.#last) {
      this.#last = page;
      if (!this.#l1.touchLru(page)) level = this.#l2.touchRoundRobin(page) ? TLB_L2 : TLB_WALK;
    }
    this.counts[level]++;
    return level;
  }
}
