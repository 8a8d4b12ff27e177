import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { vhostlabBackend } from '../../../tools/peers/index.ts';
import { checksOf, type Limits, runConformance } from '../src/index.ts';
import { ProcessControl } from './support/process-control.ts';
import { failuresOf } from './support/run-mutant.ts';

/** A correct peer waits for none of them, but for the second that a ring takes to tell that it is broken. */
const LIMITS: Partial<Limits> = { replyMs: 10_000, ringMs: 3000, recoverMs: 30_000, closeMs: 10_000 };
/** Starts it in place of a device process that a truncated file has ended. */
const ENDS_A_DEVICE = 'mem.truncated-file';

/** Runs checks against our back end as an operator starts it. */
async function run(mode: 'interrupt' | 'poll', only: (id: string) => boolean, extra: string[] = []) {
  const folder = mkdtempSync(join(tmpdir(), 'conformance-'));
  const socketPath = join(folder, 's');
  const control = new ProcessControl(() =>
    vhostlabBackend({ socketPath, port: 'echo', mode, queues: 2, extra }),
  );
  try {
    const checks = checksOf('back end').filter(({ id }) => only(id));
    const report = await runConformance(checks, {
      role: 'back end',
      socketPath,
      control,
      restart: 'ended',
      repeats: 100,
      limits: LIMITS,
    });
    return { report, checks, starts: control.starts };
  } finally {
    await control.stop();
    rmSync(folder, { recursive: true });
  }
}

/** Which checks run, one in so many: all of them take minutes, and `conform --command` runs them by hand. */
const MODES = [
  { mode: 'interrupt', stride: 3 },
  { mode: 'poll', stride: 8 },
] as const;

it.each(MODES)(
  'the back end of the command line fails no check: $mode, one in $stride',
  async ({ mode, stride }) => {
    const ids = checksOf('back end').map(({ id }) => id);
    const { report, checks, starts } = await run(
      mode,
      (id) => ids.indexOf(id) % stride === 0 || id === ENDS_A_DEVICE,
    );
    expect(failuresOf(report)).toEqual([]);
    expect(report.results).toHaveLength(checks.length);
    const lacking = report.results
      .filter(({ verdict }) => verdict === 'not-claimed')
      .map(({ check }) => check.id);
    expect(lacking.filter((id) => id !== 'order.inband-without-requirements')).toEqual([]);
    // what a truncated file ends comes back by itself
    expect(starts).toBe(1);
  },
);

it('used-event, event-offsets and a truncated file, again and again', async () => {
  for (let round = 0; round < 2; round++) {
    const { report } = await run('interrupt', (id) => /used-event|event-offsets|truncated-file/.test(id));
    expect(failuresOf(report)).toEqual([]);
  }
});

it('without its supervisor it dies of a truncated file', async () => {
  const { report } = await run('interrupt', (id) => id === ENDS_A_DEVICE, ['--no-supervise']);
  expect(report.results.map(({ check, verdict, ok }) => [check.id, verdict, ok])).toEqual([
    [ENDS_A_DEVICE, 'died', false],
  ]);
});
