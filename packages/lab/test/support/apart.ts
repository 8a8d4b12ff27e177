import { BACKENDS, type WorkloadName } from '@vhostlab/workload';
import fc from 'fast-check';
import { expect } from 'vitest';
import type { CompareOptionsInput } from '../../src/index.ts';
import { logHash } from './log-hash.ts';
import { runRows } from './run.ts';
import { type Pace, splitHash } from './split.ts';

const GROUPS = [
  [['guest'], ['backend'], ['switch'], ['nic']],
  [
    ['guest', 'switch'],
    ['backend', 'nic'],
  ],
  [['guest'], ['backend', 'switch', 'nic']],
  [
    ['guest', 'backend'],
    ['nic', 'switch'],
  ],
  [['guest', 'backend', 'switch', 'nic'], ['station']],
  [
    ['guest', 'station'],
    ['backend', 'switch', 'nic'],
  ],
];
const scenario: fc.Arbitrary<CompareOptionsInput> = fc
  .record({
    workloads: fc.constantFrom<WorkloadName>('tx', 'rx', 'pvp', 'v2v', 'rr', 'stream').map((name) => [name]),
    backends: fc.constantFrom(...BACKENDS).map((name) => [name]),
    packets: fc.integer({ min: 1, max: 150 }),
    size: fc.constantFrom('64', '1518', 'imix'),
    flows: fc.constantFrom(0, 1, 5),
    queues: fc.constantFrom(1, 1, 3),
    ring: fc.constantFrom('split', 'packed'),
    ringSize: fc.constantFrom(8, 256),
    pages: fc.constantFrom('4K', '2M'),
    execution: fc.constantFrom('rtc', 'pipeline'),
    guest: fc.constantFrom('interrupt', 'poll'),
    samples: fc.constantFrom(0, 20, 1000),
  })
  // a bulk stream has connections, so its flows do not change with every packet
  .filter(({ workloads, flows }) => workloads?.[0] !== 'stream' || flows !== 0);
const pace = fc.infiniteStream(fc.constantFrom<Pace>('late', 'even', 'early'));

/**
 * Placement equality where starting processes would cost too much: random scenarios, in random groups of services at a
 * random pace, write the log that they write together.
 */
export async function expectSameApart(numRuns: number): Promise<void> {
  await fc.assert(
    fc.asyncProperty(scenario, fc.constantFrom(...GROUPS), pace, async (input, groups, paces) => {
      await runRows(input, {
        use: (outcome) => {
          const apart = splitHash(outcome.name, outcome.plan, groups, () => paces.next().value);
          expect(apart).toBe(logHash(outcome));
        },
      });
    }),
    { numRuns },
  );
}
