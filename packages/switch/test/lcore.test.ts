import {
  hex,
  type NicCoreResult,
  nicCoreModule,
  runComponents,
  type StageCoreConfig,
  type StageCoreResult,
  stageCoreModule,
  type TestOutcome,
  testFrame,
} from '@vhostlab/datapath/test-kit';
import type { ComponentPlan } from '@vhostlab/engine';
import type { ScenarioConfig } from '@vhostlab/workload';
import { describe, expect, it } from 'vitest';
import { planSwitch, switchModules } from '../src/index.ts';

const START_PS = 100_000_000;
const LENGTHS = [60, 1514, 61, 590, 128];

function scenario(part: Partial<ScenarioConfig>): ScenarioConfig {
  return {
    backend: 'vhost-user',
    workload: 'pvp',
    guests: 1,
    queues: 1,
    ring: 'split',
    ringSize: 256,
    pages: '2M',
    execution: 'pipeline',
    guest: 'poll',
    offloads: { csum: false, tso: false, mrg: true },
    nic: { pcie: 'gen4x16', rateGbps: 25 },
    flows: ['in_port=1,actions=output:10', 'in_port=10,actions=output:1'],
    traffic: { kind: 'udp', packets: 1, size: '64', flows: 1, rate: 'line', lineBps: 25e9, seed: 1 },
    faults: [],
    seed: 1,
    ...part,
  };
}

/** The vhost core of the pipeline and the NIC, as the switching core's neighbours. */
function neighbours(stage: Partial<StageCoreConfig>, frames: number, gapPs: number): ComponentPlan {
  const core = 'switch.lcore0';
  const end = `nicq.${core}`;
  const nic = { end, window: `rings.${core}`, frames, lengths: LENGTHS, startPs: START_PS, gapPs };
  const own = {
    end: 'stage',
    ports: [10],
    frames: 0,
    lengths: LENGTHS,
    startPs: START_PS,
    gapPs,
    busyUntilPs: 0,
    ...stage,
  };
  return {
    cores: [
      {
        id: 'host.lcore0',
        service: 'backend',
        module: 'test/stage',
        config: own,
        mode: 'hardware',
        account: 'none',
      },
      { id: 'nic0', service: 'nic', module: 'test/nic', config: nic, mode: 'hardware', account: 'none' },
    ],
    windows: [],
    ends: [
      { channel: 'stage.0', kind: 'link', side: 'a', core: 'host.lcore0', end: 'stage', latency: 'ring' },
      {
        channel: end,
        kind: 'memory',
        side: 'b',
        core: 'nic0',
        end,
        latency: 'dma',
        window: `rings.${core}`,
      },
    ],
  };
}

function run(
  part: Partial<ScenarioConfig>,
  stage: Partial<StageCoreConfig>,
  frames: number,
  gapPs: number,
  copyMode = false,
): TestOutcome & { nic: NicCoreResult; stage: StageCoreResult } {
  const modules = new Map([
    ...switchModules,
    ['test/nic', nicCoreModule] as const,
    ['test/stage', stageCoreModule] as const,
  ]);
  const components = [planSwitch(scenario(part)), neighbours(stage, frames, gapPs)];
  const outcome = runComponents(components, modules, { copyMode });
  return {
    ...outcome,
    nic: outcome.core('nic0').results.nic as NicCoreResult,
    stage: outcome.core('host.lcore0').results.stage as StageCoreResult,
  };
}

function frames(count: number): string[] {
  return Array.from({ length: count }, (_, i) => hex(testFrame(i, LENGTHS[i % LENGTHS.length])));
}

function expectAllAccounted(outcome: TestOutcome): void {
  const dropped = Object.values(outcome.drops()).reduce((sum, count) => sum + count, 0);
  expect(outcome.total('frames.offered')).toBe(outcome.total('frames.delivered') + dropped);
}

describe('switching core of a pipeline', () => {
  it('carries frames byte for byte between the NIC and the ring, both ways', () => {
    const outcome = run({}, { frames: 200 }, 200, 400_000);
    expect(outcome.nic.sent.map(({ bytes }) => bytes)).toEqual(frames(200));
    expect(outcome.stage.map(({ bytes }) => bytes)).toEqual(frames(200));
    expect(new Set(outcome.stage.map(({ port }) => port))).toEqual(new Set([10]));
    expect(outcome.drops()).toEqual({});
    expectAllAccounted(outcome);
    const { ops } = outcome.core('switch.lcore0');
    expect(ops['switch.ring_dequeue'].count).toBe(200);
    expect(ops['switch.ring_enqueue'].count).toBe(200);
  });

  it('keeps guests apart that share the ring', () => {
    const flows = ['in_port=10,actions=output:11', 'in_port=11,actions=output:10,output:11'];
    const outcome = run(
      { workload: 'v2v', guests: 2, flows },
      { frames: 60, ports: [10, 10, 11] },
      0,
      400_000,
    );
    const byPort = (port: number) => outcome.stage.filter((frame) => frame.port === port);
    expect(byPort(11).map(({ packet }) => packet)).toEqual(
      Array.from({ length: 60 }, (_, i) => i).filter((i) => i % 3 !== 2),
    );
    expect(byPort(10).map(({ packet }) => packet)).toEqual(
      Array.from({ length: 60 }, (_, i) => i).filter((i) => i % 3 === 2),
    );
    expect(outcome.drops()).toEqual({});
  });

  it('drops what a full ring cannot take, and counts it', () => {
    const outcome = run({}, { busyUntilPs: 4e9 }, 1500, 500_000);
    expect(outcome.drops()).toEqual({ 'stage-ring-full': 1500 - 1024 });
    expect(outcome.stage.map(({ packet }) => packet)).toEqual(Array.from({ length: 1024 }, (_, i) => i));
    expectAllAccounted(outcome);
  });

  it('drops frames without a flow', () => {
    const outcome = run({ flows: ['in_port=1,actions=output:10'] }, { frames: 30 }, 30, 400_000);
    expect(outcome.drops()).toEqual({ 'flow-action': 30 });
    expectAllAccounted(outcome);
  });

  it('gives the same figures and events with replicas of the memory', () => {
    const shared = run({}, { frames: 120 }, 120, 300_000);
    const copied = run({}, { frames: 120 }, 120, 300_000, true);
    expect(copied.cores).toEqual(shared.cores);
    expect(Buffer.compare(copied.log, shared.log)).toBe(0);
  });
});
