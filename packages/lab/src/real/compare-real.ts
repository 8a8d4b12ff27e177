import { existsSync } from 'node:fs';
import { vhostNetProblem } from '@vhostlab/vhost-driver';
import type { ProgramCommand } from './backend-process.ts';
import { machineName } from './fidelity.ts';
import { measuredTap, measureKernelRound } from './measure-kernel.ts';
import { type BackendWay, measureRound } from './measure-round.ts';
import type { RealBackend, RealOptions, RealWorkload } from './real-options.ts';
import type { Round } from './round.ts';

/** Median of several rounds, with the least and the most of them. */
export interface Spread {
  readonly median: number;
  readonly least: number;
  readonly most: number;
}

/** A row of the measured table. */
export interface RealResult {
  readonly workload: RealWorkload;
  readonly backend: RealBackend;
  readonly clock: 'real';
  /** Why there are no figures: the machine lacks what it takes. */
  readonly absent?: string;
  readonly throughput_mpps?: Spread;
  readonly latency_us?: { readonly p50: Spread; readonly p99: Spread };
  readonly backend_cores?: Spread;
  readonly per_packet?: { readonly kicks: number; readonly calls: number };
  readonly fidelity?: {
    readonly steal_share: number;
    readonly late_timers: number;
    readonly worst_late_ms: number;
    readonly preemptions: number;
  };
}

/** What `compare --clock real` found. */
export interface RealComparison {
  readonly run: {
    readonly clock: 'real';
    readonly machine: string;
    readonly repeat: number;
    readonly seconds: number;
  };
  readonly results: readonly RealResult[];
}

export interface RealEnvironment {
  /** How to start this program. */
  readonly program: ProgramCommand;
  readonly signal: AbortSignal;
  onRound?(text: string): void;
}

/** The back ends that can be measured everywhere. */
const WAYS: Partial<Record<RealBackend, BackendWay>> = {
  'vhost-user': { mode: 'poll' },
  'user-interrupt': { mode: 'interrupt' },
  'sw-vdpa': { mode: 'poll', plugin: 'sw-vdpa' },
};
const VDPA_PATH = '/dev/vhost-vdpa-0';

/**
 * Measures every workload on every back end, rounds of all of them in turn, so that a disturbance meets each alike.
 * Figures are of this machine and this moment: medians with their spread, and how much the machine was disturbed.
 */
export async function compareReal(
  options: RealOptions,
  environment: RealEnvironment,
): Promise<RealComparison> {
  const rounds = new Map<string, Round[]>();
  const kernelProblem = options.backends.includes('vhost-net') ? problemOfKernel(options) : undefined;
  const measure = (workload: RealWorkload, backend: RealBackend): Promise<Round> | undefined => {
    if (backend === 'vhost-net') {
      if (kernelProblem !== undefined || (workload !== 'tx' && workload !== 'rx')) return undefined;
      return measureKernelRound(workload, options, environment.signal);
    }
    const way = wayOf(workload, backend);
    return way && measureRound(workload, way, options, environment.program, environment.signal);
  };
  for (let round = 1; round <= options.repeat; round++) {
    for (const workload of options.workloads) {
      for (const backend of options.backends) {
        const measured = measure(workload, backend);
        if (measured === undefined) continue;
        environment.onRound?.(`${workload} over ${backend}, round ${round} of ${options.repeat}`);
        const found = await measured;
        const key = `${workload} ${backend}`;
        rounds.set(key, [...(rounds.get(key) ?? []), found]);
      }
    }
  }
  const results = options.workloads.flatMap((workload) =>
    options.backends.map((backend): RealResult => {
      const own = rounds.get(`${workload} ${backend}`);
      const head = { workload, backend, clock: 'real' as const };
      return own === undefined
        ? { ...head, absent: absence(workload, backend, kernelProblem) }
        : { ...head, ...summary(own) };
    }),
  );
  const { repeat, seconds } = options;
  return { run: { clock: 'real', machine: machineName(), repeat, seconds }, results };
}

/** How a workload is measured on a back end; undefined: not at all. A plugin of its own has only the switch behind it. */
function wayOf(workload: RealWorkload, backend: RealBackend): BackendWay | undefined {
  const way = WAYS[backend];
  return way?.plugin !== undefined && workload !== 'v2v' ? undefined : way;
}

/** Why nothing is measured over vhost-net; undefined: it can be. */
function problemOfKernel({ ring }: RealOptions): string | undefined {
  const problem = vhostNetProblem(measuredTap());
  if (problem !== undefined || ring === 'split') return problem;
  return 'not measured: vhost-net has no packed rings';
}

function absence(workload: RealWorkload, backend: RealBackend, kernelProblem: string | undefined): string {
  if (WAYS[backend] !== undefined)
    return `not measured: ${workload} does not go through its plugin, v2v does`;
  if (backend === 'vhost-net') {
    return (
      kernelProblem ?? `not measured: ${workload} needs more than a tap at the other side; tx and rx do not`
    );
  }
  return existsSync(VDPA_PATH)
    ? `not measured: this version does not drive ${VDPA_PATH}`
    : `not on this machine: there is no ${VDPA_PATH}`;
}

function summary(rounds: readonly Round[]) {
  const latencies = rounds.flatMap(({ latencyUs }) => (latencyUs === undefined ? [] : [latencyUs]));
  const mean = (values: readonly number[]): number =>
    values.reduce((sum, value) => sum + value, 0) / values.length;
  const figures = rounds.map(({ fidelity }) => fidelity);
  return {
    throughput_mpps: spreadOf(rounds.map(({ mpps }) => mpps)),
    ...(latencies.length === 0
      ? {}
      : {
          latency_us: {
            p50: spreadOf(latencies.map(({ p50 }) => p50)),
            p99: spreadOf(latencies.map(({ p99 }) => p99)),
          },
        }),
    backend_cores: spreadOf(rounds.map(({ backendCores }) => backendCores)),
    per_packet: {
      kicks: mean(rounds.map(({ kicksPerFrame }) => kicksPerFrame)),
      calls: mean(rounds.map(({ callsPerFrame }) => callsPerFrame)),
    },
    fidelity: {
      steal_share: mean(figures.map(({ stealShare }) => stealShare)),
      late_timers: figures.reduce((sum, { lateTimers }) => sum + lateTimers, 0),
      worst_late_ms: Math.max(...figures.map(({ worstLateMs }) => worstLateMs)),
      preemptions: figures.reduce((sum, { preemptions }) => sum + preemptions, 0),
    },
  };
}

/** Median, least and most. Throws for no values: a row without rounds has no figures. */
export function spreadOf(values: readonly number[]): Spread {
  const sorted = values.toSorted((a, b) => a - b);
  const [least] = sorted;
  const most = sorted.at(-1);
  if (least === undefined || most === undefined) throw new Error('a spread needs a value');
  const half = (sorted.length - 1) / 2;
  const median = ((sorted[Math.floor(half)] as number) + (sorted[Math.ceil(half)] as number)) / 2;
  return { median, least, most };
}
