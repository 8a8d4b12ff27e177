import type { ScenarioConfig } from '@vhostlab/backend-sdk';
import {
  type CoreOutcome,
  type GuestCoreConfig,
  type GuestCoreResult,
  guestComponent,
  guestCoreModule,
  runComponents,
  runComponentsReal,
  type TestOutcome,
  testProfile,
} from '@vhostlab/backend-sdk/test-kit';
import {
  hex,
  type NicCoreResult,
  nicCoreModule,
  switchCoreModule,
  testFrame,
} from '@vhostlab/datapath/test-kit';
import type {
  CompiledProfile,
  ComponentPlan,
  CoreModule,
  CorePlan,
  EndPlan,
  ModuleRegistry,
  RealCoreStatistics,
} from '@vhostlab/engine';
import { expect } from 'vitest';
import { vhostNetPlugin } from '../src/index.ts';
import { type InterruptNicConfig, interruptNicModule } from './interrupt-nic.ts';

export const START_PS = 100_000_000;
export const FEATURES = ['VERSION_1', 'EVENT_IDX', 'INDIRECT_DESC'];

/** A guest's part: everything may be left out. */
export type GuestPart = Partial<Omit<GuestCoreConfig, 'send' | 'receive'>> & {
  send?: Partial<GuestCoreConfig['send']>;
  receive?: Partial<GuestCoreConfig['receive']>;
};

/** What a test changes of a run: one interrupt-driven guest, the wire, flows both ways. */
export interface RigOptions {
  guests?: GuestPart[];
  wire?: Partial<InterruptNicConfig>;
  outputs?: { from: number; to: number[] }[];
  constants?: Record<string, number>;
  copyMode?: boolean;
  workload?: 'pvp' | 'v2v';
}

/** The configuration of a test guest. */
export function guestConfig(guest: number, part: GuestPart): GuestCoreConfig {
  return {
    guest,
    pair: 0,
    format: 'split',
    size: 64,
    features: FEATURES,
    interrupts: true,
    breaksRing: false,
    ...part,
    send: {
      frames: 0,
      lengths: [60],
      startPs: START_PS,
      gapPs: 200_000,
      shape: 'single',
      faults: [],
      ...part.send,
    },
    receive: { bufferBytes: 2048, segments: 1, unmapped: [], ...part.receive },
  };
}

/** A scenario of small frames. */
export function scenario(part: Partial<ScenarioConfig> = {}): ScenarioConfig {
  return {
    backend: 'vhost-net',
    workload: 'pvp',
    guests: 1,
    queues: 1,
    ring: 'split',
    ringSize: 64,
    pages: '4K',
    execution: 'rtc',
    guest: 'interrupt',
    offloads: { csum: false, tso: false, mrg: true },
    nic: { pcie: 'gen4x16', rateGbps: 25 },
    flows: [],
    traffic: { kind: 'udp', packets: 1, size: '64', lineBps: 25e9, seed: 1 },
    faults: [],
    seed: 1,
    ...part,
  };
}

/** NIC queues and switch around the cores of a plan: a transmit queue per worker, a receive queue per softirq core. */
function peers(
  plan: ComponentPlan,
  wire: Partial<InterruptNicConfig>,
  outputs: RigOptions['outputs'],
): ComponentPlan {
  const cores: CorePlan[] = [];
  const ends: EndPlan[] = [];
  for (const { channel, core } of plan.ends.filter(({ end }) => end === 'nic')) {
    const window = `rings.${core}`;
    const receives = core.startsWith('host.softirq');
    const own = { end: channel, window, frames: 0, lengths: [60], startPs: START_PS };
    cores.push({
      id: `nic.${core}`,
      service: 'nic',
      module: receives ? 'test/interrupt-nic' : 'test/nic',
      config: receives ? { ...own, gapsPs: [200_000], ...wire } : { ...own, gapPs: 1 },
      mode: 'hardware',
      account: 'none',
    });
    ends.push({
      channel,
      kind: 'memory',
      side: 'b',
      core: `nic.${core}`,
      end: channel,
      latency: 'dma',
      window,
    });
  }
  const upcalls = plan.ends.filter(({ end }) => end === 'switch').map(({ channel }) => channel);
  const handler = 'switch.handler';
  cores.push({
    id: handler,
    service: 'switch',
    module: 'test/switch',
    config: { ends: upcalls, outputs },
    mode: 'wait',
    account: 'host',
  });
  for (const channel of upcalls) {
    ends.push({ channel, kind: 'control', side: 'b', core: handler, end: channel, latency: 'netlink' });
  }
  return { cores, windows: [], ends };
}

/** A run and what its ends saw. */
export interface RigOutcome extends TestOutcome {
  /** Frames on the wire, of the worker of guest 0. */
  sent: NicCoreResult['sent'];
  guests: GuestCoreResult[];
}

/** The vhost-net back end between test peers: components, their modules, constants. */
function rig(options: RigOptions): [ComponentPlan[], ModuleRegistry, CompiledProfile] {
  const guests = (options.guests ?? [{}]).map((part, guest) => guestConfig(guest, part));
  const workload = options.workload ?? 'pvp';
  const plan = vhostNetPlugin.plan(scenario({ guests: guests.length, workload }));
  const outputs = options.outputs ?? [
    { from: 1, to: [10] },
    { from: 10, to: [1] },
  ];
  const modules = new Map<string, CoreModule>([
    ...vhostNetPlugin.modules,
    ['test/guest', guestCoreModule],
    ['test/nic', nicCoreModule],
    ['test/interrupt-nic', interruptNicModule],
    ['test/switch', switchCoreModule],
  ]);
  const constants = {
    'tap.queueLength': 1000,
    'upcall.queueFrames': 1024,
    'vhost.txBatch': 64,
    'vhost.rxBatch': 64,
    'napi.budget': 64,
    'nic.txCompletionNs': 5000,
    ...options.constants,
  };
  const components = [...guests.map(guestComponent), plan, peers(plan, options.wire ?? {}, outputs)];
  return [components, modules, testProfile(constants)];
}

/** What the ends of a run saw. */
function seen(
  options: RigOptions,
  cores: readonly { id: string; results: Record<string, unknown> }[],
): Pick<RigOutcome, 'sent' | 'guests'> {
  const results = (id: string) => cores.find((core) => core.id === id)?.results;
  return {
    sent: (results('nic.host.vhost0.0')?.nic as NicCoreResult | undefined)?.sent ?? [],
    guests: (options.guests ?? [{}]).map(
      (_, guest) => results(`guest${guest}.vcpu0`)?.guest as GuestCoreResult,
    ),
  };
}

/** Runs them in virtual time. */
export function runRig(options: RigOptions): RigOutcome {
  const [components, modules, profile] = rig(options);
  const outcome = runComponents(components, modules, { copyMode: options.copyMode ?? false, profile });
  return { ...outcome, ...seen(options, outcome.cores) };
}

/** Runs them on one thread of the real clock. */
export function runRigReal(
  options: RigOptions,
): CoreOutcome<RealCoreStatistics> & Pick<RigOutcome, 'sent' | 'guests'> {
  const outcome = runComponentsReal(...rig(options));
  return { ...outcome, ...seen(options, outcome.cores) };
}

/** Bytes of the first `count` test frames. */
export function frames(count: number, lengths: readonly number[]): string[] {
  return Array.from({ length: count }, (_, i) => hex(testFrame(i, lengths[i % lengths.length])));
}

/** offered = delivered + drops, over the whole run. */
export function expectAllAccounted(outcome: RigOutcome): void {
  const dropped = Object.values(outcome.drops()).reduce((sum, count) => sum + count, 0);
  expect(outcome.total('frames.offered')).toBe(outcome.total('frames.delivered') + dropped);
}
