import type { CoreStatistics } from '@vhostlab/engine';
import { migrationOf, type OrderReport } from '@vhostlab/workload';
import type { ScenarioOutcome } from '../run/run-scenario.ts';

/** What a migration thread says of its work: results of its core (`MigrationReport` of the guest service). */
interface ThreadReport {
  guest: number;
  to: string;
  state: 'complete' | 'refused' | 'unfinished';
  reason: string;
  phases: { name: MigrationPhase['phase']; fromPs: number; toPs: number }[];
  rounds: {
    kind: 'all' | 'dirty' | 'stop';
    pages: number;
    bytes: number;
    fromVcpus: number;
    fromBackend: number;
    startPs: number;
    endPs: number;
  }[];
  memoryPages: number;
  stalePages: number;
  staleAt: number[];
  pausedPs: number;
  resumedPs: number;
}

/** One part of a migration. */
export interface MigrationPhase {
  phase: 'before' | 'setup' | 'copy' | 'shadow' | 'stop' | 'resumed';
  from_us: number;
  to_us: number;
  /** Exits of vCPUs in that time. */
  exits: number;
  /** Host cores in use: 1 per polling core, busy time of the others. */
  host_cores: number;
}

/** How a guest got to another host in one run. Moments in microseconds from the start of traffic. */
export interface Migration {
  guest: string;
  to: string;
  state: 'complete' | 'refused' | 'unfinished';
  reason: string;
  /** Whether guest memory was the same on both hosts when the guest went on. */
  verification: 'passed' | 'failed' | 'not reached';
  stale_pages: number;
  /** Guest addresses of the first of them. */
  stale_at: string[];
  memory_pages: number;
  copied_pages: number;
  copied_bytes: number;
  rounds: {
    kind: 'all' | 'dirty' | 'stop';
    pages: number;
    bytes: number;
    from_vcpus: number;
    from_backend: number;
    from_us: number;
    to_us: number;
  }[];
  phases: MigrationPhase[];
  total_us: number;
  downtime_us: number;
  /** Of the whole run. Lost: offered and never delivered, for whatever reason. */
  frames: { lost: number; duplicated: number; reordered: number };
  /** Exits and host cores by spans, from the start of traffic. */
  timeline: { span_us: number; host_cores: number[]; exits: number[] };
}

const US = 1e6;

/** The migration of a run; undefined when its events have none, or when the run ended before. */
export function migrationOutcome(
  { config, cores, plan }: Pick<ScenarioOutcome, 'config' | 'cores' | 'plan'>,
  frames: { offered: number; delivered: number },
): Migration | undefined {
  const event = migrationOf(config);
  if (event === undefined) return undefined;
  const report = cores.find(({ results }) => results.migration !== undefined)?.results.migration as
    | ThreadReport
    | undefined;
  if (report === undefined) return undefined;
  const us = (ps: number) => round((ps - plan.accountFromPs) / US);
  const { duplicated, reordered } = orderOf(cores);
  const endPs = runEndPs(cores);
  const phases = report.phases.map((phase) =>
    phase.name === 'resumed' ? { ...phase, toPs: Math.max(phase.fromPs, endPs) } : phase,
  );
  const first = phases[0];
  return {
    guest: `guest${report.guest}`,
    to: report.to,
    state: report.state,
    reason: report.reason,
    verification: report.state !== 'complete' ? 'not reached' : report.stalePages === 0 ? 'passed' : 'failed',
    stale_pages: report.stalePages,
    stale_at: report.staleAt.map((gpa) => `0x${gpa.toString(16)}`),
    memory_pages: report.memoryPages,
    copied_pages: report.rounds.reduce((sum, { pages }) => sum + pages, 0),
    copied_bytes: report.rounds.reduce((sum, { bytes }) => sum + bytes, 0),
    rounds: report.rounds.map((one) => ({
      kind: one.kind,
      pages: one.pages,
      bytes: one.bytes,
      from_vcpus: one.fromVcpus,
      from_backend: one.fromBackend,
      from_us: us(one.startPs),
      to_us: us(one.endPs),
    })),
    phases: withBefore(phases, plan.accountFromPs).map(({ name, fromPs, toPs }) => ({
      phase: name,
      from_us: us(fromPs),
      to_us: us(toPs),
      exits: Math.round(exitsIn(cores, fromPs, toPs)),
      host_cores: round(hostCoresIn(cores, fromPs, toPs)),
    })),
    total_us:
      first === undefined || report.resumedPs === 0 ? 0 : round((report.resumedPs - first.fromPs) / US),
    downtime_us: report.resumedPs === 0 ? 0 : round((report.resumedPs - report.pausedPs) / US),
    frames: { lost: frames.offered - frames.delivered, duplicated, reordered },
    timeline: timelineOf(cores, plan.accountFromPs),
  };
}

/** The run before the migration, to compare with, and its phases. */
function withBefore(phases: ThreadReport['phases'], startPs: number): ThreadReport['phases'] {
  const [first] = phases;
  return first === undefined ? [] : [{ name: 'before', fromPs: startPs, toPs: first.fromPs }, ...phases];
}

/** What the sinks say about the order of what they took. */
export function orderOf(cores: readonly CoreStatistics[]): OrderReport {
  const sum = { duplicated: 0, reordered: 0 };
  for (const { results } of cores) {
    const order = results.order as OrderReport | undefined;
    sum.duplicated += order?.duplicated ?? 0;
    sum.reordered += order?.reordered ?? 0;
  }
  return sum;
}

/** Moment of the end of the last span in which a core was busy. */
function runEndPs(cores: readonly CoreStatistics[]): number {
  return Math.max(
    0,
    ...cores.map(({ timeline }) => (timeline === undefined ? 0 : timeline.busyPs.length * timeline.spanPs)),
  );
}

/** Adds up `values` of spans over `[fromPs, toPs)`; a span that lies in it in part counts in part. */
function sumIn(values: readonly number[], spanPs: number, fromPs: number, toPs: number): number {
  let sum = 0;
  const last = Math.min(values.length - 1, Math.floor(toPs / spanPs));
  for (let span = Math.floor(fromPs / spanPs); span <= last; span++) {
    const inside = Math.min(toPs, (span + 1) * spanPs) - Math.max(fromPs, span * spanPs);
    sum += (values[span] * Math.max(0, inside)) / spanPs;
  }
  return sum;
}

function exitsIn(cores: readonly CoreStatistics[], fromPs: number, toPs: number): number {
  return cores.reduce(
    (sum, { timeline }) =>
      sum + (timeline === undefined ? 0 : sumIn(timeline.exits, timeline.spanPs, fromPs, toPs)),
    0,
  );
}

function hostCoresIn(cores: readonly CoreStatistics[], fromPs: number, toPs: number): number {
  if (toPs <= fromPs) return 0;
  let sum = 0;
  for (const { account, mode, timeline } of cores) {
    if (account !== 'host' || timeline === undefined) continue;
    sum += mode === 'poll' ? 1 : sumIn(timeline.busyPs, timeline.spanPs, fromPs, toPs) / (toPs - fromPs);
  }
  return sum;
}

function timelineOf(cores: readonly CoreStatistics[], startPs: number): Migration['timeline'] {
  const spanPs = cores.find(({ timeline }) => timeline !== undefined)?.timeline?.spanPs ?? US;
  const spans = Math.max(0, Math.ceil((runEndPs(cores) - startPs) / spanPs));
  const hostCores: number[] = [];
  const exits: number[] = [];
  for (let span = 0; span < spans; span++) {
    const from = startPs + span * spanPs;
    hostCores.push(round(hostCoresIn(cores, from, from + spanPs)));
    exits.push(Math.round(exitsIn(cores, from, from + spanPs)));
  }
  return { span_us: spanPs / US, host_cores: hostCores, exits };
}

function round(value: number): number {
  return Math.round(value * 1000) / 1000;
}
