import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { netVhost, type PeerProcess, storageDaemon } from '../../../../tools/peers/index.ts';
import {
  type CheckInfo,
  checksOf,
  type Expectation,
  parseExpectations,
  type Report,
  runConformance,
} from '../../src/index.ts';
import { ProcessControl } from './process-control.ts';

/** A back end that is not ours. */
export interface RealPeer {
  readonly name: 'net-vhost' | 'qemu-storage-daemon';
  readonly isNetwork: boolean;
  /** `each`: one bad input leaves it in a state that the next ones would see. */
  readonly restart: 'each' | 'ended';
  readonly start: (socketPath: string) => Promise<PeerProcess>;
}

export const NET_VHOST: RealPeer = {
  name: 'net-vhost',
  isNetwork: true,
  restart: 'ended',
  start: async (socketPath) => (await netVhost({ socketPath, mode: 'macswap', queues: 2 })).process,
};

export const STORAGE_DAEMON: RealPeer = {
  name: 'qemu-storage-daemon',
  isNetwork: false,
  restart: 'each',
  start: (socketPath) => storageDaemon({ socketPath }),
};

/** What is known of it: test/data. */
export function knownOf({ name }: RealPeer): readonly Expectation[] {
  const text = readFileSync(join(import.meta.dirname, `../data/${name}.txt`), 'utf8');
  const ids = checksOf('back end').map(({ id }) => id);
  const known = parseExpectations(text, ids);
  if (typeof known === 'string') throw new Error(`${name}.txt: ${known}`);
  return known;
}

/** Runs checks against it; it is started anew when it has died. */
export async function runReal(
  { isNetwork, restart, start }: RealPeer,
  checks: readonly CheckInfo[],
  expectations: readonly Expectation[],
): Promise<Report> {
  const folder = mkdtempSync(join(tmpdir(), 'conformance-'));
  const socketPath = join(folder, 's');
  try {
    return await runConformance(checks, {
      role: 'back end',
      socketPath,
      control: new ProcessControl(() => start(socketPath)),
      restart,
      repeats: 64,
      isNetwork,
      expectations,
      limits: { replyMs: 1500, ringMs: 500, recoverMs: 3000, closeMs: 200, pauseMs: 50 },
    });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
