import { BACKENDS, type WorkloadName } from '@vhostlab/workload';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { CompareOptionsInput, OpenLab } from '../src/index.ts';
import { logHash } from './support/log-hash.ts';
import { expectSamePlacement, place } from './support/placement.ts';
import { openProcesses, runRows } from './support/run.ts';
import { type Pace, splitHash } from './support/split.ts';

const SIZES = [
  ['pvp', 200],
  ['rr', 50],
] as const;

describe('embedded', () => {
  it.each(SIZES)('%s repeats itself, with replicas too, on every back end', async (workload, packets) => {
    for (const backend of BACKENDS) {
      const first = await place(backend, workload, packets);
      const again = await place(backend, workload, packets);
      const copies = await place(backend, workload, packets, { copyMode: true });
      expect(again, backend).toEqual(first);
      expect(copies.hash, backend).toBe(first.hash);
      expect(copies.figures, backend).toEqual(first.figures);
      expect((await place(backend, workload, packets + 1)).hash, backend).not.toBe(first.hash);
    }
  });
});

describe('service processes', () => {
  let lab: OpenLab;
  beforeAll(async () => {
    lab = await openProcesses();
  });
  afterAll(() => lab.close());

  it('are four', () => {
    const pids = Object.values(lab.pids ?? {});
    expect(new Set([...pids, process.pid]).size).toBe(5);
    for (const pid of pids) expect(() => process.kill(pid, 0)).not.toThrow();
  });

  for (const [workload, packets] of SIZES) {
    it.each(BACKENDS)(
      `write the log that one process writes: ${packets} of ${workload} over %s`,
      async (backend) => {
        await expectSamePlacement(lab, backend, workload, packets);
      },
    );
  }
});

/** Placement equality where starting processes would cost too much: any scenario, any grouping, any pace. */
describe('services apart', () => {
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
  ];
  const scenario: fc.Arbitrary<CompareOptionsInput> = fc
    .record({
      workloads: fc
        .constantFrom<WorkloadName>('tx', 'rx', 'pvp', 'v2v', 'rr', 'stream')
        .map((name) => [name]),
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

  it('write the log that they write together, however fast each of them is', async () => {
    await fc.assert(
      fc.asyncProperty(scenario, fc.constantFrom(...GROUPS), pace, async (input, groups, paces) => {
        await runRows(input, {
          use: (outcome) => {
            const apart = splitHash(outcome.name, outcome.plan, groups, () => paces.next().value);
            expect(apart).toBe(logHash(outcome));
          },
        });
      }),
      { numRuns: 25 },
    );
  });
});
