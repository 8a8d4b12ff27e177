import { readFileSync } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';
import { expect } from 'vitest';
import { type CompareOptionsInput, type OpenLab, type Progress, ROLES } from '../../src/index.ts';
import { logHash } from './log-hash.ts';
import { openProcesses, runRows } from './run.ts';

const SCENARIO: CompareOptionsInput = {
  workloads: ['pvp'],
  backends: ['vhost-user'],
  packets: 600,
  samples: 1000,
};
const ID = 'pvp-vhost-user';
/** Packets that have gone through when something happens to a service. */
export const SOME = 100;

/** A lab of service processes, and who looks at the progress of its runs. */
export interface WatchedLab {
  lab: OpenLab;
  onProgress(progress: Progress): void;
}

/** Four service processes; whoever opens them closes them. */
export async function openWatched(): Promise<WatchedLab> {
  const watched = { onProgress: (): void => undefined } as Omit<WatchedLab, 'lab'>;
  const lab = await openProcesses((progress) => watched.onProgress(progress));
  return Object.assign(watched, { lab });
}

/** SHA-256 of the log of 600 packets over vhost-user, on `lab` or else embedded. */
export async function hashOn(lab?: OpenLab): Promise<string> {
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
export function stateOf(pid: number): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1][0];
  } catch {
    return undefined;
  }
}

/** Expects that a stopped service holds virtual time everywhere, and that the run then goes on to the same log. */
export async function expectHeld(watched: WatchedLab, role: (typeof ROLES)[number]): Promise<void> {
  const { lab } = watched;
  const pid = lab.pids?.[role] ?? 0;
  let roundsAfterwards = 0;
  const stopped = new Promise<void>((resolve) => {
    let isStopped = false;
    watched.onProgress = ({ delivered }) => {
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
  expect(await run).toBe(await hashOn());
  expect(roundsAfterwards).toBeGreaterThan(10);
}
