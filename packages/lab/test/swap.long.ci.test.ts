import type { BackendName } from '@vhostlab/workload';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { planOf } from './support/planned.ts';
import { splitHash } from './support/split.ts';
import {
  expectUnharmed,
  MOVABLE,
  NO_OFFLOADS,
  OFFLOADS,
  PAIRS,
  swapRun,
  swapScenario,
} from './support/swaps.ts';

const GROUPS = [['guest'], ['backend'], ['switch'], ['nic', 'station']];

describe('a guest goes to another back end and back under traffic', () => {
  it.each(PAIRS)(
    '$from to $to and back: in every mode of the guest and format of the rings',
    ({ from, to }) => {
      for (const workload of ['tx', 'rx', 'pvp'] as const) {
        for (const guest of ['poll', 'interrupt'] as const) {
          for (const ring of ['split', 'packed'] as const) {
            if (ring === 'packed' && from === 'vhost-net') continue;
            const { changes } = expectUnharmed(swapScenario(from, [to, from], { workload, guest, ring }));
            expect(changes.map((change) => [change.from, change.to])).toEqual([
              [from, to],
              [to, from],
            ]);
            for (const { path, missing } of changes)
              expect(path).toBe(missing.length === 0 ? 'carried' : 'reset');
          }
        }
      }
    },
  );

  it.each([
    { name: 'two queue pairs', more: { queues: 2, workload: 'tx' } },
    { name: 'a pipeline', more: { execution: 'pipeline', workload: 'pvp' } },
    { name: 'requests and responses', more: { workload: 'rr', guest: 'interrupt', packets: 300 } },
  ] as const)('carries $name', ({ more }) => {
    for (const { from, to } of PAIRS) expectUnharmed(swapScenario(from, [to, from], more));
  });

  it('is the same run in one process and in several', () => {
    for (const { from, to } of PAIRS) {
      for (const more of [
        { workload: 'pvp' },
        { workload: 'rr', guest: 'interrupt', packets: 200 },
      ] as const) {
        const config = swapScenario(from, [to, from], { packets: 600, ...more });
        const plan = planOf(config);
        const { hash } = swapRun(config);
        expect(splitHash('run', plan, GROUPS)).toBe(hash);
        let seed = 7;
        const pace = () => {
          seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31;
          return (['late', 'even', 'early'] as const)[seed % 3];
        };
        const pairs = [
          ['guest', 'nic'],
          ['backend', 'switch', 'station'],
        ];
        expect(splitHash('run', plan, pairs, pace)).toBe(hash);
      }
    }
  });
});

describe('a guest goes to or from vfio', () => {
  it.each(['vhost-net', 'vhost-user', 'vdpa'] as const)('and %s: every frame is accounted for', (other) => {
    for (const workload of ['tx', 'rx', 'pvp', 'stream'] as const) {
      for (const guest of ['poll', 'interrupt'] as const) {
        for (const [from, to] of [
          ['vfio', other],
          [other, 'vfio'],
        ] as const) {
          const more =
            workload === 'stream' ? { rate: '20kpps', offloads: OFFLOADS, packets: 60 } : { queues: 2 };
          const config = swapScenario(from, [to, from], { workload, guest, ...more });
          const run = swapRun(config);
          const lost = Object.values(run.drops).reduce((sum, count) => sum + count, 0);
          expect(run.delivered + lost).toBe(run.offered);
          expect(run.changes.map(({ path }) => path)).toEqual(['failover', 'failover']);
          expect(splitHash('run', planOf(config), GROUPS)).toBe(run.hash);
        }
      }
    }
  });
});

/** Any walk of one to four steps among the back ends. */
const walks = fc
  .tuple(fc.constantFrom(...MOVABLE), fc.array(fc.nat({ max: 1 }), { minLength: 1, maxLength: 4 }))
  .map(([from, steps]) => {
    const to: BackendName[] = [];
    let present: (typeof MOVABLE)[number] = from;
    for (const step of steps) {
      present = MOVABLE.filter((name) => name !== present)[step];
      to.push(present);
    }
    return { from, to };
  });

const settings = fc.record({
  workload: fc.constantFrom('tx' as const, 'rx' as const, 'pvp' as const),
  guest: fc.constantFrom('poll' as const, 'interrupt' as const),
  ring: fc.constantFrom('split' as const, 'packed' as const),
  queues: fc.constantFrom(1, 2, 3),
  execution: fc.constantFrom('rtc' as const, 'pipeline' as const),
  offloads: fc.constantFrom(OFFLOADS, NO_OFFLOADS),
  toOffloads: fc.constantFrom(OFFLOADS, NO_OFFLOADS),
  rate: fc.constantFrom('100kpps', '300kpps', '350kpps'),
  everyPs: fc.integer({ min: 100_000_000, max: 1_000_000_000 }),
});

it('whatever the moments, rings and offloads: nothing is lost, twice or out of order', () => {
  fc.assert(
    fc.property(walks, settings, ({ from, to }, more) => {
      const ring = from === 'vhost-net' ? 'split' : more.ring;
      const run = swapRun(swapScenario(from, to, { ...more, ring, packets: 600 }));
      expect([run.delivered, run.drops, run.order]).toEqual([
        run.offered,
        {},
        { duplicated: 0, reordered: 0 },
      ]);
      expect(run.changes.every(({ drain_complete }) => drain_complete)).toBe(true);
    }),
    { numRuns: 30 },
  );
});
