import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  ACCESS_READ,
  ACCESS_WRITE,
  AddressSpace,
  createArena,
  FAULT_PERMISSION,
  FAULT_UNMAPPED,
  IOTLB_MISS,
  IOTLB_PERMISSION,
  Iotlb,
  PERMISSION_RO,
  PERMISSION_RW,
} from '../src/index.ts';

describe('Iotlb', () => {
  it('translates inside a cached page and tells a miss from a missing permission', () => {
    const cache = new Iotlb({ entries: 2, pageBytes: 4096 });
    expect(cache.lookup(0x5010, ACCESS_READ)).toBe(IOTLB_MISS);
    cache.insert(0x5010, 0x9010, PERMISSION_RO);
    expect(cache.lookup(0x5fff, ACCESS_READ)).toBe(0x9fff);
    expect(cache.lookup(0x5000, ACCESS_WRITE)).toBe(IOTLB_PERMISSION);
    expect([cache.hits, cache.misses, cache.permissionFaults]).toEqual([1, 1, 1]);
  });

  it('keeps the recently used page with lru and the recently inserted one with fifo', () => {
    for (const policy of ['lru', 'fifo'] as const) {
      const cache = new Iotlb({ entries: 2, pageBytes: 4096, policy });
      cache.insert(0x1000, 0x1000, PERMISSION_RW);
      cache.insert(0x2000, 0x2000, PERMISSION_RW);
      cache.lookup(0x1000, ACCESS_READ);
      cache.insert(0x3000, 0x3000, PERMISSION_RW);
      expect(cache.lookup(0x1000, ACCESS_READ)).toBe(policy === 'lru' ? 0x1000 : IOTLB_MISS);
      expect(cache.evictions).toBe(1);
    }
  });

  it('holds stale translations until they are invalidated, as hardware does', () => {
    const arena = createArena(1 << 16);
    const space = new AddressSpace(arena);
    space.map(0x10000, 0x4000, 0x1000, PERMISSION_RW);
    const cache = new Iotlb({ entries: 8, pageBytes: 4096 });
    expect(cache.resolve(space, 0x10800, 0x2000, ACCESS_WRITE)).toBe(3);
    expect(cache.resolve(space, 0x10800, 0x2000, ACCESS_WRITE)).toBe(0);
    space.unmap(0x11000, 0x1000);
    expect(cache.resolve(space, 0x10800, 0x2000, ACCESS_WRITE)).toBe(0);
    expect(cache.invalidate(0x11fff, 1)).toBe(1);
    expect(cache.resolve(space, 0x10800, 0x2000, ACCESS_WRITE)).toBe(FAULT_UNMAPPED);
    expect(space.faultCounts()).toEqual({ unmapped: 1 });
  });

  it('never caches a large page that is mapped in part', () => {
    const space = new AddressSpace(createArena(1 << 16));
    space.map(0, 0x3000, 0x1000, PERMISSION_RW);
    space.map(0x3000, 0x1000, 0x4000, PERMISSION_RO);
    const cache = new Iotlb({ entries: 8, pageBytes: 0x4000 });
    expect(cache.resolve(space, 0, 64, ACCESS_WRITE)).toBe(1);
    expect(cache.resolve(space, 0, 64, ACCESS_WRITE)).toBe(1);
    expect(cache.resolve(space, 0x3000, 64, ACCESS_WRITE)).toBe(FAULT_PERMISSION);
    expect(cache.size).toBe(0);
  });

  it('refuses shapes without a power of two of sets', () => {
    expect(() => new Iotlb({ entries: 12, ways: 4, pageBytes: 4096 })).toThrow('12 entries in 4 ways');
    expect(() => new Iotlb({ entries: 8, pageBytes: 5000 })).toThrow('page size 5000');
  });
});

interface Entry {
  page: number;
  target: number;
  permission: number;
}

/** Sets as arrays, newest first. */
class NaiveIotlb {
  readonly sets: Entry[][];
  readonly ways: number;
  readonly lru: boolean;

  constructor(sets: number, ways: number, lru: boolean) {
    this.sets = Array.from({ length: sets }, () => []);
    this.ways = ways;
    this.lru = lru;
  }

  lookup(page: number, access: number): number {
    const set = this.sets[page % this.sets.length];
    const entry = set.find((one) => one.page === page);
    if (!entry) return IOTLB_MISS;
    if (this.lru) set.unshift(...set.splice(set.indexOf(entry), 1));
    return (entry.permission & access) === access ? entry.target : IOTLB_PERMISSION;
  }

  insert(entry: Entry): void {
    const set = this.sets[entry.page % this.sets.length];
    const at = set.findIndex((one) => one.page === entry.page);
    if (at >= 0) set.splice(at, 1);
    set.unshift(entry);
    if (set.length > this.ways) set.pop();
  }

  invalidate(first: number, last: number): number {
    let forgotten = 0;
    for (const set of this.sets) {
      for (let i = set.length - 1; i >= 0; i--) {
        if (set[i].page >= first && set[i].page <= last) {
          set.splice(i, 1);
          forgotten++;
        }
      }
    }
    return forgotten;
  }
}

const step = fc.record({
  kind: fc.constantFrom('lookup', 'lookup', 'insert', 'insert', 'invalidate', 'clear'),
  /** Pages far apart too, so that the hash sees high words. */
  page: fc.oneof(
    fc.nat(11),
    fc.nat(11).map((n) => n + 2 ** 33),
  ),
  target: fc.nat(100),
  permission: fc.integer({ min: 1, max: 3 }),
  pages: fc.constantFrom(1, 2, 40),
});

describe('Iotlb against arrays', () => {
  it.each([
    [1, 4, 'lru'],
    [1, 4, 'fifo'],
    [2, 2, 'lru'],
    [4, 1, 'fifo'],
    [1, 1, 'lru'],
  ] as const)('agrees with %i sets of %i ways, %s', (sets, ways, policy) => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
        const cache = new Iotlb({ entries: sets * ways, ways, pageBytes: 4096, policy });
        const naive = new NaiveIotlb(sets, ways, policy === 'lru');
        for (const { kind, page, target, permission, pages } of steps) {
          const iova = page * 4096 + 7;
          if (kind === 'lookup') {
            const expected = naive.lookup(page, permission);
            expect(cache.lookup(iova, permission)).toBe(expected < 0 ? expected : expected + 7);
          } else if (kind === 'insert') {
            naive.insert({ page, target: target * 4096, permission });
            cache.insert(iova, target * 4096 + 7, permission);
          } else if (kind === 'invalidate') {
            expect(cache.invalidate(iova, (pages - 1) * 4096 + 1)).toBe(
              naive.invalidate(page, page + pages - 1),
            );
          } else {
            cache.clear();
            naive.invalidate(0, 2 ** 50);
          }
          expect(cache.size).toBe(naive.sets.reduce((sum, set) => sum + set.length, 0));
        }
      }),
    );
  });
});

const mapping = fc.record({
  kind: fc.constantFrom('map', 'unmap', 'resolve', 'resolve', 'resolve'),
  /** Quarter pages, so that pages are mapped in part too. */
  quarter: fc.nat(40),
  quarters: fc.integer({ min: 1, max: 14 }),
  slide: fc.constantFrom(0, 0, 8),
  permission: fc.constantFrom(PERMISSION_RO, PERMISSION_RW, PERMISSION_RW),
  access: fc.constantFrom(ACCESS_READ, ACCESS_WRITE),
});

describe('Iotlb.resolve against the address space', () => {
  it('answers as the tables do, and walks only once for whole pages, when invalidations follow unmaps', () => {
    const pageBytes = 64;
    const arena = createArena(1 << 16);
    fc.assert(
      fc.property(fc.array(mapping, { maxLength: 100 }), (steps) => {
        const space = new AddressSpace(arena);
        const cache = new Iotlb({ entries: 64, pageBytes });
        for (const { kind, quarter, quarters, slide, permission, access } of steps) {
          const address = quarter * 16;
          const length = quarters * 16;
          if (kind === 'map') space.map(address, length, 1024 + address + slide * 16, permission);
          else if (kind === 'unmap') {
            space.unmap(address, length);
            cache.invalidate(address, length);
          } else {
            const expected = space.check(address, length, access);
            const walks = cache.resolve(space, address, length, access);
            if (expected < 0) {
              expect(walks).toBe(expected);
              continue;
            }
            expect(walks).toBeGreaterThanOrEqual(0);
            let again = 0;
            const last = Math.floor((address + length - 1) / pageBytes);
            for (let page = Math.floor(address / pageBytes); page <= last; page++) {
              const whole = space.permissionOver(page * pageBytes, pageBytes) !== 0;
              if (!whole) again++;
              const expectedTarget = whole
                ? space.translate(page * pageBytes, pageBytes, access)
                : IOTLB_MISS;
              expect(cache.lookup(page * pageBytes, access)).toBe(expectedTarget);
            }
            expect(cache.resolve(space, address, length, access)).toBe(again);
          }
        }
      }),
    );
  });
});
