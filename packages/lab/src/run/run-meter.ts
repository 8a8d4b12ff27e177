import type { RunPlan, TimeBounds } from '@vhostlab/engine';
import { type Coupling, type CouplingFacts, couplingOf } from './coupling.ts';

/** Time of one process of a run on the wall clock; the four add up to the time of the run. */
export interface ProcessTime {
  process: string;
  /** Windows that it was granted, and those in which it took and sent nothing. */
  windows: number;
  windows_empty: number;
  /** Engine runs executed. */
  events: number;
  /** Running its cores. */
  work_ms: number;
  /** Inside a window, until batches of its neighbours had arrived. */
  blocked_ms: number;
  /** Until another process was done with the round. */
  waiting_ms: number;
  /** Messages between it and the lab, and the lab itself. */
  messages_ms: number;
}

/** What crossed between two processes, both directions together. */
export interface ChannelTime {
  channel: string;
  between: [string, string];
  /** Shorter of its two latencies. */
  latency_ns: number;
  batches: number;
  messages: number;
  payload_bytes: number;
  /** How long each process was blocked on it. */
  blocked_ms: Record<string, number>;
}

/** Where the time of one run over several processes went. Measured on the wall clock: no two runs are alike. */
export interface RunMeasurement {
  /** `workload/backend`. */
  run: string;
  wall_ms: number;
  rounds: number;
  /** Rounds in which no process sent anything. */
  rounds_empty: number;
  windows: number;
  windows_empty: number;
  /** Windows that carried nothing over all windows. */
  null_message_ratio: number;
  processes: ProcessTime[];
  /** Who waited for whom: time until the slowest process of a round was done. */
  waits: { process: string; on: string; ms: number }[];
  channels: ChannelTime[];
  coupling: Coupling;
}

/** Counts of a process since the start of the run, out of its report. */
export interface WorkCounts {
  taskRuns: number;
  workNs: number;
  blockedNs: number;
}

interface Sums extends WorkCounts {
  windows: number;
  empty: number;
  waitingMs: number;
}

const NS_PER_MS = 1e6;

/** Milliseconds to the microsecond: more digits say nothing. */
function round(ms: number): number {
  return Math.round(ms * 1000) / 1000;
}

const NOTHING: WorkCounts = { taskRuns: 0, workNs: 0, blockedNs: 0 };

/** Measures a run round by round; knows nothing of virtual time but what it is told. */
export class RunMeter {
  readonly #names: readonly string[];
  readonly #bounds: TimeBounds;
  readonly #plan: RunPlan;
  readonly #processOf: (service: string) => string;
  readonly #sums: Sums[];
  readonly #waitMs: Float64Array;
  /** Work and blocked time of each process in the present round. */
  readonly #roundNs: Float64Array;
  readonly #startMs = performance.now();
  #rounds = 0;
  #emptyRounds = 0;
  #isRoundEmpty = true;
  #roundStartMs = 0;
  /** Time of rounds beyond what their slowest process took. */
  #messagesMs = 0;
  /** The same counts when traffic began. */
  #traffic:
    | { atPs: number; taskRuns: number; workNs: number; rounds: number; messagesMs: number }
    | undefined;
  #reachedPs = 0;

  constructor(plan: RunPlan, bounds: TimeBounds, processOf: (service: string) => string) {
    this.#plan = plan;
    this.#bounds = bounds;
    this.#processOf = processOf;
    this.#names = bounds.processes;
    const n = this.#names.length;
    this.#sums = this.#names.map(() => ({ ...NOTHING, windows: 0, empty: 0, waitingMs: 0 }));
    this.#waitMs = new Float64Array(n * n);
    this.#roundNs = new Float64Array(n);
  }

  /** A round begins at which the earliest event anywhere is at `atPs`. */
  begin(atPs: number): void {
    if (this.#traffic === undefined && atPs >= this.#plan.accountFromPs) {
      this.#traffic = { atPs, ...this.#totals(), rounds: this.#rounds, messagesMs: this.#messagesMs };
    }
    this.#rounds++;
    this.#isRoundEmpty = true;
    this.#roundNs.fill(0);
    this.#roundStartMs = performance.now();
  }

  /** Process `i` has reported: what it has counted so far, and whether it took or sent anything in this window. */
  window(i: number, counts: WorkCounts, took: boolean, sent: boolean, reachedPs: number): void {
    const sums = this.#sums[i];
    this.#roundNs[i] = counts.workNs - sums.workNs + (counts.blockedNs - sums.blockedNs);
    Object.assign(sums, counts);
    sums.windows++;
    if (!took && !sent) sums.empty++;
    if (sent) this.#isRoundEmpty = false;
    if (reachedPs > this.#reachedPs) this.#reachedPs = reachedPs;
  }

  /** The round is over: everybody waited for the process that took longest. */
  end(): void {
    const n = this.#names.length;
    let slowest = 0;
    for (let i = 1; i < n; i++) if (this.#roundNs[i] > this.#roundNs[slowest]) slowest = i;
    const longestNs = this.#roundNs[slowest];
    for (let i = 0; i < n; i++) {
      const ms = (longestNs - this.#roundNs[i]) / NS_PER_MS;
      this.#sums[i].waitingMs += ms;
      this.#waitMs[i * n + slowest] += ms;
    }
    if (this.#isRoundEmpty) this.#emptyRounds++;
    this.#messagesMs += Math.max(0, performance.now() - this.#roundStartMs - longestNs / NS_PER_MS);
  }

  /**
   * What was measured. `crossed`: counts of each channel between processes, `blocked`: nanoseconds by channel of each
   * process, both as the processes tell them after the run.
   */
  measurement(
    run: string,
    crossed: readonly { channel: string; batches: number; messages: number; payloadBytes: number }[],
    blocked: ReadonlyMap<string, ReadonlyMap<string, number>>,
  ): RunMeasurement {
    const n = this.#names.length;
    const wallMs = performance.now() - this.#startMs;
    const windows = this.#sums.reduce((sum, own) => sum + own.windows, 0);
    const empty = this.#sums.reduce((sum, own) => sum + own.empty, 0);
    const serviceOf = new Map(this.#plan.cores.map(({ id, service }) => [id, service]));
    const processAt = (core: string): string => this.#processOf(serviceOf.get(core) as string);
    return {
      run,
      wall_ms: round(wallMs),
      rounds: this.#rounds,
      rounds_empty: this.#emptyRounds,
      windows,
      windows_empty: empty,
      null_message_ratio: windows === 0 ? 0 : round(empty / windows),
      processes: this.#names.map((process, i): ProcessTime => {
        const { windows, empty, taskRuns, workNs, blockedNs, waitingMs } = this.#sums[i];
        const work_ms = workNs / NS_PER_MS;
        const blocked_ms = blockedNs / NS_PER_MS;
        return {
          process,
          windows,
          windows_empty: empty,
          events: taskRuns,
          work_ms: round(work_ms),
          blocked_ms: round(blocked_ms),
          waiting_ms: round(waitingMs),
          messages_ms: round(Math.max(0, wallMs - work_ms - blocked_ms - waitingMs)),
        };
      }),
      waits: this.#names.flatMap((process, i) =>
        this.#names
          .map((on, j) => ({ process, on, ms: round(this.#waitMs[i * n + j]) }))
          .filter(({ on, ms }) => on !== process && ms > 0),
      ),
      channels: this.#plan.channels
        .map(({ id, a, b, latencyPs }): ChannelTime => {
          const counts = crossed.find(({ channel }) => channel === id);
          return {
            channel: id,
            between: [processAt(a.core), processAt(b.core)],
            latency_ns: Math.min(latencyPs.ab, latencyPs.ba) / 1000,
            batches: counts?.batches ?? 0,
            messages: counts?.messages ?? 0,
            payload_bytes: counts?.payloadBytes ?? 0,
            blocked_ms: Object.fromEntries(
              [...blocked]
                .map(([process, channels]): [string, number] => [
                  process,
                  (channels.get(id) ?? 0) / NS_PER_MS,
                ])
                .filter(([, ms]) => ms > 0),
            ),
          };
        })
        .filter(({ between: [a, b] }) => a !== b),
      coupling: couplingOf(this.#plan, this.#facts()),
    };
  }

  #totals(): { taskRuns: number; workNs: number } {
    return {
      taskRuns: this.#sums.reduce((sum, own) => sum + own.taskRuns, 0),
      workNs: this.#sums.reduce((sum, own) => sum + own.workNs, 0),
    };
  }

  /** From the start of traffic, because set-up jumps over milliseconds in which nothing happens. */
  #facts(): CouplingFacts {
    const from = this.#traffic ?? { atPs: 0, taskRuns: 0, workNs: 0, rounds: 0, messagesMs: 0 };
    const now = this.#totals();
    const rounds = this.#rounds - from.rounds;
    const n = this.#names.length;
    let lookaheadPs = Number.POSITIVE_INFINITY;
    for (let i = 0; i < n; i++) {
      for (let j = 0; j < n; j++) {
        if (i !== j) lookaheadPs = Math.min(lookaheadPs, this.#bounds.distancePs(i, j));
      }
    }
    return {
      lookaheadPs,
      events: now.taskRuns - from.taskRuns,
      spanPs: this.#reachedPs - from.atPs,
      workNs: now.workNs - from.workNs,
      // a round is a grant there and a report back
      messageNs: rounds === 0 ? 0 : ((this.#messagesMs - from.messagesMs) * NS_PER_MS) / rounds / 2,
    };
  }
}
