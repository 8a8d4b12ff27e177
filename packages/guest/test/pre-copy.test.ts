import { PageSet } from '@vhostlab/memory';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PreCopy, type PreCopySettings } from '../src/migrate/pre-copy.ts';

const PAGES = 100;
/** A page takes one microsecond. */
const settings: PreCopySettings = {
  linkBps: 4096 * 8 * 1e6,
  linkLatencyPs: 5_000_000,
  maxDowntimePs: 10_000_000,
  maxRounds: 5,
};

function log(...pages: number[]): Uint8Array {
  const set = new PageSet(PAGES * 4096);
  for (const page of pages) set.add(page);
  return set.take();
}

/** Copies the round that is open; answers its pages. */
function drain(copy: PreCopy, nowPs: number, burst = 16): number[] {
  const out = new Float64Array(burst);
  const pages: number[] = [];
  for (let n = copy.next(out, nowPs); n > 0; n = copy.next(out, copy.readyPs))
    pages.push(...out.subarray(0, n));
  return pages;
}

describe('pre-copy', () => {
  it('copies every page once, then what was written, then stops within the downtime', () => {
    const copy = new PreCopy(PAGES * 4096, settings);
    copy.begin(0);
    expect(drain(copy, 0)).toEqual(Array.from({ length: PAGES }, (_, i) => i));
    expect(copy.readyPs).toBe(100_000_000);
    expect(copy.arrivedPs).toBe(105_000_000);
    const many = Array.from({ length: 30 }, (_, i) => i);
    expect(copy.roundOver({ vcpus: log(...many), backend: log(0, 50) }, 100_000_000)).toBe('copy');
    expect(drain(copy, 100_000_000)).toEqual([...many, 50]);
    expect(copy.roundOver({ vcpus: log(1), backend: log(2) }, 131_000_000)).toBe('stop');
    copy.last({ vcpus: log(1, 3), backend: log() }, 140_000_000);
    expect(drain(copy, 140_000_000)).toEqual([1, 2, 3]);
    expect(copy.rounds).toEqual([
      {
        kind: 'all',
        pages: 100,
        bytes: 409_600,
        fromVcpus: 0,
        fromBackend: 0,
        startPs: 0,
        endPs: 100_000_000,
      },
      {
        kind: 'dirty',
        pages: 31,
        bytes: 31 * 4096,
        fromVcpus: 30,
        fromBackend: 2,
        startPs: 100_000_000,
        endPs: 131_000_000,
      },
      {
        kind: 'stop',
        pages: 3,
        bytes: 3 * 4096,
        fromVcpus: 3,
        fromBackend: 1,
        startPs: 140_000_000,
        endPs: 143_000_000,
      },
    ]);
    expect(copy.totals).toEqual({ pages: 134, bytes: 134 * 4096 });
  });

  it('stops after its last round although too much is left, and copies all of that', () => {
    const copy = new PreCopy(PAGES * 4096, { ...settings, maxRounds: 3 });
    copy.begin(0);
    drain(copy, 0);
    const all = Array.from({ length: PAGES }, (_, i) => i);
    expect(copy.roundOver({ vcpus: log(...all), backend: log() }, copy.readyPs)).toBe('copy');
    drain(copy, copy.readyPs);
    expect(copy.roundOver({ vcpus: log(...all), backend: log() }, copy.readyPs)).toBe('copy');
    drain(copy, copy.readyPs);
    expect(copy.roundOver({ vcpus: log(...all), backend: log() }, copy.readyPs)).toBe('stop');
    copy.last({ vcpus: log(), backend: log() }, copy.readyPs);
    expect(drain(copy, copy.readyPs)).toEqual(all);
  });

  it('leaves no stale page, whatever is written when', () => {
    const writes = fc.array(fc.array(fc.nat(PAGES - 1), { maxLength: 40 }), { minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(
        writes,
        fc.integer({ min: 1, max: 8 }),
        fc.integer({ min: 1, max: 32 }),
        (plan, rounds, burst) => {
          const source = new Float64Array(PAGES);
          const destination = new Float64Array(PAGES).fill(-1);
          const written = new PageSet(PAGES * 4096);
          const copy = new PreCopy(PAGES * 4096, { ...settings, maxRounds: rounds });
          const out = new Float64Array(burst);
          let now = 0;
          let version = 1;
          const write = (pages: readonly number[]) => {
            for (const page of pages) {
              source[page] = version++;
              written.add(page);
            }
          };
          const round = (meanwhile: readonly number[]) => {
            let at = 0;
            for (let n = copy.next(out, now); n > 0; n = copy.next(out, now)) {
              for (let i = 0; i < n; i++) destination[out[i]] = source[out[i]];
              write(meanwhile.slice(at, at + 3));
              at += 3;
              now = copy.readyPs;
            }
            write(meanwhile.slice(at));
          };
          copy.begin(now);
          round(plan[0]);
          let step = 1;
          while (copy.roundOver({ vcpus: written.take(), backend: log() }, now) === 'copy')
            round(plan[step++] ?? []);
          write(plan[step] ?? []);
          copy.last({ vcpus: written.take(), backend: log() }, now);
          round([]);
          expect([...destination]).toEqual([...source]);
          expect(copy.rounds.length).toBeLessThanOrEqual(rounds + 1);
        },
      ),
      { numRuns: 100 },
    );
  });
});
