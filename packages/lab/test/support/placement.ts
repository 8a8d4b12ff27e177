import type { BackendName, WorkloadName } from '@vhostlab/workload';
import { expect } from 'vitest';
import type { OpenLab, Result, ScenarioOutcome } from '../../src/index.ts';
import { logHash } from './log-hash.ts';
import { runRows } from './run.ts';

/** What a placement must not change, and the facts of an outcome that placement tests look at. */
export interface Placed {
  hash: string;
  figures: Result;
  plan: ScenarioOutcome['plan'];
  /** Bytes of each process's part of the log. */
  partBytes: number[];
  channels: ScenarioOutcome['channels'];
}

/** Bytes in memory of the frames that these tests send. */
const FRAME_BYTES = 60;

/** Runs one workload on one back end, on `lab` or else embedded. */
export async function place(
  backend: BackendName,
  workload: WorkloadName,
  packets: number,
  how: { lab?: OpenLab; copyMode?: boolean } = {},
): Promise<Placed> {
  const { lab, copyMode = false } = how;
  const placed: Placed[] = [];
  await runRows(
    { workloads: [workload], backends: [backend], packets, samples: 1000 },
    {
      copyMode,
      ...(lab === undefined ? {} : { lab }),
      use: (outcome, figures) => {
        placed.push({
          hash: logHash(outcome),
          figures,
          plan: outcome.plan,
          partBytes: outcome.parts.map((part) =>
            [...part.chunks()].reduce((sum, { length }) => sum + length, 0),
          ),
          channels: outcome.channels,
        });
      },
    },
  );
  return placed[0];
}

/**
 * Expects of an embedded run that it repeats itself in log and figures, with replicas of the memory too, and that one
 * packet more shows in the log.
 */
export async function expectRepeats(
  backend: BackendName,
  workload: WorkloadName,
  packets: number,
): Promise<void> {
  const first = await place(backend, workload, packets);
  const again = await place(backend, workload, packets);
  const copies = await place(backend, workload, packets, { copyMode: true });
  expect(again).toEqual(first);
  expect(copies.hash).toBe(first.hash);
  expect(copies.figures).toEqual(first.figures);
  expect((await place(backend, workload, packets + 1)).hash).not.toBe(first.hash);
}

/** Rings that frames pass on their way through the guest and back, by back end, and how often each frame does. */
const CARRIERS: Readonly<Record<BackendName, Readonly<Record<string, number>>>> = {
  'vhost-net': { 'vq.0.0': 2, 'nicq.host.vhost0.0': 1, 'nicq.host.softirq0': 1 },
  'vhost-user': { 'vq.0.0': 2, 'nicq.host.pmd0': 2 },
  vfio: { 'vq.0.0': 2 },
  vdpa: { 'vq.0.0': 2 },
};

/**
 * Expects of a run in processes the log and the figures of the embedded run, a part of the log from each process, and
 * that the frames themselves crossed every channel that carries them.
 */
export async function expectSamePlacement(
  lab: OpenLab,
  backend: BackendName,
  workload: WorkloadName,
  packets: number,
): Promise<void> {
  const together = await place(backend, workload, packets);
  const apart = await place(backend, workload, packets, { lab });
  expect(apart.hash).toBe(together.hash);
  expect(apart.figures).toEqual(together.figures);
  const { offered, delivered } = apart.figures.frames;
  expect(offered).toBe(packets);
  expect(delivered).toBeGreaterThan(packets / 10);

  expect(together.partBytes).toHaveLength(1);
  expect(apart.partBytes).toHaveLength(4);
  expect(Math.min(...apart.partBytes)).toBeGreaterThan(0);
  expect(apart.partBytes.reduce((sum, bytes) => sum + bytes)).toBe(together.partBytes[0]);

  expect(together.channels).toEqual([]);
  for (const [id, times] of Object.entries(CARRIERS[backend])) {
    const crossed = apart.channels.find(({ channel }) => channel === id);
    expect(crossed?.payloadBytes, id).toBeGreaterThanOrEqual(delivered * FRAME_BYTES * times);
  }
}
