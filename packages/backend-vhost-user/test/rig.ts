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
} from '@vhostlab/backend-sdk/test-kit';
import {
  type NicCoreConfig,
  type NicCoreResult,
  nicCoreModule,
  type StageCoreConfig,
  type StageCoreResult,
  stageCoreModule,
  switchCoreModule,
} from '@vhostlab/datapath/test-kit';
import type { ComponentPlan, ModuleRegistry, RealCoreStatistics } from '@vhostlab/engine';
import { vhostUserPlugin } from '../src/index.ts';

export const START_PS = 100_000_000;

export const SPLIT = ['VERSION_1', 'EVENT_IDX', 'INDIRECT_DESC'];
export const PACKED = [...SPLIT, 'RING_PACKED'];

/** What a test changes of a run: one guest, one NIC, wire and guest joined by flows both ways. */
export interface RigOptions {
  guests?: Partial<GuestCoreConfig>[];
  nic?: Partial<NicCoreConfig>;
  outputs?: { from: number; to: number[] }[];
  copyMode?: boolean;
  stride?: number;
}

export function guestConfig(guest: number, part: Partial<GuestCoreConfig> = {}): GuestCoreConfig {
  return {
    guest,
    pair: 0,
    format: 'split',
    size: 64,
    features: part.format === 'packed' ? PACKED : SPLIT,
    interrupts: false,
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

function scenario(
  guests: readonly GuestCoreConfig[],
  execution: ScenarioConfig['execution'],
): ScenarioConfig {
  return {
    backend: 'vhost-user',
    workload: 'pvp',
    guests: guests.length,
    queues: 1,
    ring: 'split',
    ringSize: 64,
    pages: '4K',
    execution,
    guest: 'poll',
    offloads: { csum: false, tso: false, mrg: true },
    nic: { pcie: 'gen4x16', rateGbps: 25 },
    flows: [],
    traffic: { kind: 'udp', packets: 1, size: '64', flows: 1, rate: 'line', lineBps: 25e9, seed: 1 } as never,
    faults: [],
    seed: 1,
  };
}

/** NIC and switch for tests around one PMD core. */
function peers(nic: Partial<NicCoreConfig>, outputs: { from: number; to: number[] }[]): ComponentPlan {
  const core = 'host.pmd0';
  const window = `rings.${core}`;
  const end = `nicq.${core}`;
  const config: NicCoreConfig = {
    end,
    window,
    frames: 0,
    lengths: [60],
    startPs: START_PS,
    gapPs: 200_000,
    ...nic,
  };
  return {
    cores: [
      { id: 'nic0', service: 'nic', module: 'test/nic', config, mode: 'hardware', account: 'none' },
      {
        id: 'switch.handler',
        service: 'switch',
        module: 'test/switch',
        config: { ends: [`upcall.${core}`], outputs },
        mode: 'wait',
        account: 'host',
      },
    ],
    windows: [],
    ends: [
      { channel: end, kind: 'memory', side: 'b', core: 'nic0', end, latency: 'dma', window },
      {
        channel: `upcall.${core}`,
        kind: 'control',
        side: 'b',
        core: 'switch.handler',
        end: `upcall.${core}`,
        latency: 'netlink',
      },
    ],
  };
}

/** A run and what its ends saw. */
export interface RigOutcome extends TestOutcome {
  nic: NicCoreResult;
  guests: GuestCoreResult[];
}

const MODULES: ModuleRegistry = new Map([
  ...vhostUserPlugin.modules,
  ['test/guest', guestCoreModule],
  ['test/nic', nicCoreModule],
  ['test/switch', switchCoreModule],
]);

/** The vhost-user back end, run to completion, between test peers. */
function components(options: RigOptions): ComponentPlan[] {
  const guests = (options.guests ?? [{}]).map((part, guest) => guestConfig(guest, part));
  const outputs = options.outputs ?? [
    { from: 1, to: [10] },
    { from: 10, to: [1] },
  ];
  return [
    ...guests.map(guestComponent),
    vhostUserPlugin.plan(scenario(guests, 'rtc')),
    peers(options.nic ?? {}, outputs),
  ];
}

/** What the ends of a run saw. */
function seen(
  options: RigOptions,
  outcome: { core(id: string): { results: Record<string, unknown> } },
): Pick<RigOutcome, 'nic' | 'guests'> {
  return {
    nic: outcome.core('nic0').results.nic as NicCoreResult,
    guests: (options.guests ?? [{}]).map(
      (_, guest) => outcome.core(`guest${guest}.vcpu0`).results.guest as GuestCoreResult,
    ),
  };
}

/** Runs them in virtual time. */
export function runRig(options: RigOptions): RigOutcome {
  const { copyMode = false, stride = 1 } = options;
  const outcome = runComponents(components(options), MODULES, { copyMode, stride });
  return { ...outcome, ...seen(options, outcome) };
}

/** Runs them on one thread of the real clock. */
export function runRigReal(
  options: RigOptions,
): CoreOutcome<RealCoreStatistics> & Pick<RigOutcome, 'nic' | 'guests'> {
  const outcome = runComponentsReal(components(options), MODULES);
  return { ...outcome, ...seen(options, outcome) };
}

/** Runs the vhost core of a pipeline between test guests and a core that stands for the switching one. */
export function runPipeline(
  parts: readonly Partial<GuestCoreConfig>[],
  stage: Partial<StageCoreConfig>,
  copyMode = false,
): TestOutcome & { stage: StageCoreResult; guests: GuestCoreResult[] } {
  const guests = parts.map((part, guest) => guestConfig(guest, part));
  const core = 'switch.lcore0';
  const config: StageCoreConfig = {
    end: 'stage',
    ports: [10],
    frames: 0,
    lengths: [60],
    startPs: START_PS,
    gapPs: 200_000,
    busyUntilPs: 0,
    ...stage,
  };
  const switching: ComponentPlan = {
    cores: [{ id: core, service: 'switch', module: 'test/stage', config, mode: 'hardware', account: 'none' }],
    windows: [],
    ends: [{ channel: 'stage.0', kind: 'link', side: 'b', core, end: 'stage', latency: 'ring' }],
  };
  const outcome = runComponents(
    [...guests.map(guestComponent), vhostUserPlugin.plan(scenario(guests, 'pipeline')), switching],
    new Map([
      ...vhostUserPlugin.modules,
      ['test/guest', guestCoreModule] as const,
      ['test/stage', stageCoreModule] as const,
    ]),
    { copyMode },
  );
  return {
    ...outcome,
    stage: outcome.core(core).results.stage as StageCoreResult,
    guests: guests.map(({ guest }) => outcome.core(`guest${guest}.vcpu0`).results.guest as GuestCoreResult),
  };
}
