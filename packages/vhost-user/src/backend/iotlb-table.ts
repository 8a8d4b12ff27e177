import type { MemoryTable } from './memory-table.ts';
import type { IotlbRange } from './ring-setup.ts';

/** One translation that the front end gave. */
export interface IotlbEntry {
  readonly iova: number;
  readonly bytes: number;
  readonly userAddress: bigint;
  /** 1 read-only, 2 write-only, 3 both. */
  readonly permission: number;
}

/** An arena offset, or the first I/O virtual address without a translation, or why there is no one place. */
export type Translation =
  | { readonly at: number; readonly gpa: number }
  | { readonly miss: number }
  | { readonly problem: 'permission' | 'split' };

/** Translations kept before the oldest goes. */
const CAPACITY = 65536;

/** I/O virtual to user addresses, as IOTLB_MSG gave them: a cache, so any entry may be forgotten and asked for again. */
export class IotlbTable {
  /** By I/O virtual address, without overlap. */
  #entries: (IotlbEntry & { readonly stamp: number })[] = [];
  #stamp = 0;
  readonly #capacity: number;

  constructor(capacity = CAPACITY) {
    this.#capacity = capacity;
  }

  get size(): number {
    return this.#entries.length;
  }

  get entries(): readonly IotlbEntry[] {
    return this.#entries;
  }

  /** Adds a translation in place of all that it overlaps. Answers what was forgotten for want of room. */
  insert(entry: IotlbEntry): IotlbEntry[] {
    this.remove(entry.iova, entry.bytes);
    this.#entries.splice(this.#lowerBound(entry.iova), 0, { ...entry, stamp: this.#stamp++ });
    if (this.#entries.length <= this.#capacity) return [];
    let oldest = 0;
    for (let i = 1; i < this.#entries.length; i++) {
      if (this.#entries[i].stamp < this.#entries[oldest].stamp) oldest = i;
    }
    return this.#entries.splice(oldest, 1);
  }

  /** Forgets every translation that touches the range; answers them. */
  remove(iova: number, bytes: number): IotlbEntry[] {
    const from = this.#lowerBound(iova);
    let to = from;
    while (to < this.#entries.length && this.#entries[to].iova < iova + bytes) to++;
    return this.#entries.splice(from, to - from);
  }

  clear(): IotlbEntry[] {
    return this.#entries.splice(0);
  }

  /** Where `bytes` at `iova` are, when all are translated with `permission` and in one piece of the arena. */
  translate(iova: number, bytes: number, permission: number, memory: MemoryTable): Translation {
    let start: { at: number; gpa: number } | null = null;
    let at = iova;
    for (let i = this.#lowerBound(iova); at < iova + bytes; i++) {
      const entry = this.#entries[i];
      if (entry === undefined || entry.iova > at) return { miss: at };
      if ((entry.permission & permission) !== permission) return { problem: 'permission' };
      const length = Math.min(entry.iova + entry.bytes, iova + bytes) - at;
      const user = entry.userAddress + BigInt(at - entry.iova);
      const offset = memory.translateUser(user, length);
      if (offset === null) return { miss: at };
      if (start === null) start = { at: offset, gpa: memory.gpaOfUser(user)! };
      else if (offset !== start.at + (at - iova)) return { problem: 'split' };
      at += length;
    }
    return start ?? { miss: iova };
  }

  /** First entry that ends behind `iova`. */
  #lowerBound(iova: number): number {
    let low = 0;
    let high = this.#entries.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const entry = this.#entries[middle];
      if (entry.iova + entry.bytes <= iova) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/**
 * The pieces of one translation, split where the regions of the memory table are; null when some byte is not shared.
 */
export function piecesOf(entry: IotlbEntry, memory: MemoryTable): IotlbRange[] | null {
  const pieces: IotlbRange[] = [];
  for (let done = 0; done < entry.bytes; ) {
    const user = entry.userAddress + BigInt(done);
    const region = memory.regionAt(user);
    if (region === undefined) return null;
    const at = Number(user - region.userAddress);
    const bytes = Math.min(entry.bytes - done, region.bytes - at);
    const arenaOffset = region.mapping.arenaOffset + at;
    pieces.push({
      iova: entry.iova + done,
      bytes,
      arenaOffset,
      gpa: region.gpa + at,
      permission: entry.permission,
    });
    done += bytes;
  }
  return pieces;
}

/** The same entry as something to forget. */
export function forgotten(entry: { iova: number; bytes: number }): IotlbRange {
  return { iova: entry.iova, bytes: entry.bytes, arenaOffset: -1, gpa: -1, permission: 0 };
}
