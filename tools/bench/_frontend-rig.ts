import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { enableCompileCache, getCompileCacheDir } from 'node:module';
import type { FrontendFigures, FrontendOptions } from '../../packages/vhost-driver/src/index.ts';
import {
  type Cleanup,
  ensureHugePages,
  netVhost,
  PeerProcess,
  type Testpmd,
  virtioUser,
} from '../peers/index.ts';

/** What the driver does: sends, or takes. */
export type Direction = 'tx' | 'rx';
export type Format = 'split' | 'packed';

/** One row of the table. `bytes`: of the frame without FCS. */
export interface Case {
  readonly direction: Direction;
  readonly format: Format;
  readonly bytes: number;
}

/** What a driver did in one window. */
export interface Sample {
  /** Frames per second, as the back end counts them. */
  readonly pps: number;
  /** Share of the window in which the back end handled frames: near 1, and it is what set the pace. */
  readonly backendBusy: number;
  /** Frames per burst; NaN where the driver does not tell. */
  readonly burst: number;
  readonly collections: number;
}

/** A driver and its back end, one of two pairs that take turns. */
export interface Contestant {
  run(settleMs: number, windowMs: number): Promise<Sample>;
}

export interface RigOptions {
  /** Pollers get a real-time priority while a window lasts: a busy machine is then as good as an idle one. */
  readonly realtime: boolean;
}

const DRIVER_CPU = 0;
const BACKEND_CPU = 1;
const QUEUE_SIZE = 1024;
const MEMORY_MIB = 128;
const NS_PER_S = 1e9;
const MODE = {
  tx: { driver: 'txonly', backend: 'rxonly' },
  rx: { driver: 'rxonly', backend: 'txonly' },
} as const;

/** What the back end has done so far, and when. */
interface Reading {
  packets: number;
  busyNs: number;
  busyPackets: number;
  atMs: number;
}

/** DPDK's back end, the same for both drivers. */
function startBackend({ direction, bytes }: Case, socketPath: string): Promise<Testpmd> {
  return netVhost({
    socketPath,
    mode: MODE[direction].backend,
    size: bytes,
    cpu: BACKEND_CPU,
    hugepages: true,
    memoryMiB: MEMORY_MIB,
    extra: ['--record-core-cycles'],
  });
}

async function readBackend(backend: Testpmd, direction: Direction): Promise<Reading> {
  const text = await backend.command('show fwd stats all', /CPU cycles\/packet=.*\n/);
  const cycles = /\(total cycles=(\d+) \/ total \w+ packets=(\d+)\) at (\d+) MHz/.exec(text);
  if (cycles === null) throw backend.process.error('it printed no cycles');
  const [, total, busyPackets, mhz] = cycles;
  const { rxPackets, txPackets, atMs } = await backend.stats();
  return {
    packets: direction === 'tx' ? rxPackets : txPackets,
    busyNs: (Number(total) / Number(mhz)) * 1000,
    busyPackets: Number(busyPackets),
    atMs,
  };
}

function sampleOf(a: Reading, b: Reading): Pick<Sample, 'pps' | 'backendBusy'> {
  const pps = (b.packets - a.packets) / ((b.atMs - a.atMs) / 1000);
  const busyNs = (b.busyNs - a.busyNs) / (b.busyPackets - a.busyPackets);
  return { pps, backendBusy: (pps * busyNs) / NS_PER_S };
}

/** Our driver with a back end of its own. */
export async function ours(kase: Case, cleanup: Cleanup, options: RigOptions): Promise<Contestant> {
  const { direction, format, bytes } = kase;
  const socketPath = cleanup.path('ours');
  const backend = await cleanup.add(startBackend(kase, socketPath));
  const traffic = { kind: 'udp', size: String(bytes + 4), lineBps: 25e9, seed: 1 } as const;
  const memoryBytes = MEMORY_MIB * 2 ** 20;
  ensureHugePages(memoryBytes);
  const frontendOptions: FrontendOptions = {
    socketPath,
    memoryBytes,
    hugePages: '2M',
    queueSize: QUEUE_SIZE,
    ring: format,
    cpus: [DRIVER_CPU],
    workload: direction === 'tx' ? { kind: 'tx', traffic } : { kind: 'rx' },
  };
  enableCompileCache();
  const driver = await cleanup.add(
    PeerProcess.start({
      name: 'front end',
      program: process.execPath,
      args: [
        '--trace-gc',
        new URL('./_frontend-child.ts', import.meta.url).pathname,
        JSON.stringify(frontendOptions),
      ],
      env: { NODE_COMPILE_CACHE: getCompileCacheDir() ?? '' },
    }),
  );
  await driver.waitFor(/^ready$/m);
  const read = async (): Promise<{ backend: Reading; figures: FrontendFigures; collections: number }> => {
    const from = driver.mark();
    driver.write('\n');
    const [line] = await driver.waitFor(/^\{.*\}$/m, { from });
    const collections = driver.output().match(/ms: (Scavenge|Mark-Compact)/g)?.length ?? 0;
    return {
      backend: await readBackend(backend, direction),
      figures: JSON.parse(line) as FrontendFigures,
      collections,
    };
  };
  return {
    async run(settleMs, windowMs) {
      const [a, b] = await window([backend.process, driver], options, settleMs, windowMs, read);
      const more = (name: 'packets' | 'bursts'): number =>
        b.figures[direction][name] - a.figures[direction][name];
      return {
        ...sampleOf(a.backend, b.backend),
        burst: more('packets') / more('bursts'),
        collections: b.collections - a.collections,
      };
    },
  };
}

/** DPDK's virtio-user with a back end of its own. */
export async function dpdk(kase: Case, cleanup: Cleanup, options: RigOptions): Promise<Contestant> {
  const { direction, format, bytes } = kase;
  const socketPath = cleanup.path('dpdk');
  const backend = await cleanup.add(startBackend(kase, socketPath));
  const driver = await cleanup.add(
    virtioUser({
      socketPath,
      mode: MODE[direction].driver,
      size: bytes,
      cpu: DRIVER_CPU,
      hugepages: true,
      memoryMiB: MEMORY_MIB,
      queueSize: QUEUE_SIZE,
      packed: format === 'packed',
    }),
  );
  return {
    async run(settleMs, windowMs) {
      const read = () => readBackend(backend, direction);
      const [a, b] = await window([backend.process, driver.process], options, settleMs, windowMs, read);
      return { ...sampleOf(a, b), burst: Number.NaN, collections: 0 };
    },
  };
}

/** Threads of a process that poll: DPDK's workers, and ours. */
function pollers(pid: number): string[] {
  return readdirSync(`/proc/${pid}/task`).filter((task) => {
    try {
      return /worker|driver/.test(readFileSync(`/proc/${pid}/task/${task}/comm`, 'utf8'));
    } catch {
      return false;
    }
  });
}

function setPriority(pids: readonly number[], realtime: boolean): void {
  const policy = realtime ? ['--fifo', '--pid', '1'] : ['--other', '--pid', '0'];
  for (const pid of pids) for (const task of pollers(pid)) spawnSync('chrt', [...policy, task]);
}

/** Runs a window: continues both processes, reads around it, stops them again. */
async function window<T>(
  processes: readonly PeerProcess[],
  { realtime }: RigOptions,
  settleMs: number,
  windowMs: number,
  read: () => Promise<T>,
): Promise<[T, T]> {
  const pids = processes.map(({ pid }) => pid);
  for (const each of processes) each.signal('SIGCONT');
  await delay(settleMs);
  if (realtime) setPriority(pids, true);
  try {
    const before = await read();
    await delay(windowMs);
    return [before, await read()];
  } finally {
    if (realtime) setPriority(pids, false);
    for (const each of processes) each.signal('SIGSTOP');
  }
}

function delay(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
