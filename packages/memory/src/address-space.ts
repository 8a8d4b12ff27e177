import {
  FAULT_COUNT,
  FAULT_OVERFLOW,
  FAULT_OVERLAP,
  FAULT_PERMISSION,
  FAULT_SPLIT,
  FAULT_TOO_LONG,
  FAULT_UNMAPPED,
  faultName,
} from './access.ts';
import type { AddressWindow } from './address-window.ts';
import type { Arena } from './arena.ts';
import { type Region, RegionTable } from './region-table.ts';

const LIMIT = 2 ** 53;
const HIGH_WORD = 2 ** 32;

/** False for ranges outside 0..2^53, negative or fractional lengths and NaN. */
function isRange(address: number, length: number): boolean {
  return (
    address >= 0 && address < LIMIT && length >= 0 && length <= LIMIT - address && Number.isInteger(length)
  );
}

/**
 * Guest memory as one device sees it: regions of guest-physical or I/O virtual addresses, each at a place of
 * the arena. Addresses are bytes as JavaScript numbers; what a guest writes beyond 2^53 is refused as an
 * overflow. A translation checks the whole length. Faults are answers below 0 and counted by reason.
 */
export class AddressSpace {
  readonly #arenaBytes: number;
  readonly #table = new RegionTable();
  #last = 0;
  #generation = 0;
  /** Refused translations by reason: `faults[-code]`. */
  readonly faults = new Float64Array(FAULT_COUNT);

  constructor(arena: Arena) {
    if (arena.sizeBytes > 2 ** 32) throw new RangeError('an arena beyond 4 GiB has no 32-bit offsets');
    this.#arenaBytes = arena.sizeBytes;
  }

  /** Goes up with every change of the mappings: whoever caches translations compares it. */
  get generation(): number {
    return this.#generation;
  }

  get regionCount(): number {
    return this.#table.count;
  }

  /** The regions by address; a copy for people, reports and tests. */
  regions(): Region[] {
    const { count, start, end, offset, permission } = this.#table;
    return Array.from({ length: count }, (_, i) => ({
      address: start[i],
      size: end[i] - start[i],
      arenaOffset: offset[i],
      permission: permission[i],
    }));
  }

  /**
   * Maps `size` bytes at `address` to `arenaOffset` with a PERMISSION_*. Answers 0, FAULT_OVERLAP (nothing
   * changed) or FAULT_OVERFLOW. Throws a RangeError when the arena has no such bytes: that is no peer's doing.
   */
  map(address: number, size: number, arenaOffset: number, permission: number): number {
    if (permission < 1 || permission > 3)
      throw new RangeError(`permission ${permission} is not 1 (RO), 2 (WO) or 3 (RW)`);
    if (!isRange(address, size) || size === 0 || !Number.isInteger(address))
      return this.#fault(FAULT_OVERFLOW);
    if (arenaOffset < 0 || arenaOffset + size > this.#arenaBytes || !Number.isInteger(arenaOffset)) {
      throw new RangeError(`region of ${size} bytes at arena offset ${arenaOffset} is outside the arena`);
    }
    const table = this.#table;
    const at = table.lowerBound(address);
    if (at < table.count && table.start[at] < address + size) return this.#fault(FAULT_OVERLAP);
    table.insert(at, address, address + size, arenaOffset, permission);
    this.#generation++;
    return 0;
  }

  /**
   * Unmaps every byte of the range, splitting regions at its borders; bytes that are not mapped are passed over.
   * Answers how many bytes were mapped, or FAULT_OVERFLOW.
   */
  unmap(address: number, length: number): number {
    if (!isRange(address, length) || !Number.isInteger(address)) return this.#fault(FAULT_OVERFLOW);
    const table = this.#table;
    const stop = address + length;
    let removed = 0;
    let at = table.lowerBound(address);
    while (length > 0 && at < table.count && table.start[at] < stop) {
      const start = table.start[at];
      const end = table.end[at];
      const offset = table.offset[at];
      const permission = table.permission[at];
      removed += Math.min(end, stop) - Math.max(start, address);
      table.remove(at, 1);
      if (start < address) table.insert(at++, start, address, offset, permission);
      if (end > stop) table.insert(at++, stop, end, offset + (stop - start), permission);
    }
    if (removed > 0) this.#generation++;
    this.#last = 0;
    return removed;
  }

  /** Unmaps everything. */
  clear(): void {
    this.#table.count = 0;
    this.#last = 0;
    this.#generation++;
  }

  /**
   * Arena offset of `address` when all `length` bytes are mapped, permitted for `access` (ACCESS_*, or both) and
   * in one piece of the arena; adjacent regions count as one piece when they continue each other there. Otherwise a
   * FAULT_*. Length 0 asks for the byte at `address`.
   */
  translate(address: number, length: number, access: number): number {
    const table = this.#table;
    const last = this.#last;
    if (
      address >= table.start[last] &&
      length <= table.end[last] - address &&
      address < table.end[last] &&
      length >= 0 &&
      last < table.count &&
      (table.permission[last] & access) === access
    ) {
      return table.offset[last] + (address - table.start[last]);
    }
    return this.#translateSlow(address, length, access);
  }

  #translateSlow(address: number, length: number, access: number): number {
    const fault = this.check(address, length, access);
    if (fault < 0) return fault;
    const first = this.#last;
    if (this.#continuesUntil(first, address + length) < 0) return this.#fault(FAULT_SPLIT);
    const table = this.#table;
    return table.offset[first] + (address - table.start[first]);
  }

  /** 0 when every byte of the range is mapped and permitted, in however many pieces; else the first fault. */
  check(address: number, length: number, access: number): number {
    if (!isRange(address, length)) return this.#fault(FAULT_OVERFLOW);
    const first = this.#find(address);
    if (first < 0) return this.#fault(FAULT_UNMAPPED);
    const table = this.#table;
    const stop = address + length;
    for (let i = first; ; i++) {
      if ((table.permission[i] & access) !== access) return this.#fault(FAULT_PERMISSION);
      if (table.end[i] >= stop) return 0;
      if (i + 1 >= table.count || table.start[i + 1] !== table.end[i]) return this.#fault(FAULT_UNMAPPED);
    }
  }

  /**
   * The PERMISSION_* of a range that is wholly mapped, in one piece of the arena and with one permission; 0 when it is
   * not. What a cache of whole pages may keep. Counts no fault.
   */
  permissionOver(address: number, length: number): number {
    if (!isRange(address, length)) return 0;
    const first = this.#find(address);
    if (first < 0) return 0;
    const last = this.#continuesUntil(first, address + length);
    if (last < 0) return 0;
    const permission = this.#table.permission;
    for (let i = first + 1; i <= last; i++) if (permission[i] !== permission[first]) return 0;
    return permission[first];
  }

  /**
   * Makes `window` the part of the region around address `(high, low)`, two unsigned 32-bit words, that has the same high
   * word. False, and nothing changed, when no region with permission for `access` holds that byte. Counts no fault.
   */
  windowAt(high: number, low: number, access: number, window: AddressWindow): boolean {
    const address = high * HIGH_WORD + low;
    const at = address < LIMIT ? this.#find(address) : -1;
    const table = this.#table;
    if (at < 0 || (table.permission[at] & access) !== access) return false;
    const start = Math.max(table.start[at], high * HIGH_WORD);
    window.high = high;
    window.low = start - high * HIGH_WORD;
    // a region of 4 GiB and more, aligned like the high word, loses its last byte: the careful translation has it
    window.bytes = Math.min(table.end[at] - start, (high + 1) * HIGH_WORD - start, HIGH_WORD - 1);
    window.offset = table.offset[at] + (start - table.start[at]);
    window.generation = this.#generation;
    return true;
  }

  /** Index of the region that reaches `stop` going on from `first` without a gap in addresses or in the arena, or -1. */
  #continuesUntil(first: number, stop: number): number {
    const { start, end, offset, count } = this.#table;
    let i = first;
    for (; end[i] < stop; i++) {
      if (i + 1 >= count || start[i + 1] !== end[i]) return -1;
      if (offset[i + 1] !== offset[i] + (end[i] - start[i])) return -1;
    }
    return i;
  }

  /**
   * Translates a range that may lie in several pieces of the arena. Writes the pieces' arena offsets and lengths
   * from index `at` on and answers how many there are (at least 1), or a FAULT_*: FAULT_TOO_LONG when the arrays
   * have no room for all. After a fault the arrays hold nothing of use.
   */
  translateSplit(
    address: number,
    length: number,
    access: number,
    outOffsets: Uint32Array,
    outLengths: Uint32Array,
    at: number,
  ): number {
    if (!isRange(address, length)) return this.#fault(FAULT_OVERFLOW);
    let i = this.#find(address);
    if (i < 0) return this.#fault(FAULT_UNMAPPED);
    const table = this.#table;
    const room = Math.min(outOffsets.length, outLengths.length);
    const stop = address + length;
    let place = at;
    let from = address;
    let pieceEnd = -1;
    for (; ; i++) {
      if ((table.permission[i] & access) !== access) return this.#fault(FAULT_PERMISSION);
      const to = table.end[i] < stop ? table.end[i] : stop;
      const offset = table.offset[i] + (from - table.start[i]);
      if (offset === pieceEnd) {
        outLengths[place - 1] += to - from;
      } else {
        if (place >= room) return this.#fault(FAULT_TOO_LONG);
        outOffsets[place] = offset;
        outLengths[place++] = to - from;
      }
      if (to === stop) return place - at;
      pieceEnd = offset + (to - from);
      from = to;
      if (i + 1 >= table.count || table.start[i + 1] !== to) return this.#fault(FAULT_UNMAPPED);
    }
  }

  /** Refusals by the reason's name, for statistics and drop counters; reasons that never happened are left out. */
  faultCounts(): Record<string, number> {
    const counts: Record<string, number> = {};
    for (let i = 1; i < FAULT_COUNT; i++) if (this.faults[i] > 0) counts[faultName(-i)] = this.faults[i];
    return counts;
  }

  #find(address: number): number {
    const table = this.#table;
    const at = table.lowerBound(address);
    if (at >= table.count || table.start[at] > address) return -1;
    this.#last = at;
    return at;
  }

  #fault(code: number): number {
    this.faults[-code]++;
    return code;
  }
}
