import { existsSync, readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type CompareOptionsInput,
  type OpenLab,
  openProcessLab,
  type Progress,
  ROLES,
  ServiceLostError,
} from '../src/index.ts';
import { logHash } from './support/log-hash.ts';
import { noTracing, openProcesses, runRows, serveCommand } from './support/run.ts';

const SCENARIO: CompareOptionsInput = {
  workloads: ['pvp'],
  backends: ['vhost-user'],
  packets: 600,
  samples: 1000,
};
const ID = 'pvp-vhost-user';
/** Packets that have gone through when something happens to a service. */
const SOME = 100;

async function hashOn(lab?: OpenLab): Promise<string> {
  let hash = '';
  await runRows(SCENARIO, {
    ...(lab === undefined ? {} : { lab }),
    use: (outcome) => {
      hash = logHash(outcome);
    },
  });
  return hash;
}

/** R, S, T (stopped) and so on; undefined when the process is gone. */
function stateOf(pid: number): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1][0];
  } catch {
    return undefined;
  }
}

describe('a stopped service', () => {
  let lab: OpenLab;
  let undisturbed: string;
  let onProgress: (progress: Progress) => void = () => undefined;
  beforeAll(async () => {
    undisturbed = await hashOn();
    lab = await openProcesses((progress) => onProgress(progress));
  });
  afterAll(() => lab.close());

  it.each(ROLES)('%s holds virtual time everywhere, and the run goes on to the same log', async (role) => {
    const pid = lab.pids?.[role] ?? 0;
    let roundsAfterwards = 0;
    const stopped = new Promise<void>((resolve) => {
      let isStopped = false;
      onProgress = ({ delivered }) => {
        if (isStopped) roundsAfterwards++;
        else if (delivered >= SOME) {
          process.kill(pid, 'SIGSTOP');
          isStopped = true;
          resolve();
        }
      };
    });
    let ended = false;
    const run = hashOn(lab).finally(() => {
      ended = true;
    });
    await Promise.race([stopped, run]);
    const others = ROLES.filter((other) => other !== role);
    const moments = async (): Promise<bigint[]> =>
      Promise.all(others.map(async (other) => (await lab.services[other].getStatistics(ID)).atPs));
    try {
      // what was under way may end, in its own time
      let before: bigint[] = [];
      await expect
        .poll(async () => isDeepStrictEqual(before, (before = await moments())), {
          interval: 700,
          timeout: 20_000,
        })
        .toBe(true);
      expect(before.every((atPs) => atPs > 0n)).toBe(true);
      expect(stateOf(pid)).toBe('T');
      expect(ended).toBe(false);
      expect(roundsAfterwards).toBeLessThanOrEqual(1);
    } finally {
      process.kill(pid, 'SIGCONT');
    }
    expect(await run).toBe(undisturbed);
    expect(roundsAfterwards).toBeGreaterThan(10);
  });
});

describe('a lab of processes', () => {
  it('names the service that was killed, ends the others and leaves nothing behind', async () => {
    let killedAtMs = 0;
    const lab = await openProcesses(({ delivered }) => {
      if (delivered < SOME || killedAtMs !== 0) return;
      killedAtMs = performance.now();
      process.kill(lab.pids?.switch ?? 0, 'SIGKILL');
    });
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
