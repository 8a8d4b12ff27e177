import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createArena, DIRTY_PAGE_BYTES, DirtyLog, dirtyLogBytes } from '../src/index.ts';

describe('DirtyLog (vhost-user, migration)', () => {
  it('sets bit page % 8 of byte page / 8', () => {
    const arena = createArena(4096);
    const log = new DirtyLog(arena, 128, 8);
    expect(log.mark(4096 * 11 + 4095, 2)).toBe(true);
    expect([...arena.u8.subarray(128, 136)]).toEqual([0, 0b0001_1000, 0, 0, 0, 0, 0, 0]);
    expect([log.isDirty(4096 * 11), log.isDirty(4096 * 13), log.count()]).toEqual([true, false, 2]);
  });

  it('records nothing for a range that ends outside, counts it, and touches no byte behind the log', () => {
    const arena = createArena(4096);
    const log = new DirtyLog(arena, 128, 1);
    expect(log.limit).toBe(8 * 4096);
    expect(log.mark(8 * 4096 - 1, 2)).toBe(false);
    expect(log.mark(2 ** 53, 1)).toBe(false);
    expect(log.mark(Number.NaN, 1)).toBe(false);
    expect([log.outside, log.count(), arena.u8[129]]).toEqual([3, 0, 0]);
    expect(log.isDirty(2 ** 40)).toBe(false);
    expect(log.mark(8 * 4096, 0)).toBe(true);
  });

  it('needs one bit per page', () => {
    expect(dirtyLogBytes(256 << 20)).toBe(0x2000);
    expect(dirtyLogBytes(1)).toBe(1);
    expect(() => new DirtyLog(createArena(4096), 4090, 8)).toThrow('outside the arena');
  });

  it('agrees with a set of pages, taken in portions', () => {
    const bytes = 4;
    const step = fc.record({
      gpa: fc.nat(bytes * 8 * 4096 + 5000),
      length: fc.nat(3 * 4096),
      take: fc.nat(5),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const log = new DirtyLog(createArena(4096), 64, bytes);
        const pages = new Set<number>();
        for (const { gpa, length, take } of steps) {
          const inside = gpa + length <= log.limit;
          expect(log.mark(gpa, length)).toBe(inside);
          if (inside) {
            for (let at = gpa; at < gpa + length; at++) pages.add(Math.floor(at / DIRTY_PAGE_BYTES));
          }
          if (take === 0) continue;
          const out = new Float64Array(take);
          const from = gpa % 20;
          const expected = [...pages].filter((page) => page >= from).sort((a, b) => a - b);
          const count = log.take(out, from);
          expect([...out.subarray(0, count)]).toEqual(expected.slice(0, take));
          for (const page of out.subarray(0, count)) pages.delete(page);
          expect(log.count()).toBe(pages.size);
        }
      }),
      { numRuns: 60 },
    );
    const log = new DirtyLog(createArena(4096), 64, bytes);
    log.mark(0, log.limit);
    log.clear();
    expect(log.count()).toBe(0);
  });
});
