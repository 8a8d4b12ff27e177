import { fileURLToPath } from 'node:url';
import { type Cleanup, type PeerProcess, vhostlab, waitUntil } from '../../../../../tools/peers/index.ts';
import { type AttachReport, type QueueReport, readRecord } from '../../../src/index.ts';

/** For `preload`: a back end that looks at its rings when it is kicked, and not otherwise. */
export const TRUSTS_KICKS = fileURLToPath(new URL('./trusts-kicks.ts', import.meta.url));

/** Starts a tap as an operator does; it writes into the folder `tap` of the test. */
export async function startTap(
  cleanup: Cleanup,
  listen: string,
  connect: string,
  inject: readonly string[] = [],
): Promise<PeerProcess> {
  const rules = inject.flatMap((rule) => ['--inject', rule]);
  const args = ['--listen', listen, '--connect', connect, '--out', cleanup.path('tap'), '--notifications'];
  const tap = await cleanup.add(vhostlab('tap', ['vhost-user', 'tap', ...args, ...rules]));
  await tap.waitForSocket(listen);
  return tap;
}

/** Waits until the tap's record, which lags a moment behind, says that so many rings run, or that a rule has applied. */
export function recorded(record: string, what: number | 'inject'): Promise<void> {
  const has = (): boolean => {
    const { lines } = readRecord(record, new Set(['message', 'inject']));
    if (what === 'inject') return lines.some(({ kind }) => kind === 'inject');
    return lines.filter((line) => 'name' in line && line.name === 'SET_VRING_ENABLE').length >= what;
  };
  return waitUntil(has, `the tap has written down ${what === 'inject' ? 'what it took' : `${what} rings`}`);
}

/** Runs `vhostlab vhost-user attach` in a process of its own. */
export async function attached(...args: string[]): Promise<{ status: number | null; report: AttachReport }> {
  const process = await vhostlab('attach', ['vhost-user', 'attach', '--json', ...args]);
  try {
    const { code } = await process.exit;
    const json = process
      .output()
      .split('\n')
      .find((line) => line.startsWith('{'));
    if (json === undefined) throw process.error('it printed no report');
    return { status: code, report: JSON.parse(json) as AttachReport };
  } finally {
    await process.stop();
  }
}

/** What is said of one queue. */
export function queueOf({ queues }: AttachReport, index: number): QueueReport {
  const found = queues.find(({ queue }) => queue === index);
  if (found === undefined) throw new Error(`no queue ${index} in ${JSON.stringify(queues)}`);
  return found;
}

/** Every queue with its verdict, for a message that tells what was wrong. */
export function verdicts({ queues }: AttachReport): string[] {
  return queues.map(({ verdict }) => `${verdict.kind}: ${verdict.text}`);
}
