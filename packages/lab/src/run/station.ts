import type { ComponentPlan } from '@vhostlab/engine';
import { STATION } from '../services/parts.ts';

/** Name of the station's core in the plan of the nic service. */
const STATION_CORE = 'station';

/** The plan of a service with the station's core as a part of its own, which another process may run. */
export function withStationApart(plan: ComponentPlan): ComponentPlan {
  const cores = plan.cores.map((core) => (core.id === STATION_CORE ? { ...core, service: STATION } : core));
  return { ...plan, cores };
}

/** The processes of a run: where none runs the station alone, it lives with the nic. */
export function withStationHoused<T extends { services: readonly string[] }>(processes: readonly T[]): T[] {
  if (processes.some(({ services }) => services.includes(STATION))) return [...processes];
  return processes.map((process) =>
    process.services.includes('nic') ? { ...process, services: [...process.services, STATION] } : process,
  );
}

/** Name of a process that runs `services`: a station that lives with others adds nothing to it. */
export function processName(services: readonly string[]): string {
  const named = services.length > 1 ? services.filter((service) => service !== STATION) : services;
  return [...named].sort().join('+');
}
