import { parseArgs } from 'node:util';
import { Cleanup } from '../peers/index.ts';
import { type Case, dpdk, ours, type Sample } from './_frontend-rig.ts';

const DIRECTIONS = ['tx', 'rx'] as const;
const FORMATS = ['split', 'packed'] as const;
const SIZES = [60, 1514] as const;
/** A back end that handles frames for more than this share of the time sets the pace. */
const SATURATED = 0.9;
/** First windows warm up code and memory, and count for nothing. */
const WARM_UP_MS = 2000;
const SETTLE_MS = 250;

interface Row extends Case {
  readonly ours: Sample;
  readonly dpdk: Sample;
  /** Of frames per second, ours to virtio-user's, window by window: least, median, greatest. */
  readonly ratio: readonly [number, number, number];
  readonly collectionsPerMillion: number;
  /** Who set the pace: only where a driver did does the ratio tell which one is faster. */
  readonly verdict: 'counts' | 'at least' | 'the back end is the limit';
}

function median(values: readonly number[]): number {
  const sorted = values.filter((value) => !Number.isNaN(value)).sort((a, b) => a - b);
  return sorted.length === 0 ? Number.NaN : (sorted[sorted.length >> 1] as number);
}

function medians(samples: readonly Sample[]): Sample {
  const of = (field: keyof Sample): number => median(samples.map((sample) => sample[field]));
  return {
    pps: of('pps'),
    backendBusy: of('backendBusy'),
    burst: of('burst'),
    collections: of('collections'),
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
    const a = medians(samples.map(([sample]) => sample));
    const b = medians(samples.map(([, sample]) => sample));
    const collections = samples.reduce((sum, [sample]) => sum + sample.collections, 0);
    return {
      ...kase,
      ours: a,
      dpdk: b,
      ratio: [ratios[0] as number, median(ratios), ratios.at(-1) as number],
      collectionsPerMillion: (collections * 1e6) / (a.pps * rounds * (windowMs / 1000)),
      verdict: verdictOf(a, b),
    };
  } finally {
    await cleanup.stop();
  }
}

/** A driver that keeps the back end busy all the time cannot show how fast it is. */
function verdictOf(a: Sample, b: Sample): Row['verdict'] {
  if (a.backendBusy < SATURATED) return 'counts';
  return b.backendBusy < SATURATED ? 'at least' : 'the back end is the limit';
}

const COLUMNS = 'case               ours Mpps  burst  back end   virtio-user Mpps  back end   ratio (spread)';

function line({
  direction,
  format,
  bytes,
  ours: a,
  dpdk: b,
  ratio,
  verdict,
  collectionsPerMillion,
}: Row): string {
  const share = (value: number): string => `${(100 * value).toFixed(0)} %`.padStart(8);
  return [
    `${direction} ${format} ${bytes}`.padEnd(18),
    (a.pps / 1e6).toFixed(2).padStart(10),
    a.burst.toFixed(0).padStart(7),
    share(a.backendBusy).padStart(10),
    (b.pps / 1e6).toFixed(2).padStart(19),
    share(b.backendBusy).padStart(10),
    `   ${ratio[1].toFixed(2)} (${ratio[0].toFixed(2)} to ${ratio[2].toFixed(2)}), ${verdict}`,
    `; GC ${collectionsPerMillion.toFixed(2)}/M`,
  ].join('');
}

/** The cases whose names have every word of `only`, such as `tx,60`. Throws an Error when there are none. */
export function chooseCases(only: string | undefined): Case[] {
  const words = only?.split(',') ?? [];
  const chosen = SIZES.flatMap((bytes) =>
    DIRECTIONS.flatMap((direction) => FORMATS.map((format) => ({ direction, format, bytes }))),
  ).filter(({ direction, format, bytes }) =>
    words.every((word) => [direction, format, String(bytes)].includes(word)),
  );
  if (chosen.length === 0) {
    const all = [...DIRECTIONS, ...FORMATS, ...SIZES].join(', ');
    throw new Error(`--only ${only}: no case has all of these words; choose from ${all}`);
  }
  return chosen;
}

/**
 * `npm run bench -- vhost-user-frontend [--only WORDS] [--rounds N] [--seconds S] [--realtime] [--json]`: our driver and
 * DPDK's virtio-user at the same back end, net_vhost, in windows that take turns. `tx`: the driver sends (back end rxonly),
 * `rx`: it takes (txonly). "back end": share of the time in which net_vhost handled frames; where that is all of it for both
 * drivers the ratio says that both are fast enough, not which one is faster. `--realtime` gives the pollers a real-time
 * priority while a window lasts, for busy machines: nothing else runs then.
 */
export async function main(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      only: { type: 'string' },
      rounds: { type: 'string', default: '9' },
      seconds: { type: 'string', default: '1' },
      realtime: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
    },
  });
  const rows: Row[] = [];
  if (values.json !== true) console.log(COLUMNS);
  for (const kase of chooseCases(values.only)) {
    const row = await measure(
      kase,
      Number(values.rounds),
      Number(values.seconds) * 1000,
      values.realtime === true,
    );
    rows.push(row);
    if (values.json !== true) console.log(line(row));
  }
  if (values.json === true) console.log(JSON.stringify(rows, null, 2));
}
