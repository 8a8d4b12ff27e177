import type { RunPlan } from '@vhostlab/engine';

/** A way to divide the services of a run over processes. */
export interface Cut {
  /** Services that stay together. */
  processes: string[][];
  /** Shortest latency between them, the lookahead of this cut. */
  lookahead_ns: number;
  /** Coupling factor that this run would have with it. */
  lambda: number;
}

/** Whether dividing a run over processes can pay. All but the lookahead is measured. */
export interface Coupling {
  /** L·E / (τ·P); below 1 processes make the run slower. */
  lambda: number;
  /** L: shortest latency of a channel between two processes. */
  lookahead_ns: number;
  /** E: engine runs per second of virtual time, from the start of traffic. */
  events_per_virtual_second: number;
  /** P: engine runs per second that one CPU executes. */
  events_per_cpu_second: number;
  /** τ: time of one message between a process and the lab. */
  message_us: number;
  /** The cut with the longest lookahead. */
  best_cut?: Cut;
  /** What to do about it, one sentence. */
  advice: string;
}

/** What the coupling factor is made of. */
export interface CouplingFacts {
  lookaheadPs: number;
  events: number;
  /** Virtual time in which they happened. */
  spanPs: number;
  workNs: number;
  /** Mean time of one message. */
  messageNs: number;
}

/** From here on processes gain more than they lose. */
const PAYS = 10;

/**
 * The coupling factor of a run (OMNeT++ manual, "Parallel Distributed Simulation"): lambda = L·E / (τ·P), lookahead times event density
 * over message latency times event rate of a CPU. Zero where nothing was measured. With it the cut of the plan that has
 * the longest lookahead, and an advice.
 */
export function couplingOf(plan: RunPlan, facts: CouplingFacts): Coupling {
  const { lookaheadPs, events, spanPs, workNs, messageNs } = facts;
  const perVirtualSecond = spanPs > 0 ? events / (spanPs * 1e-12) : 0;
  const perCpuSecond = workNs > 0 ? events / (workNs * 1e-9) : 0;
  const measured = perCpuSecond > 0 && messageNs > 0 && Number.isFinite(lookaheadPs);
  const lambdaAt = (latencyPs: number): number =>
    measured ? (latencyPs * 1e-12 * perVirtualSecond) / (messageNs * 1e-9 * perCpuSecond) : 0;
  const lambda = lambdaAt(lookaheadPs);
  const widest = widestCut(plan);
  const best =
    widest === undefined
      ? undefined
      : {
          processes: widest.groups,
          lookahead_ns: widest.lookaheadPs / 1000,
          lambda: Number(lambdaAt(widest.lookaheadPs).toPrecision(4)),
        };
  return {
    lambda: Number(lambda.toPrecision(4)),
    lookahead_ns: Number.isFinite(lookaheadPs) ? lookaheadPs / 1000 : 0,
    events_per_virtual_second: Math.round(perVirtualSecond),
    events_per_cpu_second: Math.round(perCpuSecond),
    message_us: Number((messageNs / 1000).toPrecision(4)),
    ...(best === undefined ? {} : { best_cut: best }),
    advice: adviceOf(lambda, Number.isFinite(lookaheadPs) ? lookaheadPs / 1000 : 0, best),
  };
}

/** Groups of services that are joined by nothing shorter than the longest latency that divides them at all. */
function widestCut(plan: RunPlan): { groups: string[][]; lookaheadPs: number } | undefined {
  const serviceOf = new Map(plan.cores.map(({ id, service }) => [id, service]));
  const services = [...new Set(serviceOf.values())].sort();
  const group = new Map(services.map((service) => [service, service]));
  const find = (service: string): string => {
    let at = service;
    while (group.get(at) !== at) at = group.get(at) as string;
    return at;
  };
  const edges = plan.channels
    .map(({ a, b, latencyPs }) => ({
      a: serviceOf.get(a.core) as string,
      b: serviceOf.get(b.core) as string,
      ps: Math.min(latencyPs.ab, latencyPs.ba),
    }))
    .filter(({ a, b }) => a !== b)
    .sort((x, y) => x.ps - y.ps);
  // joins the shortest first; the join that would leave one group is the cut
  for (const { a, b, ps } of edges) {
    const [left, right] = [find(a), find(b)];
    if (left === right) continue;
    const groups = new Set(services.map(find));
    if (groups.size === 2) {
      return {
        groups: [...groups].map((root) => services.filter((service) => find(service) === root)),
        lookaheadPs: ps,
      };
    }
    group.set(right, left);
  }
  return undefined;
}

function adviceOf(lambda: number, lookaheadNs: number, best: Cut | undefined): string {
  const factor = lambda.toPrecision(2);
  if (lambda >= PAYS) return `λ = ${factor}: processes can pay here; give each a core of its own.`;
  const present =
    lambda >= 1
      ? `λ = ${factor}: processes gain little here.`
      : `λ = ${factor}, below 1: processes make this run slower, they serve placement and nothing else.`;
  if (best === undefined || best.lookahead_ns <= lookaheadNs) {
    const longer =
      lambda > 0 ? ` A link of ${duration((lookaheadNs * PAYS) / lambda)} to cut at would pay.` : '';
    return `${present} No cut of these services has a longer lookahead than ${duration(lookaheadNs)}.${longer}`;
  }
  const apart = best.processes.map((services) => services.join(' + ')).join(' apart from ');
  return `${present} Cut where latency is large: ${apart} gives ${duration(best.lookahead_ns)} of lookahead in place of ${duration(lookaheadNs)}, λ = ${best.lambda.toPrecision(2)}.`;
}

function duration(ns: number): string {
  if (ns < 1000) return `${Number(ns.toPrecision(3))} ns`;
  return ns < 1e6 ? `${Number((ns / 1e3).toPrecision(3))} µs` : `${Number((ns / 1e6).toPrecision(3))} ms`;
}
