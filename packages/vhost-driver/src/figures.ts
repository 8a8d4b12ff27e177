import { mergeTallies, totalCounts, type VerifyCounts } from '@vhostlab/workload';
import { decodeFromCompressedBase64, type Histogram } from 'hdr-histogram-js';
import type { AppReport } from './worker/app.ts';
import { COUNTER_NAMES, type CounterName, type QueueCounters, readCounters } from './worker/counters.ts';

/** One queue at one moment. */
export interface QueueFigures extends QueueCounters {
  readonly index: number;
  readonly direction: 'rx' | 'tx';
}

/** All queues at one moment. */
export interface FrontendFigures {
  /** Milliseconds since the rings were first used. */
  readonly elapsedMs: number;
  /** Back ends that have served the rings, the present one included. */
  readonly connections: number;
  readonly queues: readonly QueueFigures[];
  readonly rx: QueueCounters;
  readonly tx: QueueCounters;
}

/** Latencies of requests, in nanoseconds. */
export interface LatencyFigures {
  readonly answered: number;
  readonly lost: number;
  readonly stray: number;
  readonly minNs: number;
  readonly meanNs: number;
  readonly p50Ns: number;
  readonly p90Ns: number;
  readonly p99Ns: number;
  readonly p999Ns: number;
  readonly maxNs: number;
}

/** Counters that say that something was dropped, by reason. */
export const DROP_COUNTERS = COUNTER_NAMES.filter((name) => name.startsWith('drop'));

/** Reads the counters of `queues` queues. */
export function readQueues(memory: SharedArrayBuffer, queues: number): QueueFigures[] {
  return Array.from({ length: queues }, (_, index) => ({
    index,
    direction: index % 2 === 0 ? ('rx' as const) : ('tx' as const),
    ...readCounters(memory, index),
  }));
}

/** The sum of queues, counter by counter. */
export function sumOf(queues: readonly QueueCounters[]): QueueCounters {
  return Object.fromEntries(
    COUNTER_NAMES.map((name) => [name, queues.reduce((sum, queue) => sum + queue[name], 0)]),
  ) as QueueCounters;
}

/** What was dropped, by reason; only reasons that occurred. */
export function dropsOf(counters: QueueCounters): Partial<Record<CounterName, number>> {
  return Object.fromEntries(
    DROP_COUNTERS.filter((name) => counters[name] > 0).map((name) => [name, counters[name]]),
  );
}

/** What became of the frames of `verify`, all pairs together; undefined when nobody checked. */
export function verifiedOf(reports: readonly AppReport[]): VerifyCounts | undefined {
  const tallies = reports.flatMap(({ tally }) => (tally === undefined ? [] : [tally]));
  if (tallies.length === 0) return undefined;
  const sent = new Float64Array(tallies[0].next.length);
  for (const report of reports)
    report.sent?.forEach((count, flow) => {
      sent[flow] += count;
    });
  return totalCounts(mergeTallies(tallies), sent);
}

/** Latencies of all pairs together; undefined when no pair measured any. */
export function latencyOf(reports: readonly AppReport[]): LatencyFigures | undefined {
  let all: Histogram | undefined;
  let lost = 0;
  let stray = 0;
  for (const report of reports) {
    if (report.histogram === undefined) continue;
    const histogram = decodeFromCompressedBase64(report.histogram) as Histogram;
    if (all === undefined) all = histogram;
    else all.add(histogram);
    lost += report.lost ?? 0;
    stray += report.stray ?? 0;
  }
  if (all === undefined) return undefined;
  const percentile = (p: number): number => all.getValueAtPercentile(p);
  return {
    answered: all.totalCount,
    lost,
    stray,
    minNs: all.minNonZeroValue,
    meanNs: Math.round(all.mean),
    p50Ns: percentile(50),
    p90Ns: percentile(90),
    p99Ns: percentile(99),
    p999Ns: percentile(99.9),
    maxNs: all.maxValue,
  };
}
