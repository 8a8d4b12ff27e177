import type { ComponentPlan, EndPlan } from '@vhostlab/engine';
import {
  arrivalWindow,
  type BackendInstance,
  backendInstances,
  eventsOf,
  type GuestLayout,
  type ScenarioConfig,
  shadowChannel,
} from '@vhostlab/workload';
import type { VcpuConfig, VmmConfig } from '../core-config.ts';
import type { MigrationConfig } from './migration-config.ts';

const SERVICE = 'guest';

/** Memory of the migration thread outside of windows: it has none. */
const ARENA_BYTES = 64 * 1024;

/** Adds what guest `g` needs to migrate, if it does: memory on the other host, and the thread that copies. */
export function planMigration(
  plan: ComponentPlan,
  config: ScenarioConfig,
  g: number,
  layout: GuestLayout,
): void {
  const [event] = eventsOf(config, 'migrate');
  if (event === undefined) return;
  const arrival = arrivalWindow(g);
  plan.windows.push({ id: arrival, owner: SERVICE, bytes: layout.bytes });
  if (event.guest !== g) return;
  const core = `guest${g}.migration`;
  const own: MigrationConfig = { guest: g, event, window: `guest${g}`, arrival, memoryBytes: layout.bytes };
  plan.cores.push({
    id: core,
    service: SERVICE,
    module: 'guest/migration',
    config: own,
    mode: 'wait',
    account: 'host',
    arenaBytes: ARENA_BYTES,
  });
  const channel = `migration.${g}`;
  if (layout.shadow !== undefined) plan.ends.push(...shadowEnds(config, g));
  plan.ends.push(
    { channel, kind: 'control', side: 'a', core, end: 'vmm', latency: 'ipi' },
    { channel, kind: 'control', side: 'b', core: `guest${g}.vmm`, end: 'migration', latency: 'ipi' },
  );
}

/** What the VMM of guest `g` is told. */
export function vmmMigration(
  config: ScenarioConfig,
  instances: readonly BackendInstance[],
  g: number,
): Pick<VmmConfig, 'migration'> {
  const [event] = eventsOf(config, 'migrate');
  const instance = instances.findIndex(({ isArrival }) => isArrival);
  return event === undefined || event.guest !== g || instance < 0 ? {} : { migration: { event, instance } };
}

/** What a vCPU of guest `g` is told. */
export function vcpuArrival(
  instances: readonly BackendInstance[],
  g: number,
  layout: GuestLayout,
): Pick<VcpuConfig, 'arrival'> {
  const instance = instances.findIndex(({ isArrival }) => isArrival);
  return instance < 0 ? {} : { arrival: { instance, window: arrivalWindow(g), memoryBytes: layout.bytes } };
}

/** Ends of the shadow virtqueues: the guest's rings end at the VMM, and the VMM's at the device. */
function shadowEnds(config: ScenarioConfig, g: number): EndPlan[] {
  const vmm = `guest${g}.vmm`;
  const route = backendInstances(config).length;
  const common = { kind: 'memory', window: `guest${g}` } as const;
  const queueSizes = [config.ringSize, config.ringSize];
  return Array.from({ length: config.queues }, (_, q): EndPlan[] => {
    const channel = `shadow.${g}.${q}`;
    const guest = { ...common, channel, latency: 'coherent', queueSizes } as const;
    return [
      { ...guest, side: 'a', core: `guest${g}.vcpu${q}`, end: `vq@${route}` },
      { ...guest, side: 'b', core: vmm, end: `shadow${q}` },
      {
        ...common,
        channel: shadowChannel(g, q),
        side: 'a',
        core: vmm,
        end: `device${q}`,
        latency: 'dma',
        queueSizes,
      },
    ];
  }).flat();
}
