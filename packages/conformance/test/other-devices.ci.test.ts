import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Frontend, startFrontend } from '@vhostlab/vhost-driver';
import { expect, it } from 'vitest';
import { vhostlabBackend } from '../../../tools/peers/index.ts';
import { checksOf, runConformance } from '../src/index.ts';
import { failuresOf } from './support/run-mutant.ts';

/** One check in so many runs, so that every kind of bad input is among them. */
const MODES = [
  { mode: 'interrupt', stride: 5 },
  { mode: 'poll', stride: 12 },
] as const;
/** The other device has to forward in each of so many parts of the run. */
const PARTS = 8;
/** Ends the process with all its devices: the supervisor's matter. */
const ENDS_THE_PROCESS = 'mem.truncated-file';

const TRAFFIC = { kind: 'udp', size: 'imix', rate: '5kpps', lineBps: 10e9, seed: 1 } as const;

it.each(MODES)('other devices keep forwarding while one is ill-treated: $mode', async ({ mode, stride }) => {
  const folder = mkdtempSync(join(tmpdir(), 'conformance-'));
  const [illTreated, other] = ['a', 'b'].map((name) => join(folder, name));
  const backend = await vhostlabBackend({
    socketPath: [illTreated, other],
    port: 'echo',
    mode,
    queues: 2,
    extra: ['--no-supervise'],
  });
  let frontend: Frontend | undefined;
  try {
    frontend = await startFrontend({
      socketPath: other,
      wait: 'interrupt',
      workload: { kind: 'verify', traffic: TRAFFIC },
    });
    const guest = frontend;
    const checks = checksOf('back end').filter(({ id }, at) => at % stride === 0 && id !== ENDS_THE_PROCESS);
    const cameAfter: number[] = [];
    const report = await runConformance(checks, {
      role: 'back end',
      socketPath: illTreated,
      repeats: 50,
      limits: { replyMs: 10_000, ringMs: 3000, recoverMs: 30_000, closeMs: 10_000 },
      onResult: () => void cameAfter.push(guest.figures().rx.packets),
    });
    const { verified, figures, undelivered } = await guest.stop();

    expect(failuresOf(report)).toEqual([]);
    expect(report.results).toHaveLength(checks.length);
    expect(figures).toMatchObject({ connections: 1, tx: { broken: 0 }, rx: { broken: 0 } });
    expect(verified).toMatchObject({ lost: 0, duplicated: 0, reordered: 0, corrupted: 0, foreign: 0 });
    expect([verified?.received, undelivered]).toEqual([figures.tx.packets, 0]);
    const each = Math.floor(checks.length / PARTS);
    for (let part = 1; part < PARTS; part++) {
      expect(cameAfter[part * each]).toBeGreaterThan(cameAfter[(part - 1) * each]);
    }
  } finally {
    await frontend?.stop();
    await backend.stop();
    rmSync(folder, { recursive: true });
  }
});
