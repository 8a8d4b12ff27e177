import type { Ps, RunPlan } from './api.ts';

const NEVER = Number.POSITIVE_INFINITY;

/**
 * How far each process may run (conservative synchronisation). With the moment of every process's next
 * event known, nothing can reach process i before min over j of (next of j + shortest latency from j to i);
 * j = i counts with its shortest cycle. An idle span is jumped at once because the bound starts from the
 * earliest event anywhere, not from the clocks.
 */
export class TimeBounds {
  readonly processes: readonly string[];
  readonly #distancePs: Float64Array;

  /** `processOf` names the process of a service. Throws when a channel has no latency. */
  constructor(plan: RunPlan, processOf: (service: string) => string) {
    const coreProcess = new Map(plan.cores.map((core) => [core.id, processOf(core.service)]));
    this.processes = [...new Set(coreProcess.values())].sort();
    const n = this.processes.length;
    const distance = new Float64Array(n * n).fill(NEVER);
    for (const channel of plan.channels) {
      const a = this.processes.indexOf(coreProcess.get(channel.a.core) as string);
      const b = this.processes.indexOf(coreProcess.get(channel.b.core) as string);
      if (a === b) continue;
      if (!(channel.latencyPs.ab > 0) || !(channel.latencyPs.ba > 0)) {
        throw new Error(
          `channel ${channel.id} joins two processes without latency: virtual time could not advance`,
        );
      }
      distance[a * n + b] = Math.min(distance[a * n + b], channel.latencyPs.ab);
      distance[b * n + a] = Math.min(distance[b * n + a], channel.latencyPs.ba);
    }
    for (let via = 0; via < n; via++) {
      for (let from = 0; from < n; from++) {
        for (let to = 0; to < n; to++) {
          const sum = distance[from * n + via] + distance[via * n + to];
          if (sum < distance[from * n + to]) distance[from * n + to] = sum;
        }
      }
    }
    this.#distancePs = distance;
  }

  /** Bound of process `to`: it may execute runs that start before it. `nextPs` is in the order of `processes`. */
  bound(to: number, nextPs: ArrayLike<number>): Ps {
    const n = this.processes.length;
    let at = NEVER;
    for (let from = 0; from < n; from++) {
      const sum = nextPs[from] + this.#distancePs[from * n + to];
      if (sum < at) at = sum;
    }
    return at;
  }

  /** Shortest latency from one process to another, Infinity when nothing can travel. */
  distancePs(from: number, to: number): Ps {
    return this.#distancePs[from * this.processes.length + to];
  }
}
