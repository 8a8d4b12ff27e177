import type { ComponentPlan, CorePlan, EndPlan } from '@vhostlab/engine';
import { CONTROL_SIZE, type GuestLayout, guestLayout, roleOf, type ScenarioConfig } from '@vhostlab/workload';
import type { VcpuConfig, VmmConfig } from './core-config.ts';

const SERVICE = 'guest';

/** Cores, windows and channel ends of all guests of a scenario; pure. Expects a scenario without faults (`check`). */
export function planGuest(config: ScenarioConfig): ComponentPlan {
  const plan: ComponentPlan = { cores: [], windows: [], ends: [] };
  for (let g = 0; g < config.guests; g++) {
    const layout = guestLayout(config, g);
    plan.windows.push({ id: `guest${g}`, owner: SERVICE, bytes: layout.bytes });
    for (let q = 0; q < config.queues; q++) {
      plan.cores.push(vcpuCore(config, g, q, layout));
      plan.ends.push(...vcpuEnds(config, g, q));
    }
    plan.ends.push(pciEnd(config, g, 'a', `guest${g}.vcpu0`));
    const { backend } = config;
    if (backend === 'vfio') continue;
    const vmm: VmmConfig = {
      guest: g,
      backend,
      queues: config.queues,
      ringSize: config.ringSize,
      window: `guest${g}`,
      layout,
    };
    plan.cores.push({
      id: `guest${g}.vmm`,
      service: SERVICE,
      module: 'guest/vmm',
      config: vmm,
      mode: 'wait',
      account: 'host',
    });
    plan.ends.push(pciEnd(config, g, 'b', `guest${g}.vmm`));
    for (let q = 0; q < (backend === 'vdpa' ? 1 : config.queues); q++) {
      plan.ends.push({
        channel: `vhost.${g}.${q}`,
        kind: 'control',
        side: 'a',
        core: `guest${g}.vmm`,
        end: `vhost${q}`,
        latency: 'syscall',
      });
    }
  }
  return plan;
}

function vcpuCore(config: ScenarioConfig, g: number, q: number, layout: GuestLayout): CorePlan {
  const { workload, queues, ring, ringSize, pages, guest, offloads, traffic, backend } = config;
  const role = roleOf(config, g);
  const vcpu: VcpuConfig = {
    guest: g,
    queue: q,
    role,
    scenario: { workload, queues, ring, ringSize, pages, guest, offloads, traffic },
    window: `guest${g}`,
    pair: layout.pairs[q],
    emulated: backend !== 'vfio',
    doorbell: backend === 'vfio' ? 'mapped' : backend === 'vdpa' ? 'vdpa' : 'ioeventfd',
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
function vcpuEnds(config: ScenarioConfig, g: number, q: number): EndPlan[] {
  const { backend, ringSize } = config;
  const core = `guest${g}.vcpu${q}`;
  const ends: EndPlan[] = [
    {
      channel: `vq.${g}.${q}`,
      kind: 'memory',
      side: 'a',
      core,
      end: 'vq',
      latency: backend === 'vfio' || backend === 'vdpa' ? 'dma' : 'coherent',
      window: `guest${g}`,
      queueSizes: [ringSize, ringSize],
    },
  ];
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
