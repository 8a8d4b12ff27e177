import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { compileCostProfile, parseCostProfile } from '@vhostlab/cost-profile';
import {
  assemble,
  type CoreModule,
  type CoreStatistics,
  type LatencyClass,
  type RunPlan,
  VirtualRuntime,
} from '@vhostlab/engine';
import { createArena } from '@vhostlab/memory';
import { mergeLog } from '@vhostlab/trace';
import type { ScenarioConfig } from '@vhostlab/workload';
import { arenaBytes } from '../../src/run/process-runtime.ts';
import { ROLES, SERVICES } from '../../src/services/registry.ts';

const PROFILE = new URL('../profiles/reference.yaml', import.meta.resolve('@vhostlab/cost-profile'));
const profile = compileCostProfile(parseCostProfile(readFileSync(PROFILE, 'utf8'), 'reference.yaml'));

const modules = new Map<string, CoreModule>();
for (const role of ROLES) for (const [name, module] of SERVICES[role].modules) modules.set(name, module);

function constant(name: string): number {
  const value = profile.constants.get(name);
  if (value === undefined) throw new Error(`the profile has no ${name}`);
  return value;
}

/** What the four services make of a scenario, joined as a lab joins it, without the lab. */
export function planOf(config: ScenarioConfig, stride = 0): RunPlan {
  const latencyPs = (latency: LatencyClass, direction: 'ab' | 'ba') =>
    Math.round(constant(`latency.${latency}.${direction}Ns`) * 1000);
  return assemble(
    ROLES.map((role) => SERVICES[role].definition.plan(config)),
    latencyPs,
    {
      seed: config.seed,
      sampling: { stride },
      accountFromPs: constant('run.trafficStartNs') * 1000,
      copyMode: false,
    },
  );
}

/** What a run in one process counted, and the hash of its event log. */
export interface Planned {
  cores: CoreStatistics[];
  hash: string;
}

/** Runs a plan in this process until nothing is left to do. */
export function runPlan(plan: RunPlan): Planned {
  const services = [...new Set(plan.cores.map(({ service }) => service))];
  const chunks: Uint8Array[] = [];
  const runtime = new VirtualRuntime({
    plan,
    services,
    modules,
    arena: createArena(arenaBytes(plan, services)),
    profile,
    logSink: (chunk) => void chunks.push(chunk.slice()),
  });
  if (runtime.runUntil(Number.POSITIVE_INFINITY, 20_000_000)) throw new Error('the run does not end');
  runtime.log.flush();
  const hash = createHash('sha256');
  mergeLog([{ name: 'run', parts: [{ strings: runtime.log.strings, chunks: () => chunks }] }], (bytes) =>
    hash.update(bytes),
  );
  return { cores: runtime.statistics(), hash: hash.digest('hex') };
}
