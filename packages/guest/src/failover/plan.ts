import type { ComponentPlan, EndPlan } from '@vhostlab/engine';
import {
  type BackendInstance,
  CONTROL_SIZE,
  deviceWindow,
  eventsOf,
  FAILOVER_DEVICES,
  type FailoverDeviceName,
  type FailoverLayout,
  failoverLayout,
  roleOf,
  type ScenarioConfig,
} from '@vhostlab/workload';
import type { DoorbellKind, VcpuConfig, VmmConfig, VmmFailover, VmmInstance } from '../core-config.ts';
import type { FailoverConfig, FailoverDevice } from './failover-config.ts';

const SERVICE = 'guest';

/** What the parts of this plan are made of. */
interface Parts {
  config: ScenarioConfig;
  g: number;
  layout: FailoverLayout;
  by: Record<FailoverDeviceName, BackendInstance>;
  primary: 'emulated' | 'passed';
}

/** Adds guest `g` of a scenario that goes to or from vfio: net_failover over three devices, and their VMMs. */
export function planFailover(
  plan: ComponentPlan,
  config: ScenarioConfig,
  instances: readonly BackendInstance[],
  g: number,
): void {
  const layout = failoverLayout(config, g);
  const find = (is: (instance: BackendInstance) => boolean) => instances.find(is) as BackendInstance;
  const by = {
    emulated: find(({ backend, isStandby }) => backend !== 'vfio' && isStandby !== true),
    passed: find(({ backend }) => backend === 'vfio'),
    standby: find(({ isStandby }) => isStandby === true),
  };
  const parts: Parts = { config, g, layout, by, primary: config.backend === 'vfio' ? 'passed' : 'emulated' };
  plan.windows.push({ id: `guest${g}`, owner: SERVICE, bytes: layout.bytes });
  for (const instance of instances) {
    plan.windows.push({ id: deviceWindow(instance, g), owner: SERVICE, bytes: layout.bytes });
  }
  for (let q = 0; q < config.queues; q++) addVcpu(plan, parts, q);
  const plug = { channel: `plug.${g}`, kind: 'control', end: 'plug', latency: 'syscall' } as const;
  plan.ends.push(
    { ...plug, side: 'a', core: `guest${g}.vmm` },
    { ...plug, side: 'b', core: `guest${g}.vcpu0` },
    {
      channel: `steer.${g}`,
      kind: 'control',
      side: 'a',
      core: `guest${g}.vmm`,
      end: 'steer',
      latency: 'syscall',
    },
  );
  addVmm(plan, parts, 'emulated', `guest${g}.vmm`, {
    failover: {
      primary: parts.primary,
      swaps: eventsOf(config, 'swap').map((event) => ({
        ...event,
        instance: event.to === 'vfio' ? by.passed.index : by.emulated.index,
      })),
      instances: { emulated: by.emulated.index, passed: by.passed.index, standby: by.standby.index },
    },
  });
  addVmm(plan, parts, 'standby', `guest${g}.standby`, { isStandby: true });
}

function addVcpu(plan: ComponentPlan, parts: Parts, q: number): void {
  const { config, g, layout, by, primary } = parts;
  const { ringSize, guest } = config;
  const core = `guest${g}.vcpu${q}`;
  const devices = FAILOVER_DEVICES.map(
    (name): FailoverDevice => ({
      name,
      pci: `pci.${name}`,
      layout: layout.devices[name],
      port: portOf(parts, name, q),
    }),
  );
  const own: FailoverConfig = { queue: q, devices, primary };
  plan.cores.push({
    id: core,
    service: SERVICE,
    module: 'guest/failover',
    config: own,
    mode: guest === 'poll' ? 'poll' : 'wait',
    account: 'guest',
    ...(guest === 'poll' ? {} : { wakeOp: 'kvm.halt_wakeup' }),
  });
  for (const name of FAILOVER_DEVICES) {
    const { backend, suffix } = by[name];
    plan.ends.push({
      channel: `vq.${g}.${q}${suffix}`,
      kind: 'memory',
      side: 'a',
      core,
      end: `vq${suffix}`,
      latency: backend === 'vfio' || backend === 'vdpa' ? 'dma' : 'coherent',
      window: `guest${g}`,
      queueSizes: [ringSize, ringSize],
    });
    if (q === 0) plan.ends.push(pciEnd(parts, name, 'a', core, `pci.${name}`));
  }
  if (q > 0) {
    const ipi = { channel: `ipi.${g}.${q}`, kind: 'control', latency: 'ipi' } as const;
    plan.ends.push(
      { ...ipi, side: 'a', core: `guest${g}.vcpu0`, end: `ipi${q}` },
      { ...ipi, side: 'b', core, end: 'ipi' },
    );
  }
}

/** What the queue pair `q` of a device is configured with. */
function portOf({ config, g, layout, by }: Parts, name: FailoverDeviceName, q: number): VcpuConfig {
  const { workload, queues, ring, ringSize, pages, guest, offloads, traffic } = config;
  const role = roleOf(config, g);
  const doorbell: DoorbellKind =
    name === 'passed' ? 'mapped' : by[name].backend === 'vdpa' ? 'vdpa' : 'ioeventfd';
  return {
    guest: g,
    queue: q,
    role,
    scenario: { workload, queues, ring, ringSize, pages, guest, offloads, traffic },
    window: `guest${g}`,
    pair: layout.devices[name].pairs[q],
    emulated: name !== 'passed',
    doorbell,
    failover: { end: `vq${by[name].suffix}`, isStandby: name === 'standby' },
    faults: [],
    ...(role === 'source' && config.capture !== undefined ? { capture: config.capture } : {}),
  };
}

function pciEnd(
  { g, by }: Parts,
  name: FailoverDeviceName,
  side: 'a' | 'b',
  core: string,
  end: string,
): EndPlan {
  const channel = name === 'passed' ? `pci.${g}${by.passed.suffix}` : `pci.${g}.${name}`;
  const latency = name === 'passed' ? 'dma' : 'register';
  return {
    channel,
    kind: 'memory',
    side,
    core,
    end,
    latency,
    window: `guest${g}`,
    queueSizes: [CONTROL_SIZE],
  };
}

/** The VMM's part of an emulated device. */
function addVmm(
  plan: ComponentPlan,
  parts: Parts,
  name: 'emulated' | 'standby',
  core: string,
  more: { failover: VmmFailover } | { isStandby: true },
): void {
  const { config, g, layout, by } = parts;
  const { backend, suffix } = by[name];
  const pairs = Array.from({ length: backend === 'vdpa' ? 1 : config.queues }, (_, q) => q);
  const instance: VmmInstance = {
    backend: backend as VmmInstance['backend'],
    ends: pairs.map((q) => `vhost${q}`),
    window: deviceWindow({ suffix }, g),
  };
  const vmm: VmmConfig = {
    guest: g,
    backend: instance.backend,
    queues: config.queues,
    ringSize: config.ringSize,
    window: `guest${g}`,
    layout: layout.devices[name],
    instances: [instance],
    swaps: [],
    ...more,
  };
  plan.cores.push({
    id: core,
    service: SERVICE,
    module: 'guest/vmm',
    config: vmm,
    mode: 'wait',
    account: 'host',
  });
  plan.ends.push(pciEnd(parts, name, 'b', core, 'pci'));
  for (const q of pairs) {
    const channel = `vhost.${g}.${q}${suffix}`;
    plan.ends.push({ channel, kind: 'control', side: 'a', core, end: `vhost${q}`, latency: 'syscall' });
  }
}
