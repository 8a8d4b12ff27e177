import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import {
  Cleanup,
  endTap,
  netVhost,
  type PeerProcess,
  type Testpmd,
  vhostlabTap,
  virtioUser,
} from '../peers/index.ts';

const FORMATS = ['split', 'packed'] as const;
const DIRECTIONS = ['dequeue', 'enqueue'] as const;
const TAPS = ['samples', 'notifications'] as const;
const QUEUE_SIZE = 1024;
const SETTLE_MS = 250;
const TICKS_PER_S = 100;
/** As `show port stats` names them on the side of the guest. */
const MODES = {
  dequeue: { peer: 'txonly', backend: 'rxonly' },
  enqueue: { peer: 'rxonly', backend: 'txonly' },
} as const;

interface Case {
  readonly direction: (typeof DIRECTIONS)[number];
  readonly format: (typeof FORMATS)[number];
}

/** A pair of peers, with or without a tap between them. */
interface Pair {
  readonly name: 'direct' | (typeof TAPS)[number];
  readonly peer: Testpmd;
  readonly backend: Testpmd;
  readonly tap: PeerProcess | null;
  readonly out: string;
}

/** One window. `cpu`: share of one processor that the tap took. */
interface Sample {
  readonly pps: number;
  readonly cpu: number;
}

/** The middle one; of an even number the upper of the two. */
export function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
}

async function startPair({ direction, format }: Case, name: Pair['name'], cleanup: Cleanup): Promise<Pair> {
  const [socketPath, listen, out] = ['back', 'tap', 'out'].map((part) => cleanup.path(`${name}-${part}`));
  const common = { hugepages: true, autoStart: false, memoryMiB: 96 };
  const { peer: peerMode, backend: backendMode } = MODES[direction];
  const backend = await cleanup.add(netVhost({ ...common, socketPath, mode: backendMode, cpu: 0 }));
  const options = { listen, connect: socketPath, out, notifications: name === 'notifications' };
  const tap = name === 'direct' ? null : await cleanup.add(vhostlabTap(options));
  const peer = await cleanup.add(
    virtioUser({
      ...common,
      socketPath: tap === null ? socketPath : listen,
      mode: peerMode,
      packed: format === 'packed',
      cpu: 1,
      queueSize: QUEUE_SIZE,
    }),
  );
  await backend.start();
  await peer.start();
  for (const process of processesOf({ peer, backend, tap })) process.signal('SIGSTOP');
  return { name, peer, backend, tap, out };
}

function processesOf({ peer, backend, tap }: Pick<Pair, 'peer' | 'backend' | 'tap'>): PeerProcess[] {
  return [backend.process, ...(tap === null ? [] : [tap]), peer.process];
}

/** Seconds of processor time that a process has had. */
function processorSeconds(process: PeerProcess | null): number {
  if (process === null) return 0;
  const fields = readFileSync(`/proc/${process.pid}/stat`, 'utf8').split(') ')[1]!.split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_S;
}

function delay(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Lets a pair run for a window, and nobody else. */
async function window(pair: Pair, { direction }: Case, windowMs: number): Promise<Sample> {
  const processes = processesOf(pair);
  for (const process of processes) process.signal('SIGCONT');
  const read = async () => {
    const { rxPackets, txPackets, atMs } = await pair.peer.stats();
    return { frames: direction === 'dequeue' ? txPackets : rxPackets, atMs, cpu: processorSeconds(pair.tap) };
  };
  try {
    await delay(SETTLE_MS);
    const before = await read();
    await delay(windowMs);
    const after = await read();
    const seconds = (after.atMs - before.atMs) / 1000;
    return { pps: (after.frames - before.frames) / seconds, cpu: (after.cpu - before.cpu) / seconds };
  } finally {
    for (const process of processes) process.signal('SIGSTOP');
  }
}

interface Row extends Case {
  readonly tap: (typeof TAPS)[number];
  readonly directPps: number;
  readonly tapPps: number;
  /** With the tap to without it, round by round: least, median, greatest. */
  readonly ratio: readonly [number, number, number];
  readonly cpu: number;
  readonly samplesPerS: number;
  readonly checkedChains: number;
  readonly violations: number;
}

async function measure(kase: Case, rounds: number, windowMs: number): Promise<Row[]> {
  const cleanup = new Cleanup();
  try {
    const pairs: Pair[] = [];
    for (const name of ['direct', ...TAPS] as const) pairs.push(await startPair(kase, name, cleanup));
    // first windows warm up code and memory, and count for nothing
    for (const pair of pairs) await window(pair, kase, windowMs);
    const samples = new Map(pairs.map(({ name }) => [name, [] as Sample[]]));
    for (let round = 0; round < rounds; round++) {
      // each goes first in its turn
      for (let at = 0; at < pairs.length; at++) {
        const pair = pairs[(round + at) % pairs.length]!;
        samples.get(pair.name)!.push(await window(pair, kase, windowMs));
      }
    }
    const rows: Row[] = [];
    for (const pair of pairs.slice(1)) rows.push(await rowOf(kase, pair, samples, rounds, windowMs));
    return rows;
  } finally {
    await cleanup.stop();
  }
}

async function rowOf(
  kase: Case,
  pair: Pair,
  samples: ReadonlyMap<Pair['name'], readonly Sample[]>,
  rounds: number,
  windowMs: number,
): Promise<Row> {
  const direct = samples.get('direct')!;
  const tapped = samples.get(pair.name)!;
  const ratios = tapped.map(({ pps }, round) => pps / direct[round]!.pps).sort((a, b) => a - b);
  for (const process of processesOf(pair)) process.signal('SIGCONT');
  const { summary } = await endTap(pair.tap!, pair.out);
  const ring = summary.rings.find(({ queue }) => queue === (kase.direction === 'dequeue' ? 1 : 0))!;
  const ranS = ((rounds + 1) * (windowMs + SETTLE_MS)) / 1000;
  return {
    ...kase,
    tap: pair.name as Row['tap'],
    directPps: median(direct.map(({ pps }) => pps)),
    tapPps: median(tapped.map(({ pps }) => pps)),
    ratio: [ratios[0]!, median(ratios), ratios.at(-1)!],
    cpu: median(tapped.map(({ cpu }) => cpu)),
    samplesPerS: ring.samples / ranS,
    checkedChains: ring.chains,
    violations: summary.violations.length,
  };
}

function line(row: Row): string {
  const { directPps, tapPps, ratio, cpu, samplesPerS, checkedChains, violations } = row;
  const name = `${row.direction} ${row.format}, ${row.tap}`;
  return [
    name.padEnd(32),
    (directPps / 1e6).toFixed(2).padStart(8),
    (tapPps / 1e6).toFixed(2).padStart(8),
    `   ${ratio[1].toFixed(2)} (${ratio[0].toFixed(2)} to ${ratio[2].toFixed(2)})`.padEnd(26),
    `${(100 * cpu).toFixed(0)} %`.padStart(6),
    samplesPerS.toFixed(0).padStart(10),
    String(checkedChains).padStart(10),
    String(violations).padStart(11),
  ].join('');
}

const COLUMNS =
  'case                              direct  tapped   ratio (spread)            CPU   samples/s    chains violations';

/** The cases whose names have every word of `only`, such as `dequeue,split`. Throws an Error when there are none. */
export function chooseCases(only: string | undefined): Case[] {
  const words = only?.split(',') ?? [];
  const cases = DIRECTIONS.flatMap((direction) => FORMATS.map((format) => ({ direction, format })));
  const chosen = cases.filter((kase) => words.every((word) => Object.values(kase).includes(word as never)));
  if (chosen.length === 0) {
    throw new Error(
      `--only ${only}: no case has all of these words; choose from ${[...DIRECTIONS, ...FORMATS].join(', ')}`,
    );
  }
  return chosen;
}

/**
 * `npm run bench -- tap [--only WORDS] [--rounds N] [--seconds S] [--json]`: DPDK's virtio-user and net_vhost at 64 bytes,
 * with the tap between them and without, in windows that take turns; with samples at 1 kHz alone (`samples`), and with
 * kicks and calls stepped into besides (`notifications`). Both peers poll; where there are no more than two processors
 * the tap takes its time from them. `CPU` is the tap's share of one processor.
 */
export async function main(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      only: { type: 'string' },
      rounds: { type: 'string', default: '5' },
      seconds: { type: 'string', default: '1' },
      json: { type: 'boolean', default: false },
    },
  });
  const rounds = Number(values.rounds);
  const windowMs = Number(values.seconds) * 1000;
  if (!(Number.isInteger(rounds) && rounds > 0 && windowMs >= 100)) {
    throw new Error('--rounds is a whole number from 1 on, --seconds at least 0.1');
  }
  const rows: Row[] = [];
  if (!values.json) {
    console.log(
      `tap: ${rounds} rounds of ${windowMs} ms each; Mpps of 64-byte frames, ring of ${QUEUE_SIZE}`,
    );
    console.log(COLUMNS);
  }
  for (const kase of chooseCases(values.only)) {
    const measured = await measure(kase, rounds, windowMs);
    rows.push(...measured);
    if (!values.json) for (const row of measured) console.log(line(row));
  }
  if (values.json) console.log(JSON.stringify(rows, null, 2));
}
