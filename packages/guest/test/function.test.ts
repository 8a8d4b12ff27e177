import {
  assemble,
  type ComponentPlan,
  type CoreContext,
  type CoreModule,
  type CoreStatistics,
  VirtualRuntime,
} from '@vhostlab/engine';
import { createArena } from '@vhostlab/memory';
import { FeatureSet, NET_CONFIG, NetConfig, STATUS_DRIVER_OK, VirtioPciDevice } from '@vhostlab/virtio-net';
import { guestLayout, type ScenarioConfig } from '@vhostlab/workload';
import { describe, expect, it } from 'vitest';
import { guestModules, planGuest } from '../src/index.ts';
import { ALL_FEATURES, scenario, testProfile, traffic } from './harness.ts';
import { type DeviceConfig, type DeviceResult, MiniDevice } from './mini-device.ts';
import { referenceOf } from './reference.ts';

/** A passed-through PCI function of one queue pair: registers and rings on one core. */
interface FunctionConfig {
  device: DeviceConfig;
  bytes: number;
  maxQueueSize: number;
}

const miniFunction: CoreModule = {
  create(context: CoreContext, { device: config, bytes, maxQueueSize }: FunctionConfig): void {
    const rings = new MiniDevice(context, config);
    const device = new VirtioPciDevice({
      offers: FeatureSet.fromNames([...ALL_FEATURES, 'MAC', 'STATUS', 'ACCESS_PLATFORM']),
      queues: 2,
      maxQueueSize,
      config: new NetConfig({ mac: [2, 0, 0, 0, 0, 1] }),
      configBytes: NET_CONFIG.$size,
      onStatus: (status) => {
        if ((status & STATUS_DRIVER_OK) !== 0) rings.attach(device.features, bytes, device.queues);
      },
    });
    context.memory('pci0').onRegister(device);
    context.onCollect('registers', () => ({ faults: device.faults, status: device.status }));
    context.addTask(rings);
  },
};

function runFunction(config: ScenarioConfig, maxQueueSize = 256): (id: string) => CoreStatistics {
  const device: DeviceConfig = {
    guest: 0,
    queue: 0,
    queues: 1,
    offers: [],
    polls: false,
    direct: true,
    ...(config.workload === 'rx' ? { produces: config.traffic } : {}),
  };
  const settings: FunctionConfig = { device, bytes: guestLayout(config, 0).bytes, maxQueueSize };
  const nic: ComponentPlan = {
    cores: [
      {
        id: 'nic0',
        service: 'nic',
        module: 'test/function',
        config: settings,
        mode: 'wait',
        account: 'none',
      },
    ],
    windows: [],
    ends: [
      { channel: 'pci.0', kind: 'memory', side: 'b', core: 'nic0', end: 'pci0', latency: 'dma' },
      { channel: 'vq.0.0', kind: 'memory', side: 'b', core: 'nic0', end: 'vq', latency: 'dma' },
    ],
  };
  const plan = assemble([planGuest(config), nic], () => 250_000, {
    seed: 1,
    sampling: { stride: 0 },
    accountFromPs: 0,
    copyMode: true,
  });
  const runtime = new VirtualRuntime({
    plan,
    services: ['guest', 'nic'],
    modules: new Map([...guestModules, ['test/function', miniFunction]]),
    arena: createArena(128 << 20),
    profile: testProfile,
  });
  if (runtime.runUntil(Number.POSITIVE_INFINITY, 1_000_000)) throw new Error('the run does not end');
  const statistics = runtime.statistics();
  return (id) => statistics.find((core) => core.id === id) as CoreStatistics;
}

describe('a passed-through function', () => {
  for (const guest of ['poll', 'interrupt'] as const) {
    for (const ring of ['split', 'packed'] as const) {
      it(`is brought up over its own registers and rung by doorbells: ${guest}, ${ring}`, () => {
        const spec = traffic(600);
        const core = runFunction(scenario({ backend: 'vfio', guest, ring, traffic: spec }));
        const device = core('nic0').results.device as DeviceResult;
        expect(device.sha256).toBe(referenceOf(spec).sha256);
        expect(device.kicks).toBeGreaterThan(0);
        expect(core('nic0').results.registers).toEqual({
          faults: {
            unknownOffset: 0,
            wrongWidth: 0,
            status: 0,
            lateFeatures: 0,
            queueState: 0,
            queueSize: 0,
            notify: 0,
          },
          status: 15,
        });
        const { ops } = core('guest0.vcpu0');
        expect(ops['kvm.exit']).toBeUndefined();
        expect(ops['kvm.exit_mmio'].count).toBeGreaterThan(10);
        expect(ops['guest.doorbell'].count).toBeGreaterThan(device.kicks);
      });
    }
  }

  it('gets rings of the size that it allows', () => {
    const spec = traffic(600);
    const core = runFunction(scenario({ backend: 'vfio', workload: 'rx', traffic: spec }), 64);
    expect(core('guest0.vcpu0').counters['frames.delivered']).toBe(600);
  });
});
