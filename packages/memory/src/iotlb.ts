import { FAULT_PERMISSION } from './access.ts';
import type { AddressSpace } from './address-space.ts';
import { PageIndex } from './page-index.ts';

/** `lookup`: the page is not cached; ask the tables and `insert`. */
export const IOTLB_MISS = -1;
/** `lookup`: the page is cached without the permission that the access needs. */
export const IOTLB_PERMISSION = FAULT_PERMISSION;

/** Size and shape of an IOTLB. */
export interface IotlbOptions {
  /** Pages it holds at most. */
  readonly entries: number;
  /** Entries per set, dividing `entries` into a power of two of sets; default: `entries`, fully associative. */
  readonly ways?: number;
  /** Bytes per page, a power of two: 4096, 2 MiB, 1 GiB. */
  readonly pageBytes: number;
  /** Which entry of a full set goes: the one unused for longest, or the one inserted first. Default `lru`. */
  readonly policy?: 'lru' | 'fifo';
}

/**
 * An I/O translation cache (of an IOMMU, or of a vhost device behind one): page of the I/O virtual address to target
 * address and permission. Entries stay until they are evicted or invalidated, whatever happens to the tables, as in
 * hardware. Deterministic, no allocation after construction.
 */
export class Iotlb {
  readonly pageBytes: number;
  readonly #perByte: number;
  readonly #ways: number;
  readonly #setMask: number;
  readonly #lru: boolean;
  readonly #index: PageIndex;
  readonly #page: Float64Array;
  readonly #target: Float64Array;
  readonly #permission: Uint8Array;
  /** Per set a ring of slots with a sentinel at index `entries + set`: next is older, previous is newer. */
  readonly #next: Int32Array;
  readonly #previous: Int32Array;
  readonly #used: Int32Array;
  #lastPage = -1;
  #lastSlot = 0;
  hits = 0;
  misses = 0;
  permissionFaults = 0;
  insertions = 0;
  evictions = 0;
  invalidations = 0;

  constructor(options: IotlbOptions) {
    const { entries, pageBytes, ways = entries, policy = 'lru' } = options;
    const sets = entries / ways;
    if (!Number.isInteger(entries) || entries < 1 || !Number.isInteger(sets) || (sets & (sets - 1)) !== 0) {
      throw new RangeError(`an IOTLB of ${entries} entries in ${ways} ways has no power of two of sets`);
    }
    if (!Number.isInteger(Math.log2(pageBytes)))
      throw new RangeError(`page size ${pageBytes} is no power of two`);
    this.pageBytes = pageBytes;
    this.#perByte = 1 / pageBytes;
    this.#ways = ways;
    this.#setMask = sets - 1;
    this.#lru = policy === 'lru';
    this.#index = new PageIndex(entries);
    this.#page = new Float64Array(entries).fill(-1);
    this.#target = new Float64Array(entries);
    this.#permission = new Uint8Array(entries);
    this.#next = new Int32Array(entries + sets);
    this.#previous = new Int32Array(entries + sets);
    this.#used = new Int32Array(sets);
    this.clear();
  }

  get entries(): number {
    return this.#page.length;
  }

  /** Pages that are cached now. */
  get size(): number {
    let pages = 0;
    for (const used of this.#used) pages += used;
    return pages;
  }

  /** Target address of `iova` when its page is cached with `access` (ACCESS_*), else IOTLB_MISS or IOTLB_PERMISSION. */
  lookup(iova: number, access: number): number {
    const page = Math.floor(iova * this.#perByte);
    let slot = this.#lastSlot;
    if (page !== this.#lastPage) {
      slot = this.#index.find(page);
      if (slot < 0) {
        this.misses++;
        return IOTLB_MISS;
      }
      if (this.#lru) this.#moveToFront(slot, page);
      this.#lastPage = page;
      this.#lastSlot = slot;
    }
    if ((this.#permission[slot] & access) !== access) {
      this.permissionFaults++;
      return IOTLB_PERMISSION;
    }
    this.hits++;
    return this.#target[slot] + (iova - page * this.pageBytes);
  }

  /**
   * Caches the page of `iova`: `target` is what `iova` itself translates to. A page that is there is replaced and
   * counts as newest; a full set loses its oldest entry.
   */
  insert(iova: number, target: number, permission: number): void {
    const page = Math.floor(iova * this.#perByte);
    const set = page & this.#setMask;
    let slot = this.#index.find(page);
    if (slot < 0) {
      slot = this.#freeSlot(set);
      this.#index.insert(page, slot);
      this.#page[slot] = page;
      this.#link(slot, this.entries + set);
    } else {
      this.#moveToFront(slot, page);
    }
    this.#target[slot] = target - (iova - page * this.pageBytes);
    this.#permission[slot] = permission;
    this.#lastPage = page;
    this.#lastSlot = slot;
    this.insertions++;
  }

  /** Forgets every page that the range touches; answers how many were cached. */
  invalidate(iova: number, length: number): number {
    if (!(length > 0)) return 0;
    const first = Math.floor(iova * this.#perByte);
    const last = Math.floor((iova + length - 1) * this.#perByte);
    const before = this.size;
    if (last - first < this.entries) {
      for (let page = first; page <= last; page++) {
        const slot = this.#index.find(page);
        if (slot >= 0) this.#drop(slot);
      }
    } else {
      for (let slot = 0; slot < this.entries; slot++) {
        if (this.#page[slot] >= first && this.#page[slot] <= last) this.#drop(slot);
      }
    }
    const forgotten = before - this.size;
    this.invalidations += forgotten;
    return forgotten;
  }

  /** Forgets everything; counters stay. */
  clear(): void {
    this.#index.clear();
    this.#page.fill(-1);
    this.#used.fill(0);
    for (let set = 0; set <= this.#setMask; set++) {
      const sentinel = this.entries + set;
      this.#next[sentinel] = sentinel;
      this.#previous[sentinel] = sentinel;
    }
    this.#lastPage = -1;
  }

  /**
   * Looks up every page of a DMA of `length` bytes and fills misses from `space`. Answers how many misses there were
   * (each is one walk of the tables), or the FAULT_* of the first page that may not be used. A page that the tables
   * hold only in part, in several pieces or with several permissions is walked every time and never cached.
   */
  resolve(space: AddressSpace, iova: number, length: number, access: number): number {
    const pageBytes = this.pageBytes;
    const stop = iova + length;
    let walks = 0;
    for (let at = iova; at < stop; ) {
      const pageStart = Math.floor(at * this.#perByte) * pageBytes;
      const end = pageStart + pageBytes < stop ? pageStart + pageBytes : stop;
      if (this.lookup(at, access) < 0) {
        const fault = space.check(at, end - at, access);
        if (fault < 0) return fault;
        const permission = space.permissionOver(pageStart, pageBytes);
        if (permission !== 0)
          this.insert(pageStart, space.translate(pageStart, pageBytes, permission), permission);
        walks++;
      }
      at = end;
    }
    return walks;
  }

  /** A slot of the set that is free; evicts when there is none. */
  #freeSlot(set: number): number {
    if (this.#used[set] === this.#ways) {
      const oldest = this.#previous[this.entries + set];
      this.#drop(oldest);
      this.evictions++;
      this.#used[set]++;
      return oldest;
    }
    const first = set * this.#ways;
    let slot = first + this.#used[set];
    if (this.#page[slot] >= 0) for (slot = first; this.#page[slot] >= 0; ) slot++;
    this.#used[set]++;
    return slot;
  }

  #drop(slot: number): void {
    const page = this.#page[slot];
    this.#index.remove(page);
    this.#unlink(slot);
    this.#page[slot] = -1;
    this.#used[page & this.#setMask]--;
    if (page === this.#lastPage) this.#lastPage = -1;
  }

  #moveToFront(slot: number, page: number): void {
    const sentinel = this.entries + (page & this.#setMask);
    if (this.#next[sentinel] === slot) return;
    this.#unlink(slot);
    this.#link(slot, sentinel);
  }

  #link(slot: number, sentinel: number): void {
    const second = this.#next[sentinel];
    this.#next[slot] = second;
    this.#previous[slot] = sentinel;
    this.#previous[second] = slot;
    this.#next[sentinel] = slot;
  }

  #unlink(slot: number): void {
    this.#next[this.#previous[slot]] = this.#next[slot];
    this.#previous[this.#next[slot]] = this.#previous[slot];
  }
}
