import { existsSync } from 'node:fs';
import { dirname } from 'node:path';
import type { BackendName, WorkloadName } from '@vhostlab/workload';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openProcessLab, ServiceLostError } from '../src/index.ts';
import { expectSamePlacement } from './support/placement.ts';
import { noTracing, serveCommand } from './support/run.ts';
import { expectHeld, hashOn, openWatched, SOME, stateOf, type WatchedLab } from './support/stopped.ts';

/** The same four processes in every test, because each takes a second to start; the last test ends them. */
describe('service processes', () => {
  let watched: WatchedLab;
  beforeAll(async () => {
    watched = await openWatched();
  });
  afterAll(() => watched.lab.close());

  it('are four', () => {
    const pids = Object.values(watched.lab.pids ?? {});
    expect(new Set([...pids, process.pid]).size).toBe(5);
    for (const pid of pids) expect(() => process.kill(pid, 0)).not.toThrow();
  });

  it.each<[number, WorkloadName, BackendName]>([
    [50, 'rr', 'vhost-net'],
    [200, 'pvp', 'vhost-user'],
    [50, 'rr', 'vfio'],
    [200, 'pvp', 'vdpa'],
  ])('write the log that one process writes: %i of %s over %s', async (packets, workload, backend) => {
    await expectSamePlacement(watched.lab, backend, workload, packets);
  });

  it('hold virtual time when one of them is stopped, and go on to the same log', async () => {
    await expectHeld(watched, 'backend');
  });

  it('end when one of them is killed, which is named, and leave nothing behind', async () => {
    const { lab } = watched;
    let killedAtMs = 0;
    watched.onProgress = ({ delivered }) => {
      if (delivered < SOME || killedAtMs !== 0) return;
      killedAtMs = performance.now();
      process.kill(lab.pids?.switch ?? 0, 'SIGKILL');
    };
    const pids = Object.values(lab.pids ?? {});
    const folder = dirname(lab.processes[0].address?.replace('unix:', '') ?? '');
    expect(existsSync(folder)).toBe(true);
    expect(pids.map(stateOf)).not.toContain(undefined);
    const failure = await hashOn(lab).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(ServiceLostError);
    expect((failure as Error).message).toMatch(/^service switch \(process \d+\) was ended by SIGKILL/);
    await lab.close();
    expect(performance.now() - killedAtMs).toBeLessThan(5000);
    expect(pids.map(stateOf)).toEqual([undefined, undefined, undefined, undefined]);
    expect(existsSync(folder)).toBe(false);
  });
});

describe('a lab of processes', () => {
  it('says which service does not start, and with which last words', async () => {
    const failure = await openProcessLab(noTracing, (role, address) =>
      role === 'nic'
        ? { file: process.execPath, args: ['-e', 'console.error("no card here"); process.exit(7)'] }
        : serveCommand(role, address),
    ).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(ServiceLostError);
    expect((failure as Error).message).toMatch(/^service nic .* ended with status 7.*: no card here$/);
    const missing = await openProcessLab(noTracing, () => ({
      file: '/nonexistent/vhostlab',
      args: [],
    })).catch((error: unknown) => error);
    expect((missing as Error).message).toMatch(/^service guest .*could not be started: .*ENOENT/);
  });

  it('is not opened once its signal is aborted', async () => {
    const reason = new Error('enough');
    const opening = openProcessLab(noTracing, serveCommand, { signal: AbortSignal.abort(reason) });
    await expect(opening).rejects.toBe(reason);
  });
});
