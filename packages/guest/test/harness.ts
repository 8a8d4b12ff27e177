import {
  assemble,
  type CompiledProfile,
  type ComponentPlan,
  type CoreStatistics,
  OPS,
  type RunPlan,
  VirtualRuntime,
} from '@vhostlab/engine';
import { createArena } from '@vhostlab/memory';
import type { ScenarioConfig, TrafficSpec } from '@vhostlab/workload';
import { guestModules, planGuest } from '../src/index.ts';
import { type DeviceConfig, type DeviceResult, miniDevice } from './mini-device.ts';

const START_NS = 20_000_000;

/** Costs for tests: 10 ns an operation, 0.05 ns a byte, and the constants that a guest asks for. */
export const testProfile: CompiledProfile = {
  name: 'test',
  fixedPs: new Float64Array(OPS.length).fill(10_000),
  perBytePs: new Float64Array(OPS.length).fill(50),
  constants: new Map([
    ['run.trafficStartNs', START_NS],
    ['run.learningNs', 0],
    ['guest.bootNs', 1_000_000],
    ['guest.burst', 32],
    ['guest.txBatch', 16],
    ['napi.budget', 64],
    ['kvm.postedInterrupts', 1],
    ['vdpa.doorbellMapped', 1],
    ['tlb.l1Entries4K', 64],
    ['tlb.l1Entries2M', 32],
    ['tlb.l1Entries1G', 4],
    ['tlb.l2Entries', 1536],
    ['tlb.l2Entries1G', 16],
  ]),
};

export const ALL_FEATURES = [
  'VERSION_1',
  'EVENT_IDX',
  'INDIRECT_DESC',
  'IN_ORDER',
  'RING_PACKED',
  'MRG_RXBUF',
  'CSUM',
  'GUEST_CSUM',
  'HOST_TSO4',
  'HOST_TSO6',
  'GUEST_TSO4',
  'GUEST_TSO6',
];

export function traffic(packets: number, more: Partial<TrafficSpec> = {}): TrafficSpec {
  return { kind: 'udp', packets, size: '64', rate: 'unpaced', flows: 8, lineBps: 25e9, seed: 1, ...more };
}

export function scenario(more: Partial<ScenarioConfig> = {}): ScenarioConfig {
  return {
    backend: 'vhost-user',
    workload: 'tx',
    guests: 1,
    queues: 1,
    ring: 'split',
    ringSize: 256,
    pages: '2M',
    execution: 'rtc',
    guest: 'poll',
    offloads: { csum: true, tso: true, mrg: true },
    nic: { pcie: 'gen3x16', rateGbps: 25 },
    flows: [],
    traffic: traffic(2000),
    faults: [],
    seed: 1,
    ...more,
  };
}

export interface RunOptions {
  device?: Partial<DeviceConfig>;
  copyMode?: boolean;
  stride?: number;
  profile?: CompiledProfile;
}

export interface Outcome {
  statistics: CoreStatistics[];
  log: Uint8Array;
  strings: string[];
  plan: RunPlan;
  core(id: string): CoreStatistics;
  device(q: number): DeviceResult;
  sum(counter: string): number;
}

/** The device cores of a scenario in the place of a back end. */
export function planDevices(config: ScenarioConfig, device: Partial<DeviceConfig>): ComponentPlan {
  const plan: ComponentPlan = { cores: [], windows: [], ends: [] };
  const latency = config.backend === 'vdpa' ? 'dma' : 'coherent';
  for (let g = 0; g < config.guests; g++) {
    for (let q = 0; q < config.queues; q++) {
      const core = `device${g}.${q}`;
      const settings: DeviceConfig = {
        guest: g,
        queue: q,
        queues: config.queues,
        offers: ALL_FEATURES,
        polls: true,
        ...device,
      };
      plan.cores.push({
        id: core,
        service: 'backend',
        module: 'test/device',
        config: settings,
        mode: settings.polls ? 'poll' : 'wait',
        account: 'host',
        ...(settings.polls ? {} : { wakeOp: 'vhost.wakeup' }),
      });
      plan.ends.push(
        { channel: `vq.${g}.${q}`, kind: 'memory', side: 'b', core, end: 'vq', latency },
        { channel: `vhost.${g}.${q}`, kind: 'control', side: 'b', core, end: 'vhost', latency: 'syscall' },
      );
    }
  }
  return plan;
}

/** Runs a scenario against mini devices until nothing is left to do. */
export function run(config: ScenarioConfig, options: RunOptions = {}): Outcome {
  const latency = { coherent: 60_000, register: 300_000, syscall: 2_000_000, ipi: 1_200_000, dma: 250_000 };
  const plan = assemble(
    [planGuest(config), planDevices(config, options.device ?? {})],
    (name) => latency[name as keyof typeof latency] ?? 100_000,
    {
      seed: config.seed,
      sampling: { stride: options.stride ?? 0 },
      accountFromPs: START_NS * 1000,
      copyMode: options.copyMode ?? false,
    },
  );
  const chunks: Uint8Array[] = [];
  const runtime = new VirtualRuntime({
    plan,
    services: ['guest', 'backend'],
    modules: new Map([...guestModules, ['test/device', miniDevice]]),
    arena: createArena(plan.windows.reduce((sum, { bytes }) => sum + 2 * bytes, 64 << 20)),
    profile: options.profile ?? testProfile,
    ...(options.stride === undefined
      ? {}
      : { logSink: (chunk: Uint8Array) => void chunks.push(chunk.slice()) }),
  });
  if (runtime.runUntil(Number.POSITIVE_INFINITY, 20_000_000)) throw new Error('the run does not end');
  const statistics = runtime.statistics();
  runtime.log.flush();
  const core = (id: string) => {
    const found = statistics.find((candidate) => candidate.id === id);
    if (found === undefined) throw new Error(`no core ${id}`);
    return found;
  };
  return {
    statistics,
    plan,
    log: Buffer.concat(chunks),
    strings: runtime.log.strings,
    core,
    device: (q) => core(`device0.${q}`).results.device as DeviceResult,
    sum: (counter) => statistics.reduce((total, { counters }) => total + (counters[counter] ?? 0), 0),
  };
}
