import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { TLB_L1, TLB_L2, TLB_WALK, Tlb } from '../src/index.ts';

const SKYLAKE = { l1Entries: 64, l1Ways: 4, l2Entries: 1536, l2Ways: 12 };

/** Each page of `pages` pages once per lap; counts of the second lap. */
function lap(tlb: Tlb, pages: number): number[] {
  for (let round = 0; round < 2; round++) {
    tlb.counts.fill(0);
    for (let page = 0; page < pages; page++) tlb.touch(page * tlb.pageBytes + (page % tlb.pageBytes));
  }
  return [...tlb.counts];
}

describe('Tlb', () => {
  it('reaches 64 pages in the first level, 1536 in the second, then walks', () => {
    expect(lap(new Tlb({ ...SKYLAKE, pageBytes: 4096 }), 64)).toEqual([64, 0, 0]);
    expect(lap(new Tlb({ ...SKYLAKE, pageBytes: 4096 }), 1000)).toEqual([0, 1000, 0]);
    expect(lap(new Tlb({ ...SKYLAKE, pageBytes: 2 ** 21 }), 2048)).toEqual([0, 0, 2048]);
  });

  it('touches every page of a range once', () => {
    const tlb = new Tlb({ ...SKYLAKE, pageBytes: 4096 });
    expect(tlb.touchRange(4095, 4098)).toBe(3);
    expect(tlb.touchRange(4095, 4098)).toBe(0);
    expect(tlb.touchRange(0, 0)).toBe(0);
    tlb.clear();
    expect(tlb.touch(4096)).toBe(TLB_WALK);
  });

  it('refuses shapes without a power of two of sets', () => {
    expect(() => new Tlb({ ...SKYLAKE, l2Ways: 10, pageBytes: 4096 })).toThrow(
      'second-level TLB: 1536 entries',
    );
    expect(() => new Tlb({ ...SKYLAKE, pageBytes: 3 })).toThrow('page size 3');
  });

  it.each([
    [4, 1, 8, 2],
    [4, 4, 8, 8],
    [2, 2, 4, 1],
  ])('agrees with arrays: first level %i/%i, second %i/%i', (l1Entries, l1Ways, l2Entries, l2Ways) => {
    const level = (entries: number, ways: number, lru: boolean) => {
      const sets: number[][] = Array.from({ length: entries / ways }, () => []);
      return (page: number) => {
        const set = sets[page % sets.length];
        const at = set.indexOf(page);
        if (at >= 0 && !lru) return true;
        if (at >= 0) set.splice(at, 1);
        set.unshift(page);
        if (set.length > ways) set.pop();
        return at >= 0;
      };
    };
    fc.assert(
      fc.property(fc.array(fc.nat(20), { maxLength: 200 }), (pages) => {
        const tlb = new Tlb({ l1Entries, l1Ways, l2Entries, l2Ways, pageBytes: 4096 });
        const first = level(l1Entries, l1Ways, true);
        const second = level(l2Entries, l2Ways, false);
        for (const page of pages) {
          const expected = first(page) ? TLB_L1 : second(page) ? TLB_L2 : TLB_WALK;
          expect(tlb.touch(page * 4096 + 5)).toBe(expected);
        }
        expect(tlb.counts.reduce((a, b) => a + b)).toBe(pages.length);
      }),
    );
  });
});
