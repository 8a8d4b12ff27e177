import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { vhostlab } from '../../../tools/peers/index.ts';
import { checksOf, runConformance, selectChecks } from '../src/index.ts';
import { ProcessControl } from './support/process-control.ts';
import { failuresOf } from './support/run-mutant.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'conformance-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** Our front end as an operator starts it. It ends by itself when its rings are broken, and is started again then. */
it.each([
  ['split', ['fe.*'], 'fe.packed.'],
  ['packed', ['fe.reply.size-*', 'fe.reply.refused.*', 'fe.channel.*-flood', 'fe.*.used-*'], 'fe.split.'],
] as const)('the front end of the command line fails no check: %s rings', async (ring, only, lacking) => {
  const checks = selectChecks(checksOf('front end'), only);
  if (typeof checks === 'string') throw new Error(checks);
  const socketPath = join(folder, 's');
  const control = new ProcessControl(() =>
    vhostlab('vhostlab frontend', [
      ...['vhost-user', 'frontend', '--socket-path', socketPath, '--reconnect', '--ring', ring],
      ...['--wait', 'interrupt', '--rate', '10kpps'],
    ]),
  );
  const report = await runConformance(checks, {
    role: 'front end',
    socketPath,
    control,
    restart: 'ended',
    limits: { replyMs: 10_000, recoverMs: 30_000 },
  });
  expect(failuresOf(report)).toEqual([]);
  expect(report.results).toHaveLength(checks.length);
  expect(
    report.results.filter(({ verdict }) => verdict === 'not-claimed').map(({ check }) => check.id),
  ).toEqual(checks.filter(({ id }) => id.startsWith(lacking)).map(({ id }) => id));
  expect(report.peer).toMatchObject({ role: 'front end', transmits: true });
});
