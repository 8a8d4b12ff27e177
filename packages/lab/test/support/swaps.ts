import type { CoreStatistics } from '@vhostlab/engine';
import type { BackendName, Offloads, OrderReport, ScenarioConfig } from '@vhostlab/workload';
import { expect } from 'vitest';
import { orderOf } from '../../src/compare/migration-outcome.ts';
import { type Swap, swapOutcome } from '../../src/compare/swap-outcome.ts';
import { planOf, runPlan } from './planned.ts';

export const OFFLOADS: Offloads = { csum: true, tso: true, mrg: true };
export const NO_OFFLOADS: Offloads = { csum: false, tso: false, mrg: true };

/** What a scenario of a test differs in. */
export interface SwapSettings {
  workload?: ScenarioConfig['workload'];
  guest?: ScenarioConfig['guest'];
  ring?: ScenarioConfig['ring'];
  queues?: number;
  execution?: ScenarioConfig['execution'];
  offloads?: Offloads;
  toOffloads?: Offloads;
  packets?: number;
  rate?: string;
  /** Between two swaps, and from the start of traffic to the first one. */
  everyPs?: number;
}

/** A guest that is on `from` and goes to each of `to`, a millisecond apart. */
export function swapScenario(
  from: BackendName,
  to: readonly BackendName[],
  settings: SwapSettings,
): ScenarioConfig {
  const { workload = 'pvp', offloads = NO_OFFLOADS, packets = 1000, rate = '400kpps' } = settings;
  const { everyPs = 800_000_000, toOffloads = offloads } = settings;
  const isStream = workload === 'stream';
  return {
    backend: from,
    workload,
    guests: 1,
    queues: settings.queues ?? 1,
    ring: settings.ring ?? 'split',
    ringSize: 256,
    pages: '2M',
    execution: settings.execution ?? 'rtc',
    guest: settings.guest ?? 'poll',
    offloads,
    nic: { pcie: 'gen4x16', rateGbps: 25 },
    flows: ['in_port=1,actions=output:10', 'in_port=10,actions=output:1'],
    traffic: isStream
      ? {
          kind: 'tcp-stream',
          packets,
          flows: 2,
          rate,
          gso: offloads.tso,
          checksumOffload: offloads.csum,
          lineBps: 25e9,
          seed: 1,
        }
      : { kind: 'udp', packets, size: '64', flows: 8, rate, lineBps: 25e9, seed: 1 },
    faults: [],
    events: to.map((name, i) => ({
      kind: 'swap',
      atPs: everyPs * (i + 1),
      guest: 0,
      to: name,
      offloads: toOffloads,
    })),
    seed: 1,
  };
}

/** What a run of such a scenario came to. */
export interface SwapRun {
  hash: string;
  offered: number;
  delivered: number;
  drops: Record<string, number>;
  order: OrderReport;
  /** Of the sinks' queues. */
  hashes: string[];
  changes: Swap[];
  resubmitted: number;
  /** What the driver negotiated last. */
  setup: { features: string[]; resets?: number };
  cores: CoreStatistics[];
}

/** Runs a scenario; `skips`: steps that every swap leaves out. */
export function swapRun(config: ScenarioConfig, skips?: readonly ('drain' | 'bases')[]): SwapRun {
  const plan = planOf(config);
  if (skips !== undefined) {
    const vmm = plan.cores.find(({ id }) => id === 'guest0.vmm')?.config as { swaps: { skips?: unknown }[] };
    for (const swap of vmm.swaps) swap.skips = skips;
  }
  const { cores, hash } = runPlan(plan);
  const sum = (name: string) => cores.reduce((total, { counters }) => total + (counters[name] ?? 0), 0);
  const drops: Record<string, number> = {};
  for (const { counters } of cores) {
    for (const [name, count] of Object.entries(counters)) {
      if (name.startsWith('drop.') && count > 0) drops[name.slice(5)] = (drops[name.slice(5)] ?? 0) + count;
    }
  }
  const { changes = [] } = swapOutcome({ config, cores, plan }, drops) ?? {};
  const sinks = cores.flatMap(({ results }) => {
    const sink = results.sink as { queues: { sha256: string; frames: number }[] } | undefined;
    return sink?.queues ?? [];
  });
  return {
    hash,
    offered: sum('frames.offered'),
    delivered: sum('frames.delivered'),
    drops,
    order: orderOf(cores),
    hashes: sinks.filter(({ frames }) => frames > 0).map(({ sha256 }) => sha256),
    changes,
    resubmitted: changes.reduce((total, change) => total + change.resubmitted, 0),
    setup: cores.find(({ id }) => id === 'guest0.vcpu0')?.results.setup as SwapRun['setup'],
    cores,
  };
}

/** Back ends among which a device is carried. */
export const MOVABLE = ['vhost-net', 'vhost-user', 'vdpa'] as const;

/** They in every order. */
export const PAIRS = MOVABLE.flatMap((from) =>
  MOVABLE.filter((to) => to !== from).map((to) => ({ from, to })),
);

/** Bytes that a run without a swap delivers: they are the same on every back end. */
const references = new Map<string, string[]>();

function referenceOf({ events: _, ...config }: ScenarioConfig): string[] {
  const { workload, queues, traffic } = config;
  const name = JSON.stringify([workload, queues, traffic]);
  const known = references.get(name) ?? swapRun(config).hashes;
  references.set(name, known);
  return known;
}

/** Runs a scenario that may lose, double or reorder nothing, and delivers the same bytes as without a swap. */
export function expectUnharmed(config: ScenarioConfig): SwapRun {
  const run = swapRun(config);
  expect(run.offered).toBeGreaterThan(0);
  expect(run.delivered).toBe(run.offered);
  expect(run.drops).toEqual({});
  expect(run.order).toEqual({ duplicated: 0, reordered: 0 });
  expect(run.hashes).toEqual(referenceOf(config));
  return run;
}
