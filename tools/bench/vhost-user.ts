import { parseArgs } from 'node:util';
import { Cleanup } from '../peers/index.ts';
import { type Case, type Contestant, dpdk, ours, type Sample } from './_vhost-rig.ts';

const DIRECTIONS = ['dequeue', 'enqueue', 'forward'] as const;
const FORMATS = ['split', 'packed'] as const;
const SIZES = [64, 1500] as const;
/** A back end whose looks find something for less than this share of the time waits for its peer. */
const WAITING = 0.8;
/** First windows warm up code and memory, and count for nothing. */
const WARM_UP_MS = 2500;
const SETTLE_MS = 250;
const NS_PER_S = 1e9;

/** Medians of a back end's windows. */
interface Figures extends Sample {
  readonly residentMb: number;
  /** Share of the time in which it handled frames. */
  readonly busyShare: number;
}

interface Row extends Case {
  readonly ours: Figures;
  readonly dpdk: Figures;
  /** Of frames per second, ours to DPDK's, window by window: least, median, greatest. */
  readonly ratio: readonly [number, number, number];
  /** Of nanoseconds per frame, DPDK's to ours. */
  readonly busyRatio: number;
  readonly collectionsPerMillion: number;
  /** Who set the pace: only where a back end did does the ratio tell which one is faster. */
  readonly verdict: 'counts' | 'at least' | 'peer is the limit';
}

function median(values: readonly number[]): number {
  const sorted = values.filter((value) => !Number.isNaN(value)).sort((a, b) => a - b);
  return sorted.length === 0 ? Number.NaN : (sorted[sorted.length >> 1] as number);
}

function figures(samples: readonly Sample[], contestant: Contestant): Figures {
  const of = (field: keyof Sample): number => median(samples.map((sample) => sample[field]));
  const pps = of('pps');
  const busyNs = of('busyNs');
  return {
    pps,
    busyNs,
    emptyShare: of('emptyShare'),
    burst: of('burst'),
    ring: of('ring'),
    collections: samples.reduce((sum, { collections }) => sum + collections, 0),
    residentMb: contestant.residentMb(),
    busyShare: (pps * busyNs) / NS_PER_S,
  };
}

/** Runs one case: both pairs stand by, and take turns in windows. */
async function measure(kase: Case, rounds: number, windowMs: number, realtime: boolean): Promise<Row> {
  const cleanup = new Cleanup();
  try {
    const mine = await ours(kase, cleanup, { realtime });
    await mine.run(WARM_UP_MS, 1);
    const theirs = await dpdk(kase, cleanup, { realtime });
    await theirs.run(SETTLE_MS, 1);
    const samples: [Sample, Sample][] = [];
    for (let round = 0; round < rounds; round++) {
      // each goes first in every second round
      const first = round % 2 === 0 ? mine : theirs;
      const one = await first.run(SETTLE_MS, windowMs);
      const other = await (first === mine ? theirs : mine).run(SETTLE_MS, windowMs);
      samples.push(first === mine ? [one, other] : [other, one]);
    }
    const ratios = samples.map(([a, b]) => a.pps / b.pps).sort((a, b) => a - b);
    const a = figures(
      samples.map(([sample]) => sample),
      mine,
    );
    const b = figures(
      samples.map(([, sample]) => sample),
      theirs,
    );
    return {
      ...kase,
      ours: a,
      dpdk: b,
      ratio: [ratios[0], median(ratios), ratios[ratios.length - 1]] as [number, number, number],
      busyRatio: b.busyNs / a.busyNs,
      collectionsPerMillion: (a.collections * 1e6) / (a.pps * rounds * (windowMs / 1000)),
      verdict: verdictOf(a, b),
    };
  } finally {
    await cleanup.stop();
  }
}

function verdictOf(a: Figures, b: Figures): Row['verdict'] {
  if (b.busyShare < WAITING) return a.busyShare < WAITING ? 'peer is the limit' : 'counts';
  return a.busyShare < WAITING ? 'at least' : 'counts';
}

function fixed(value: number, digits: number): string {
  return Number.isNaN(value) ? '-' : value.toFixed(digits);
}

const COLUMNS =
  'case                       ours Mpps   busy ns  burst   ring   DPDK Mpps   busy ns   ratio (spread)';

function line(row: Row): string {
  const { ours: a, dpdk: b, ratio } = row;
  const name = `${row.direction} ${row.format} ${row.bytes}`;
  return [
    name.padEnd(24),
    fixed(a.pps / 1e6, 2).padStart(10),
    fixed(a.busyNs, 1).padStart(10),
    fixed(a.burst, 0).padStart(7),
    fixed(a.ring, 0).padStart(7),
    fixed(b.pps / 1e6, 2).padStart(12),
    fixed(b.busyNs, 1).padStart(10),
    `   ${fixed(ratio[1], 2)} (${fixed(ratio[0], 2)} to ${fixed(ratio[2], 2)}), ${row.verdict}`,
    `; busy ${fixed(row.busyRatio, 2)}, GC ${fixed(row.collectionsPerMillion, 2)}/M, ${fixed(a.residentMb, 0)} MB`,
  ].join('');
}

/** The cases whose names have every word of `only`, such as `dequeue,64`. Throws an Error when there are none. */
export function chooseCases(only: string | undefined): Case[] {
  const words = only?.split(',') ?? [];
  const cases = DIRECTIONS.flatMap((direction) =>
    SIZES.flatMap((bytes) => FORMATS.map((format) => ({ direction, format, bytes }))),
  );
  const chosen = cases.filter((kase) => {
    const names = [kase.direction, kase.format, String(kase.bytes)];
    return words.every((word) => names.includes(word));
  });
  if (chosen.length === 0) {
    const all = [...DIRECTIONS, ...FORMATS, ...SIZES].join(', ');
    throw new Error(`--only ${only}: no case has all of these words; choose from ${all}`);
  }
  return chosen;
}

/**
 * `npm run bench -- vhost-user [--only WORDS] [--rounds N] [--seconds S] [--realtime] [--json]`: our back end and DPDK's
 * net_vhost with the same peer, dpdk-testpmd on a virtio-user port, in windows that take turns. Every frame is copied. A
 * ratio counts where a back end set the pace; `at least` means that ours waited for the peer and DPDK's did not. `busy` is
 * time per frame of looks that found something; DPDK's enqueue includes making the frames. `--realtime` gives the pollers
 * a real-time priority while a window lasts, for busy machines: nothing else runs then.
 */
export async function main(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      only: { type: 'string' },
      rounds: { type: 'string', default: '5' },
      seconds: { type: 'string', default: '1' },
      realtime: { type: 'boolean', default: false },
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
    console.log(`vhost-user: ${rounds} rounds of ${windowMs} ms each; bytes without FCS, ring of 1024`);
    console.log(COLUMNS);
  }
  for (const kase of chooseCases(values.only)) {
    const row = await measure(kase, rounds, windowMs, values.realtime);
    rows.push(row);
    if (!values.json) console.log(line(row));
  }
  if (values.json) console.log(JSON.stringify(rows, null, 2));
}
