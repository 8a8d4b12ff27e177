import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { enableCompileCache, getCompileCacheDir } from 'node:module';
import { type BackendOptions, DEFAULT_BACKEND_OPTIONS } from '../../packages/vhost-device/src/index.ts';
import { type Cleanup, netVhost, PeerProcess, type Testpmd, virtioUser } from '../peers/index.ts';

export type Direction = 'dequeue' | 'enqueue' | 'forward';
export type Format = 'split' | 'packed';

/** One row of the table. `bytes`: of the frame without FCS. */
export interface Case {
  readonly direction: Direction;
  readonly format: Format;
  readonly bytes: number;
}

/** What one back end did in one window. */
export interface Sample {
  /** Frames per second, as the peer counts them. */
  readonly pps: number;
  /** Nanoseconds per frame of looks that found something; NaN when nothing was found. */
  readonly busyNs: number;
  /** Share of looks that found nothing, 0 to 1. */
  readonly emptyShare: number;
  /** Frames per burst, and buffers that were in the ring then; NaN where the back end does not tell. */
  readonly burst: number;
  readonly ring: number;
  /** Garbage collections, of the whole process. */
  readonly collections: number;
}

/** A back end and its peer, one of two pairs that take turns. */
export interface Contestant {
  readonly name: string;
  /** Lets the pair run for this long, then stops it; answers what happened in the window. */
  run(settleMs: number, windowMs: number): Promise<Sample>;
  /** Resident megabytes of the back end, without memory that it shares with others. */
  residentMb(): number;
}

const BACKEND_CPU = 0;
const PEER_CPU = 1;
const QUEUE_SIZE = 1024;
/** Memory of the peer; one window of it is what both back ends map. */
const PEER_MIB = 256;
const BACKEND_MIB = 128;

const PEER_MODE = { dequeue: 'txonly', enqueue: 'rxonly', forward: 'io' } as const;
const DPDK_MODE = { dequeue: 'rxonly', enqueue: 'txonly', forward: 'io' } as const;

/** What stands behind our rings; sizes of ports count the FCS. */
const PORT: Readonly<Record<Direction, (bytes: number) => BackendOptions['port']>> = {
  dequeue: () => ({ kind: 'drop' }),
  enqueue: (bytes) => ({ kind: 'generate', size: String(bytes + 4), rate: 'unpaced' }),
  forward: () => ({ kind: 'echo' }),
};

/** Counters of both ends at one moment. */
interface Reading {
  packets: number;
  atMs: number;
}

/** How pollers are treated in a window: with a real-time priority a busy machine is as good as an idle one, for others not. */
export interface RigOptions {
  readonly realtime: boolean;
}

async function readPeer(peer: Testpmd, direction: Direction): Promise<Reading> {
  const { rxPackets, txPackets, atMs } = await peer.stats();
  return { packets: direction === 'dequeue' ? txPackets : rxPackets, atMs };
}

/** The virtio-user peer of a case. It does not forward yet. */
function startPeer({ direction, format, bytes }: Case, socketPath: string): Promise<Testpmd> {
  return virtioUser({
    socketPath,
    mode: PEER_MODE[direction],
    size: bytes,
    cpu: PEER_CPU,
    hugepages: true,
    memoryMiB: PEER_MIB,
    queueSize: QUEUE_SIZE,
    packed: format === 'packed',
    autoStart: false,
  });
}

/** Starts the forwarding; frames that travel in circles are put into circulation first. */
async function startForwarding(testpmd: Testpmd, direction: Direction, isPeer: boolean): Promise<void> {
  if (direction === 'forward' && isPeer) {
    await testpmd.command('start tx_first 16', /packet forwarding packets\/burst/);
  } else {
    await testpmd.start();
  }
}

/** Threads of a process that poll: DPDK's workers, and ours. */
function pollers(pid: number): string[] {
  return readdirSync(`/proc/${pid}/task`).filter((task) => {
    try {
      return /worker/.test(readFileSync(`/proc/${pid}/task/${task}/comm`, 'utf8'));
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

/** Memory of a process that is its own: what it mapped of others, and of huge pages, does not count. */
function residentMb(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const kb = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(status)?.[1] ?? 0);
  return (kb('RssAnon') + kb('RssFile')) / 1024;
}

/** Our back end with a peer of its own. */
export async function ours(kase: Case, cleanup: Cleanup, options: RigOptions): Promise<Contestant> {
  const socketPath = cleanup.path('ours');
  const { direction, bytes } = kase;
  const backendOptions: BackendOptions = {
    ...DEFAULT_BACKEND_OPTIONS,
    sockets: [socketPath],
    cpus: [BACKEND_CPU],
    queueSize: QUEUE_SIZE,
    port: PORT[direction](bytes),
  };
  enableCompileCache();
  const backend = await cleanup.add(
    PeerProcess.start({
      name: 'back end',
      program: process.execPath,
      args: [
        '--trace-gc',
        new URL('./_vhost-backend.ts', import.meta.url).pathname,
        JSON.stringify(backendOptions),
      ],
      env: { NODE_COMPILE_CACHE: getCompileCacheDir() ?? '' },
    }),
  );
  await backend.waitFor(/^ready$/m);
  const peer = await cleanup.add(startPeer(kase, socketPath));
  await startForwarding(peer, direction, true);
  const ring = direction === 'enqueue' ? 0 : 1;
  const read = async () => {
    const from = backend.mark();
    backend.write('\n');
    const [line] = await backend.waitFor(/^\{.*\}$/m, { from });
    const { queues } = JSON.parse(line) as { queues: Record<string, number>[] };
    const collections = backend.output().match(/ms: (Scavenge|Mark-Compact)/g)?.length ?? 0;
    return {
      peer: await readPeer(peer, direction),
      queue: queues[ring] as Record<string, number>,
      collections,
    };
  };
  return {
    name: 'vhostlab',
    residentMb: () => residentMb(backend.pid),
    async run(settleMs, windowMs) {
      const pair = [backend, peer.process];
      const [a, b] = await window(pair, options, settleMs, windowMs, read);
      const more = (name: string): number => (b.queue[name] as number) - (a.queue[name] as number);
      return {
        pps: (b.peer.packets - a.peer.packets) / ((b.peer.atMs - a.peer.atMs) / 1000),
        busyNs: more('timed_ns') / more('timed_frames'),
        emptyShare: direction === 'enqueue' ? Number.NaN : more('empty_polls') / more('polls'),
        burst: more('frames') / more('fast_bursts'),
        ring: more('seen') / more('fast_bursts'),
        collections: b.collections - a.collections,
      };
    },
  };
}

/** DPDK's net_vhost in a testpmd, with a peer of its own. */
export async function dpdk(kase: Case, cleanup: Cleanup, options: RigOptions): Promise<Contestant> {
  const socketPath = cleanup.path('dpdk');
  const { direction, bytes } = kase;
  const backend = await cleanup.add(
    netVhost({
      socketPath,
      mode: DPDK_MODE[direction],
      size: bytes,
      cpu: BACKEND_CPU,
      hugepages: true,
      memoryMiB: BACKEND_MIB,
      autoStart: false,
      extra: ['--record-core-cycles', '--record-burst-stats'],
    }),
  );
  const peer = await cleanup.add(startPeer(kase, socketPath));
  await startForwarding(backend, direction, false);
  await startForwarding(peer, direction, true);
  const read = async () => {
    const text = await backend.command('show fwd stats all', /CPU cycles\/packet=.*\n/);
    return { peer: await readPeer(peer, direction), ...parseCycles(text) };
  };
  return {
    name: 'DPDK net_vhost',
    residentMb: () => residentMb(backend.pid),
    async run(settleMs, windowMs) {
      const pair = [backend.process, peer.process];
      const [a, b] = await window(pair, options, settleMs, windowMs, read);
      return {
        pps: (b.peer.packets - a.peer.packets) / ((b.peer.atMs - a.peer.atMs) / 1000),
        busyNs: (b.busyNs - a.busyNs) / (b.packets - a.packets),
        emptyShare: b.emptyShare,
        burst: Number.NaN,
        ring: Number.NaN,
        collections: 0,
      };
    },
  };
}

/** What `show fwd stats` prints with recorded cycles: looks that found nothing are not in them. */
export function parseCycles(text: string): { busyNs: number; packets: number; emptyShare: number } {
  const cycles =
    /CPU cycles\/packet=[\d.]+ \(total cycles=(\d+) \/ total \w+ packets=(\d+)\) at (\d+) MHz/.exec(text);
  if (cycles === null) throw new Error(`dpdk-testpmd printed no cycles:\n${text}`);
  const [, total, packets, mhz] = cycles;
  const empty = /RX-bursts : \d+ \[(\d+)% of 0 pkts/.exec(text);
  return {
    busyNs: (Number(total) / Number(mhz)) * 1000,
    packets: Number(packets),
    emptyShare: empty === null ? Number.NaN : Number(empty[1]) / 100,
  };
}
