import type { ComponentPlan, EndPlan } from '@vhostlab/engine';
import { FeatureSet } from '@vhostlab/virtio-net';
import type { Offloads, ScenarioConfig, TrafficSpec } from '@vhostlab/workload';
import { planNic } from '../src/index.ts';
import { GUEST_BYTES, type GuestConfig, ringPlace } from './guest-core.ts';
import type { HandlerConfig, VmmConfig } from './small-cores.ts';

/** A run of the NIC with test guests, each with one queue pair. */
export interface VirtioSetup {
  backend: 'vfio' | 'vdpa';
  workload: ScenarioConfig['workload'];
  traffic: TrafficSpec;
  guests?: Partial<GuestConfig>[];
  offloads?: Partial<Offloads>;
  handler?: Partial<HandlerConfig>;
  pcie?: ScenarioConfig['nic']['pcie'];
  rateGbps?: number;
  /** Ranges of guest memory that the device may use; default all. */
  maps?: { iova: number; bytes: number }[];
  pauses?: VmmConfig['pauses'];
}

/** Components of a run: nic, guests, their host parts and a switch service. */
export function virtioPlan(setup: VirtioSetup): ComponentPlan[] {
  const guests = setup.guests ?? [{}];
  const config: ScenarioConfig = {
    backend: setup.backend,
    workload: setup.workload,
    guests: guests.length,
    queues: 1,
    ring: 'split',
    ringSize: 256,
    pages: '4K',
    execution: 'rtc',
    guest: 'poll',
    offloads: { csum: false, tso: false, mrg: false, ...setup.offloads },
    nic: { pcie: setup.pcie ?? 'gen4x16', rateGbps: setup.rateGbps ?? 25 },
    flows: [],
    traffic: setup.traffic,
    faults: [],
    seed: 1,
  };
  const part: ComponentPlan = { cores: [], windows: [], ends: [] };
  for (const [g, own] of guests.entries()) addGuest(part, setup, own, g);
  const v2v = setup.workload === 'v2v';
  const handler: HandlerConfig = {
    actions: v2v
      ? { 10: [{ type: 'output', port: 11 }], 11: [{ type: 'output', port: 10 }] }
      : { 1: [{ type: 'output', port: 10 }], 10: [{ type: 'output', port: 1 }] },
    exact: false,
    ...setup.handler,
  };
  part.cores.push({
    id: 'switch.handler',
    service: 'switch',
    module: 'test/handler',
    config: handler,
    mode: 'wait',
    account: 'host',
  });
  part.ends.push({
    channel: 'upcall.nic0',
    kind: 'control',
    side: 'b',
    core: 'switch.handler',
    end: 'upcall',
    latency: 'netlink',
  });
  return [planNic(config), part];
}

function addGuest(part: ComponentPlan, setup: VirtioSetup, own: Partial<GuestConfig>, g: number): void {
  const config: GuestConfig = {
    guest: g,
    size: 256,
    features: ['VERSION_1', 'ACCESS_PLATFORM', 'EVENT_IDX'],
    frames: [],
    count: 0,
    forwards: false,
    interrupts: false,
    rxBufferBytes: 2048,
    ...(setup.backend === 'vdpa' ? { readyAtPs: 900_000_000 } : {}),
    ...own,
  };
  const core = `guest${g}.vcpu0`;
  const mode = config.interrupts ? ('wait' as const) : ('poll' as const);
  part.cores.push({ id: core, service: 'guest', module: 'test/guest', config, mode, account: 'guest' });
  part.windows.push({ id: `guest${g}`, owner: 'guest', bytes: GUEST_BYTES });
  const memory = (channel: string, end: string, queueSizes: number[]): EndPlan => ({
    channel,
    kind: 'memory',
    side: 'a',
    core,
    end,
    latency: 'dma',
    window: `guest${g}`,
    queueSizes,
  });
  part.ends.push(memory(`vq.${g}.0`, 'vq', [config.size, config.size]));
  const host = setup.backend === 'vfio' ? `host.vfio${g}` : `host.vdpa${g}`;
  part.cores.push({
    id: host,
    service: 'backend',
    module: setup.backend === 'vfio' ? 'test/vfio' : 'test/vmm',
    config:
      setup.backend === 'vfio'
        ? { guest: g, maps: setup.maps ?? [{ iova: 0, bytes: GUEST_BYTES }] }
        : vmmConfig(config, setup),
    mode: 'wait',
    account: 'host',
  });
  part.ends.push({
    channel: `${setup.backend}.${g}`,
    kind: 'control',
    side: 'a',
    core: host,
    end: 'nic',
    latency: 'syscall',
  });
  if (setup.backend === 'vfio') part.ends.push(memory(`pci.${g}`, 'pci', [64]));
}

function vmmConfig(config: GuestConfig, setup: VirtioSetup): VmmConfig {
  const features = FeatureSet.of(...config.features);
  const packed = features.has('RING_PACKED');
  return {
    guest: config.guest,
    bytes: GUEST_BYTES,
    features: features.toBigInt().toString(),
    rings: [0, 1].map((index) => ({
      index,
      num: config.size,
      ...ringPlace(index, config.size, packed, features.has('EVENT_IDX')),
      base: packed ? 0x8000 : 0,
    })),
    pauses: setup.pauses ?? [],
  };
}

/** Synthetic traffic of 25G. */
export function traffic(packets: number, more: Partial<TrafficSpec> = {}): TrafficSpec {
  return { kind: 'udp', packets, size: '64', flows: 1, lineBps: 25e9, seed: 1, ...more };
}
