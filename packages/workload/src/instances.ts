import type { BackendName } from './backends.ts';
import type { ScenarioConfig } from './scenario.ts';

/**
 * One back end of a scenario with all that belongs to it: its cores, its channels to guest, switch and NIC, its queues of
 * the NIC. A run without events that change a guest's back end has one, whose names are plain; otherwise the names of
 * cores, channels and windows of instance `i` end in `@i`.
 */
export interface BackendInstance {
  index: number;
  /** `@<index>`, or nothing when the scenario has one instance only. */
  suffix: string;
  backend: BackendName;
  /** It is on the host that the guest migrates to, and serves the guest's memory there. */
  isArrival?: true;
  /** It serves the standby device of a guest that goes to or from vfio. */
  isStandby?: true;
  /** The scenario as this instance sees it. */
  config: ScenarioConfig;
}

/**
 * The back ends of a scenario: the one it starts with and every other one that its events name, in that order. A back end
 * that is left and come back to is the same instance.
 */
export function backendInstances(config: ScenarioConfig): BackendInstance[] {
  const list: BackendInstance[] = [{ index: 0, suffix: '', backend: config.backend, config }];
  for (const event of config.events ?? []) {
    if (event.kind === 'migrate') {
      list.push({ index: list.length, suffix: '', backend: config.backend, isArrival: true, config });
    }
    if (event.kind !== 'swap') continue;
    if (list.some(({ backend }) => backend === event.to)) continue;
    const { plugin: _, ...rest } = config;
    const own: ScenarioConfig = {
      ...rest,
      backend: event.to,
      offloads: event.offloads,
      execution: event.to === 'vhost-user' ? config.execution : 'rtc',
    };
    list.push({ index: list.length, suffix: '', backend: event.to, config: own });
  }
  if (usesFailover(config)) {
    const { plugin: _, ...rest } = config;
    const offloads = { csum: false, tso: false, mrg: true };
    const own: ScenarioConfig = { ...rest, backend: 'vhost-net', execution: 'rtc', offloads };
    list.push({ index: list.length, suffix: '', backend: 'vhost-net', isStandby: true, config: own });
  }
  if (list.length === 1) return list;
  return list.map((instance) => ({ ...instance, suffix: `@${instance.index}` }));
}

/** True when a guest's back end changes during the run: its memory is then copied to each instance apart. */
export function changesBackend(config: Pick<ScenarioConfig, 'events'>): boolean {
  return config.events?.some(({ kind }) => kind === 'swap' || kind === 'migrate') ?? false;
}

/** True when a guest goes to or from vfio, where nothing can be carried: it has a standby device then. */
export function usesFailover(config: Pick<ScenarioConfig, 'backend' | 'events'>): boolean {
  const swaps = (config.events ?? []).filter((event) => event.kind === 'swap');
  return swaps.length > 0 && (config.backend === 'vfio' || swaps.some(({ to }) => to === 'vfio'));
}

/** Window of what the devices of an instance see of guest `g`'s memory. */
export function deviceWindow(instance: Pick<BackendInstance, 'suffix'>, g: number): string {
  return `guest${g}${instance.suffix}`;
}
