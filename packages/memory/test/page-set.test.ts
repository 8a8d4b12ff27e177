import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createArena, DirtyLog, PageSet } from '../src/index.ts';

const PAGES = 70;
const range = fc.record({ gpa: fc.nat(PAGES * 4096 - 1), length: fc.nat(20_000) });

function list(set: PageSet): number[] {
  const found: number[] = [];
  for (let page = set.next(0); page >= 0; page = set.next(page + 1)) found.push(page);
  return found;
}

describe('PageSet', () => {
  it('holds the pages of the ranges added, in rising order, as a naive set does', () => {
    fc.assert(
      fc.property(fc.array(range, { maxLength: 20 }), (ranges) => {
        const set = new PageSet(PAGES * 4096);
        const naive = new Set<number>();
        for (const { gpa, length } of ranges) {
          set.addRange(gpa, length);
          for (let at = gpa; at < gpa + length; at++) if (at < PAGES * 4096) naive.add(Math.floor(at / 4096));
        }
        expect(list(set)).toEqual([...naive].sort((a, b) => a - b));
        expect(set.count).toBe(naive.size);
        expect([...naive].every((page) => set.has(page))).toBe(true);
      }),
      { numRuns: 50 },
    );
  });

  it('reads and gives the bytes of a dirty log', () => {
    const arena = createArena(65_536);
    const log = new DirtyLog(arena, 4096, 9);
    for (const gpa of [0, 4096 * 7, 4096 * 8, 4096 * 71]) log.mark(gpa, 1);
    const set = new PageSet(72 * 4096);
    expect(set.addLog(arena.u8.subarray(4096, 4105))).toBe(4);
    expect(set.addLog(arena.u8.subarray(4096, 4105))).toBe(0);
    expect(list(set)).toEqual([0, 7, 8, 71]);
    expect([...set.take()]).toEqual([...arena.u8.subarray(4096, 4105)]);
    expect(set.count).toBe(0);
    expect(set.next(0)).toBe(-1);
  });

  it('has no page outside of its memory', () => {
    const set = new PageSet(4096 * 3);
    set.addRange(4096 * 2, 100_000);
    set.add(-1);
    set.addLog(new Uint8Array([0xff, 0xff]));
    expect(set.count).toBe(3);
    expect(set.has(3)).toBe(false);
  });
});
