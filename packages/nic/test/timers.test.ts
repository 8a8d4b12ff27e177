import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Timers } from '../src/dma/timers.ts';

describe('Timers', () => {
  it('gives moments in order, equal ones in the order of adding', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(20), { maxLength: 600 }), (moments) => {
        const timers = new Timers();
        moments.forEach((at, i) => {
          timers.add(at, i);
        });
        const expected = moments.map((at, i) => ({ at, i })).sort((x, y) => x.at - y.at || x.i - y.i);
        for (const { at, i } of expected) {
          expect(timers.nextPs).toBe(at);
          expect(timers.take(at - 1)).toBe(-1);
          expect(timers.take(at)).toBe(i);
        }
        expect(timers.nextPs).toBe(Number.POSITIVE_INFINITY);
        expect(timers.take(1e15)).toBe(-1);
      }),
    );
  });

  it('mixes adding and taking like a sorted list', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.boolean(), fc.nat(50)), { maxLength: 300 }), (steps) => {
        const timers = new Timers();
        const list: { at: number; i: number }[] = [];
        steps.forEach(([adds, at], i) => {
          if (adds) {
            timers.add(at, i);
            list.push({ at, i });
            list.sort((x, y) => x.at - y.at || x.i - y.i);
          } else {
            const first = list[0];
            const due = first !== undefined && first.at <= at;
            expect(timers.take(at)).toBe(due ? first.i : -1);
            if (due) list.shift();
          }
        });
      }),
    );
  });
});
