import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type RunPlan, TimeBounds } from '../src/index.ts';

const NEVER = Number.POSITIVE_INFINITY;

/** A plan of one core per process with the given latencies between them. */
function plan(processes: number, edges: { a: number; b: number; ab: number; ba: number }[]): RunPlan {
  return {
    seed: 1,
    copyMode: false,
    accountFromPs: 0,
    sampling: { stride: 0 },
    windows: [],
    cores: Array.from({ length: processes }, (_, i) => ({
      id: `c${i}`,
      service: `p${i}`,
      module: 'm',
      config: {},
      mode: 'wait',
      account: 'none',
    })),
    channels: edges.map(({ a, b, ab, ba }, i) => ({
      id: `e${i}`,
      kind: 'control',
      a: { core: `c${a}`, end: 'x' },
      b: { core: `c${b}`, end: 'y' },
      latencyPs: { ab, ba },
    })),
  };
}

describe('how far a process may run', () => {
  it('is as far as nobody can reach it', () => {
    const bounds = new TimeBounds(plan(2, [{ a: 0, b: 1, ab: 100, ba: 30 }]), (service) => service);
    expect(bounds.bound(0, [1000, 5000])).toBe(1000 + 130);
    expect(bounds.bound(1, [1000, 5000])).toBe(1100);
    expect(bounds.bound(0, [NEVER, 5000])).toBe(5030);
    expect(bounds.bound(1, [NEVER, NEVER])).toBe(NEVER);
  });

  it('never lets a message arrive in the past: any walk of messages comes no earlier than the bound', () => {
    const edge = fc.record({
      a: fc.nat(3),
      b: fc.nat(3),
      ab: fc.integer({ min: 1, max: 500 }),
      ba: fc.integer({ min: 1, max: 500 }),
    });
    fc.assert(
      fc.property(
        fc.array(edge, { minLength: 1, maxLength: 8 }),
        fc.array(fc.nat(2000), { minLength: 4, maxLength: 4 }),
        fc.array(fc.nat(1000), { maxLength: 12 }),
        fc.nat(3),
        (edges, next, walk, start) => {
          const used = edges.filter(({ a, b }) => a !== b);
          const bounds = new TimeBounds(plan(4, used), (service) => service);
          let at = start;
          let moment = next[start];
          for (const choice of walk) {
            const ways = used.flatMap(({ a, b, ab, ba }) =>
              a === at ? [{ to: b, latency: ab }] : b === at ? [{ to: a, latency: ba }] : [],
            );
            if (ways.length === 0) return;
            const way = ways[choice % ways.length];
            at = way.to;
            moment += way.latency;
            expect(moment).toBeGreaterThanOrEqual(bounds.bound(at, next));
          }
        },
      ),
    );
  });
});
