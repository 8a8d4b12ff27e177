import type { ComponentPlan, CorePlan, EndPlan } from '@vhostlab/engine';
import {
  arrivalWindow,
  type BackendInstance,
  backendInstances,
  CONTROL_SIZE,
  deviceWindow,
  eventsOf,
  type GuestLayout,
  guestLayout,
  guestWindowBytes,
  roleOf,
  type ScenarioConfig,
  usesFailover,
} from '@vhostlab/workload';
import type { DoorbellKind, VcpuConfig, VmmConfig, VmmInstance } from './core-config.ts';
import { planFailover } from './failover/plan.ts';
import { planMigration, vcpuArrival, vmmMigration } from './migrate/plan.ts';

const SERVICE = 'guest';

/** Cores, windows and channel ends of all guests of a scenario; pure. Expects a scenario without faults (`check`). */
export function planGuest(config: ScenarioConfig): ComponentPlan {
  const plan: ComponentPlan = { cores: [], windows: [], ends: [] };
  const instances = backendInstances(config);
  for (let g = 0; g < config.guests; g++) {
    if (usesFailover(config)) {
      planFailover(plan, config, instances, g);
      continue;
    }
    const layout = guestLayout(config, g);
    const bytes = guestWindowBytes(layout);
    plan.windows.push({ id: `guest${g}`, owner: SERVICE, bytes });
    for (const instance of instances) {
      if (instance.suffix === '') continue;
      plan.windows.push({ id: deviceWindow(instance, g), owner: SERVICE, bytes });
    }
    for (let q = 0; q < config.queues; q++) {
      plan.cores.push(vcpuCore(config, instances, g, q, layout));
      plan.ends.push(...vcpuEnds(config, instances, g, q));
    }
    plan.ends.push(pciEnd(config, g, 'a', `guest${g}.vcpu0`));
    if (config.backend === 'vfio') continue;
    addVmm(plan, config, instances, g, layout);
    planMigration(plan, config, g, layout);
  }
  return plan;
}

function addVmm(
  plan: ComponentPlan,
  config: ScenarioConfig,
  instances: readonly BackendInstance[],
  g: number,
  layout: GuestLayout,
): void {
  const core = `guest${g}.vmm`;
  const control = (channel: string, end: string): EndPlan => ({
    channel,
    kind: 'control',
    side: 'a',
    core,
    end,
    latency: 'syscall',
  });
  plan.ends.push(pciEnd(config, g, 'b', core));
  const reached = instances.map(({ backend, suffix }): VmmInstance => {
    const pairs = Array.from({ length: backend === 'vdpa' ? 1 : config.queues }, (_, q) => q);
    for (const q of pairs) plan.ends.push(control(`vhost.${g}.${q}${suffix}`, `vhost${q}${suffix}`));
    return {
      backend: backend as VmmInstance['backend'],
      ends: pairs.map((q) => `vhost${q}${suffix}`),
      window: deviceWindow({ suffix }, g),
    };
  });
  if (instances.length > 1) {
    plan.ends.push(control(`steer.${g}`, 'steer'));
    for (let q = 0; q < config.queues; q++) plan.ends.push(control(`route.${g}.${q}`, `route${q}`));
  }
  const vmm: VmmConfig = {
    guest: g,
    backend: reached[0].backend,
    queues: config.queues,
    ringSize: config.ringSize,
    window: `guest${g}`,
    layout,
    instances: reached,
    swaps: eventsOf(config, 'swap').map((event) => ({
      ...event,
      instance: instances.findIndex(({ backend }) => backend === event.to),
    })),
    ...vmmMigration(config, instances, g),
  };
  plan.cores.push({
    id: core,
    service: SERVICE,
    module: 'guest/vmm',
    config: vmm,
    mode: 'wait',
    account: 'host',
  });
}

/** How a notification reaches a back end. */
function doorbellOf(backend: ScenarioConfig['backend']): DoorbellKind {
  return backend === 'vfio' ? 'mapped' : backend === 'vdpa' ? 'vdpa' : 'ioeventfd';
}

function vcpuCore(
  config: ScenarioConfig,
  instances: readonly BackendInstance[],
  g: number,
  q: number,
  layout: GuestLayout,
): CorePlan {
  const { workload, queues, ring, ringSize, pages, guest, offloads, traffic, backend } = config;
  const role = roleOf(config, g);
  const vcpu: VcpuConfig = {
    guest: g,
    queue: q,
    role,
    scenario: {
      workload,
      queues,
      ring,
      ringSize,
      pages,
      guest,
      offloads,
      traffic,
      ...(config.without === undefined ? {} : { without: config.without }),
    },
    window: `guest${g}`,
    pair: layout.pairs[q],
    emulated: backend !== 'vfio',
    doorbell: doorbellOf(backend),
    ...(instances.length === 1
      ? {}
      : {
          routes: [
            ...instances.map((instance) => doorbellOf(instance.backend)),
            ...(layout.shadow === undefined ? [] : (['ioeventfd'] as const)),
          ],
        }),
    ...vcpuArrival(instances, g, layout),
    faults: role === 'sink' ? [] : config.faults,
    ...(role === 'source' && config.capture !== undefined ? { capture: config.capture } : {}),
    ...(q === 0 ? { boot: { layout } } : {}),
  };
  return {
    id: `guest${g}.vcpu${q}`,
    service: SERVICE,
    module: 'guest/vcpu',
    config: vcpu,
    mode: guest === 'poll' ? 'poll' : 'wait',
    account: 'guest',
    ...(guest === 'poll' ? {} : { wakeOp: 'kvm.halt_wakeup' }),
  };
}

/** Ends of vCPU `q` besides the one to the PCI function: its queue pair, and interrupts between processors. */
function vcpuEnds(
  config: ScenarioConfig,
  instances: readonly BackendInstance[],
  g: number,
  q: number,
): EndPlan[] {
  const { ringSize } = config;
  const core = `guest${g}.vcpu${q}`;
  const ends = instances.map(
    ({ backend, suffix, isArrival }): EndPlan => ({
      channel: `vq.${g}.${q}${suffix}`,
      kind: 'memory',
      side: 'a',
      core,
      end: `vq${suffix}`,
      latency: backend === 'vfio' || backend === 'vdpa' ? 'dma' : 'coherent',
      window: isArrival ? arrivalWindow(g) : `guest${g}`,
      queueSizes: [ringSize, ringSize],
    }),
  );
  if (instances.length > 1) {
    const channel = `route.${g}.${q}`;
    ends.push({ channel, kind: 'control', side: 'b', core, end: 'route', latency: 'syscall' });
  }
  if (q > 0) {
    const channel = `ipi.${g}.${q}`;
    ends.push(
      { channel, kind: 'control', side: 'a', core: `guest${g}.vcpu0`, end: `ipi${q}`, latency: 'ipi' },
      { channel, kind: 'control', side: 'b', core, end: 'ipi', latency: 'ipi' },
    );
  }
  return ends;
}

/** Registers of the function; the control queue's words travel on the same channel. */
function pciEnd(config: ScenarioConfig, g: number, side: 'a' | 'b', core: string): EndPlan {
  return {
    channel: `pci.${g}`,
    kind: 'memory',
    side,
    core,
    end: 'pci',
    latency: config.backend === 'vfio' ? 'dma' : 'register',
    window: `guest${g}`,
    queueSizes: [CONTROL_SIZE],
  };
}
