import { type CoreStatistics, OPS, type OpCounter } from '@vhostlab/engine';
import { IDLE_POLL, stageShares } from '@vhostlab/trace';
import { combineFrameHashes, frameBytesWithFcs, migrationOf, WIRE_OVERHEAD_BYTES } from '@vhostlab/workload';
import { decodeFromCompressedBase64, type Histogram } from 'hdr-histogram-js';
import type { ScenarioOutcome } from '../run/run-scenario.ts';
import type { BackendRow } from '../scenario/rows.ts';
import { type EventOutcome, eventOutcomes } from './event-outcomes.ts';
import { type Migration, migrationOutcome, orderOf } from './migration-outcome.ts';
import { type Swaps, swapOutcome } from './swap-outcome.ts';

/** One row: a back end under a workload. Field names are those of the published JSON Schema. */
export interface Result {
  workload: string;
  /** A built-in back end, or the name of a plugin's row. */
  backend: string;
  plugin?: { name: string; version: string; attaches_as: string; options: Record<string, unknown> };
  clock: 'virtual';
  throughput_mpps: number;
  throughput_gbps: number;
  latency_us: { p50: number; p90: number; p99: number; max: number };
  host_cores: number;
  guest_cores: number;
  per_packet: {
    kicks: number;
    calls: number;
    exits: number;
    copies: number;
    copied_bytes: number;
    dma_bytes: number;
  };
  frames: { offered: number; delivered: number; dropped: number };
  drops: Record<string, number>;
  frames_sha256: string;
  bottleneck: { core: string; stage: string };
  /** Time of each stage per delivered packet, by who pays for it. */
  stages: { stage: string; account: 'host' | 'guest' | 'hardware'; ns_per_packet: number }[];
  /** Options that this back end does not have. */
  not_applicable: { option: string; reason: string }[];
  /** What became of the events of the lab; absent when it has none. */
  events?: EventOutcome[] | undefined;
  /** How the guest got to another host; absent when it was not to. */
  migration?: Migration | undefined;
  /** How the guest got to other back ends; absent when it was not to. */
  swaps?: Swaps | undefined;
}

/** What a sink core hands over at the end of a run. */
interface SinkResult {
  queues: { sha256: string; frames: number; bytes: number }[];
  firstPs: number;
  lastPs: number;
  latency: string;
}

const OP = new Map(OPS.map((definition) => [definition.op, definition]));

/** Makes a row of what a scenario counted. Throws when frames are unaccounted for: that is an error of ours. */
export function resultOf(
  outcome: ScenarioOutcome,
  notApplicable: Result['not_applicable'],
  row?: BackendRow,
): Result {
  const { cores, config, plan } = outcome;
  const sinks = cores
    .map(({ results }) => results.sink as SinkResult | undefined)
    .filter((sink) => sink !== undefined);
  const reached = sinks.filter(({ queues }) => queues.some(({ frames }) => frames > 0));
  const offered = sum(cores, 'frames.offered');
  const delivered = sum(cores, 'frames.delivered') - orderOf(cores).duplicated;
  const drops = dropsOf(cores);
  if (migrationOf(config) !== undefined) accountForMigration(drops, offered, delivered);
  const dropped = Object.values(drops).reduce((total, count) => total + count, 0);
  if (offered !== delivered + dropped) {
    throw new Error(
      `${outcome.name}: ${offered} frames were offered, ${delivered} delivered and ${dropped} dropped; some are unaccounted for`,
    );
  }
  const firstPs = Math.min(...reached.map((sink) => sink.firstPs));
  const lastPs = Math.max(...reached.map((sink) => sink.lastPs));
  const spanPs = reached.length === 0 ? 0 : lastPs - firstPs;
  const perSecond = delivered > 1 && spanPs > 0 ? ((delivered - 1) / spanPs) * 1e12 : 0;
  const queues = sinks.flatMap((sink) => sink.queues);
  const bytes = queues.reduce((total, queue) => total + queue.bytes, 0);
  const frameBytes = delivered > 0 ? frameBytesWithFcs(bytes / delivered) : 0;
  const elapsedPs = Math.max(1, reached.length === 0 ? 1 : lastPs - plan.accountFromPs);
  const packets = Math.max(1, delivered);
  const events = eventOutcomes(outcome);
  const swaps = swapOutcome(outcome, drops);
  const migration = migrationOutcome(outcome, { offered, delivered });
  // one transaction at a time saturates nothing
  const wireShare =
    config.workload === 'rr'
      ? -1
      : config.workload === 'v2v'
        ? 0
        : (perSecond * (frameBytes + WIRE_OVERHEAD_BYTES) * 8) / (config.nic.rateGbps * 1e9);
  return {
    workload: config.workload,
    backend: row?.name ?? config.backend,
    ...(row?.plugin === undefined ? {} : { plugin: pluginOf(row.plugin) }),
    clock: 'virtual',
    throughput_mpps: round(perSecond / 1e6, 4),
    throughput_gbps: round((perSecond * frameBytes * 8) / 1e9, 4),
    latency_us: latencyOf(sinks),
    host_cores: round(coresOf(cores, 'host', elapsedPs), 4),
    guest_cores: round(coresOf(cores, 'guest', elapsedPs), 4),
    per_packet: {
      kicks: round(counted(cores, 'kick', 'count') / packets, 4),
      calls: round(counted(cores, 'call', 'count') / packets, 4),
      exits: round(counted(cores, 'exit', 'count') / packets, 4),
      copies: round(counted(cores, 'copy', 'count') / packets, 4),
      copied_bytes: round(counted(cores, 'copy', 'bytes') / packets, 2),
      dma_bytes: round(counted(cores, 'dma', 'bytes') / packets, 2),
    },
    frames: { offered, delivered, dropped },
    drops,
    frames_sha256: combineFrameHashes(queues.map(({ sha256 }) => sha256)),
    bottleneck: bottleneckOf(cores, elapsedPs, wireShare),
    stages: stageShares(cores, packets).map(({ stage, account, nsPerPacket }) => ({
      stage,
      account,
      ns_per_packet: round(nsPerPacket, 2),
    })),
    not_applicable: notApplicable,
    ...(events === undefined ? {} : { events }),
    ...(migration === undefined ? {} : { migration }),
    ...(swaps === undefined ? {} : { swaps }),
  };
}

/** A guest that went on with stale memory loses frames of which nobody knows: they are drops of the migration. */
function accountForMigration(drops: Record<string, number>, offered: number, delivered: number): void {
  const known = Object.values(drops).reduce((total, count) => total + count, 0);
  const missing = offered - delivered - known;
  if (missing > 0) drops['lost-in-migration'] = missing;
}

function pluginOf({ definition, options }: NonNullable<BackendRow['plugin']>): NonNullable<Result['plugin']> {
  const { name, version, attachesAs } = definition;
  return { name, version, attaches_as: attachesAs, options };
}

function sum(cores: readonly CoreStatistics[], counter: string): number {
  return cores.reduce((total, { counters }) => total + (counters[counter] ?? 0), 0);
}

function dropsOf(cores: readonly CoreStatistics[]): Record<string, number> {
  const drops = new Map<string, number>();
  for (const { counters } of cores) {
    for (const [name, count] of Object.entries(counters)) {
      if (!name.startsWith('drop.') || count === 0) continue;
      const reason = name.slice('drop.'.length);
      drops.set(reason, (drops.get(reason) ?? 0) + count);
    }
  }
  return Object.fromEntries([...drops].sort(([x], [y]) => (x < y ? -1 : 1)));
}

/** A polling core counts 1 while it polls, a waiting one its busy time. */
function coresOf(
  cores: readonly CoreStatistics[],
  account: CoreStatistics['account'],
  elapsedPs: number,
): number {
  return cores
    .filter((core) => core.account === account)
    .reduce((total, core) => total + (core.mode === 'poll' ? 1 : Math.min(1, core.busyPs / elapsedPs)), 0);
}

function counted(cores: readonly CoreStatistics[], counter: OpCounter, what: 'count' | 'bytes'): number {
  let total = 0;
  for (const { ops } of cores) {
    for (const [op, spent] of Object.entries(ops)) if (OP.get(op)?.counts === counter) total += spent[what];
  }
  return total;
}

function latencyOf(sinks: readonly SinkResult[]): Result['latency_us'] {
  let all: Histogram | undefined;
  for (const sink of sinks) {
    const histogram = decodeFromCompressedBase64(sink.latency) as Histogram;
    if (all === undefined) all = histogram;
    else all.add(histogram);
  }
  if (all === undefined || all.totalCount === 0) return { p50: 0, p90: 0, p99: 0, max: 0 };
  const histogram = all;
  const at = (percentile: number) => round(histogram.getValueAtPercentile(percentile) / 1000, 3);
  return { p50: at(50), p90: at(90), p99: at(99), max: round(histogram.maxValue / 1000, 3) };
}

/** From this share of its time on a core holds the others up. */
const SATURATED = 0.9;

/**
 * What holds the run up: the CPU core that is busiest with useful work and what it mostly does. When no core is
 * saturated it is the NIC: its wire when that is nearly full, else its DMA.
 */
function bottleneckOf(
  cores: readonly CoreStatistics[],
  elapsedPs: number,
  wireShare: number,
): Result['bottleneck'] {
  let best = { core: '', stage: '' };
  let most = -1;
  for (const core of cores) {
    if (core.account === 'none') continue;
    const shares = stageShares([core], 1).filter(({ stage }) => stage !== IDLE_POLL);
    const { stage } = shares.reduce((x, y) => (y.nsPerPacket > x.nsPerPacket ? y : x), {
      stage: '',
      nsPerPacket: 0,
    });
    const used = (core.mode === 'poll' ? core.usefulPs : core.busyPs) / elapsedPs;
    if (stage === '' || used <= most) continue;
    most = used;
    best = { core: core.id, stage };
  }
  if (wireShare >= SATURATED) return { core: 'nic0', stage: 'wire.tx' };
  if (most >= SATURATED || wireShare < 0) return best;
  const nic = cores.find(({ id }) => id === 'nic0');
  const moved = (op: string) => nic?.ops[op]?.bytes ?? 0;
  if (nic === undefined || moved('nic.dma_read') + moved('nic.dma_write') === 0) return best;
  return {
    core: 'nic0',
    stage: moved('nic.dma_read') >= moved('nic.dma_write') ? 'nic.dma_read' : 'nic.dma_write',
  };
}

/** Rounds to `digits` decimals, so that a row prints the same everywhere. */
export function round(value: number, digits: number): number {
  const scale = 10 ** digits;
  return Math.round(value * scale) / scale;
}
