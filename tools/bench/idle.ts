import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import {
  Cleanup,
  type PeerProcess,
  qemuLinux,
  vhostlab,
  vhostlabBackend,
  virtioUser,
} from '../peers/index.ts';

/** Clock ticks of utime and stime (`getconf CLK_TCK`; 100 on every Linux that Node runs on). */
const TICK_MS = 10;
const SETTLE_MS = 3000;
const MODES = ['interrupt', 'adaptive'] as const;
type Mode = (typeof MODES)[number];

/** Guests that have their receive buffers posted and are sent nothing. */
const GUESTS = {
  /** No guest yet. */
  nobody: async (): Promise<void> => undefined,
  /** Our front end, which sleeps too. */
  frontend: async (socketPath: string, cleanup: Cleanup): Promise<void> => {
    const args = ['--socket-path', socketPath, '--workload', 'rx', '--wait', 'interrupt', '--json'];
    const front: PeerProcess = await vhostlab('vhostlab frontend', ['vhost-user', 'frontend', ...args]);
    await cleanup.add(front);
    await front.waitFor(/rings run with/);
  },
  /** DPDK's virtio-user, which polls. */
  dpdk: async (socketPath: string, cleanup: Cleanup): Promise<void> => {
    const peer = await cleanup.add(virtioUser({ socketPath, mode: 'rxonly' }));
    await peer.start();
  },
  /** A Linux guest with its interface up. */
  linux: async (socketPath: string, cleanup: Cleanup): Promise<void> => {
    const setUp = 'ip addr add 10.0.0.1/24 dev eth0; ip link set eth0 up';
    await cleanup.add(qemuLinux({ netdevs: [{ socketPath }], setUp }));
  },
} satisfies Record<string, (socketPath: string, cleanup: Cleanup) => Promise<void>>;
type Guest = keyof typeof GUESTS;

/** A process and all that it started. */
function family(pid: number): number[] {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1').trim();
  return [pid, ...(children === '' ? [] : children.split(' ').flatMap((child) => family(Number(child))))];
}

/** User and system time, in milliseconds. */
function cpuMs(pids: readonly number[]): number {
  let ticks = 0;
  for (const pid of pids) {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // behind the name in brackets: utime and stime are fields 14 and 15
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    ticks += Number(fields[11]) + Number(fields[12]);
  }
  return ticks * TICK_MS;
}

/** Resident memory beside that of guests, in MiB: pages that processes share count in parts. */
function ownMiB(pids: readonly number[]): number {
  let kib = 0;
  for (const pid of pids) {
    const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, 'latin1');
    for (const [, size] of rollup.matchAll(/^Pss_(?:Anon|File):\s+(\d+)/gm)) kib += Number(size);
  }
  return kib / 1024;
}

async function measure(mode: Mode, guest: Guest, seconds: number): Promise<string> {
  const cleanup = new Cleanup();
  const socketPath = cleanup.path('vu.sock');
  try {
    const backend = await cleanup.add(vhostlabBackend({ socketPath, port: 'echo', mode }));
    await GUESTS[guest](socketPath, cleanup);
    await sleep(SETTLE_MS);
    const pids = family(backend.pid);
    const before = cpuMs(pids);
    const beginMs = performance.now();
    await sleep(seconds * 1000);
    const share = (cpuMs(pids) - before) / (performance.now() - beginMs);
    const mib = ownMiB(pids);
    return `${mode.padEnd(10)} ${guest.padEnd(9)} ${(100 * share).toFixed(2).padStart(6)} %  ${mib.toFixed(0).padStart(5)} MiB  ${pids.length}`;
  } finally {
    await cleanup.stop();
  }
}

/**
 * CPU time of a back end without work, in per cent of one CPU, its supervisor included: utime and stime of /proc over
 * `--seconds` (default 10), one tick being 10 ms. `--guests nobody,frontend,dpdk,linux`: who is attached.
 */
export async function main(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      seconds: { type: 'string', default: '10' },
      guests: { type: 'string', default: 'nobody,frontend,dpdk,linux' },
    },
  });
  const guests = values.guests.split(',');
  for (const guest of guests) {
    if (!(guest in GUESTS))
      throw new Error(`--guests ${guest}: this is not one of ${Object.keys(GUESTS).join(', ')}`);
  }
  console.log('mode       guest        CPU      resident  processes');
  for (const mode of MODES) {
    for (const guest of guests) console.log(await measure(mode, guest as Guest, Number(values.seconds)));
  }
}
