import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { PeerProcess } from './process.ts';
import { vhostlab } from './vhostlab.ts';

/** Our own tap as a process, the way an operator starts it. */
export interface VhostlabTapOptions {
  readonly listen: string;
  readonly connect: string;
  /** Folder for its files, made if need be. */
  readonly out: string;
  /** Steps into kicks and calls. */
  readonly notifications?: boolean;
  /** More options of the command. */
  readonly extra?: readonly string[];
}

/** What a tap has seen, as far as tests of peers and benchmarks read it. */
export interface TapSummaryLine {
  readonly sessions: number;
  readonly messages: number;
  readonly kicks: number;
  readonly calls: number;
  readonly samples: number;
  readonly rings: readonly {
    readonly queue: number;
    readonly samples: number;
    readonly availSteps: number;
    readonly availMissed: number;
    readonly usedSteps: number;
    readonly usedMissed: number;
    readonly longIntervals: number;
    readonly chains: number;
    readonly unproven: number;
  }[];
  readonly violations: readonly unknown[];
}

/** Starts `vhostlab vhost-user tap --json`. Ready once it listens. */
export async function vhostlabTap(options: VhostlabTapOptions): Promise<PeerProcess> {
  const { listen, connect, out, notifications, extra = [] } = options;
  mkdirSync(out, { recursive: true });
  const flags = notifications === true ? ['--notifications'] : [];
  const paths = ['--listen', listen, '--connect', connect, '--out', out];
  const tap = await vhostlab('vhostlab tap', ['vhost-user', 'tap', ...paths, ...flags, '--json', ...extra]);
  try {
    await tap.waitForSocket(listen);
  } catch (error) {
    await tap.stop();
    throw error;
  }
  return tap;
}

/** Ends a tap, and answers its summary and what people read of it: `live.log` of the folder `out`. */
export async function endTap(
  tap: PeerProcess,
  out: string,
): Promise<{ readonly summary: TapSummaryLine; readonly log: string }> {
  tap.signal('SIGTERM');
  await tap.exit;
  const json = tap
    .output()
    .split('\n')
    .findLast((line) => line.startsWith('{'));
  if (json === undefined) throw tap.error('it printed no summary');
  return { summary: JSON.parse(json) as TapSummaryLine, log: readFileSync(join(out, 'live.log'), 'utf8') };
}
