import { createHash } from 'node:crypto';
import { type CoreModule, type RunPlan, TimeBounds, VirtualRuntime } from '@vhostlab/engine';
import { createArena } from '@vhostlab/memory';
import { mergeLog } from '@vhostlab/trace';
import { ROLES, SERVICES } from '../../src/index.ts';
import { arenaBytes } from '../../src/run/process-runtime.ts';
import { withStationHoused } from '../../src/run/station.ts';
import { compiled } from './run.ts';

const modules = new Map<string, CoreModule>();
for (const role of ROLES) for (const [name, module] of SERVICES[role].modules) modules.set(name, module);

/** How a group takes part in a round: not at all, as the others do, or so fast that the others have its batches at once. */
export type Pace = 'late' | 'even' | 'early';

/**
 * Runs a plan in groups of services, each with a runtime and a memory of its own, that exchange batches at the bounds
 * of conservative synchronisation as processes do. `pace` says it for every group and round. Answers the SHA-256 of
 * the event log.
 */
export function splitHash(
  name: string,
  plan: RunPlan,
  divided: readonly (readonly string[])[],
  pace: () => Pace = () => 'even',
): string {
  const groups = withStationHoused(divided.map((services) => ({ services }))).map(({ services }) => services);
  const chunks: Uint8Array[][] = groups.map(() => []);
  const runtimes = groups.map(
    (services, g) =>
      new VirtualRuntime({
        plan,
        services,
        modules,
        arena: createArena(arenaBytes(plan, services)),
        profile: compiled,
        logSink: (chunk) => void chunks[g].push(chunk.slice()),
      }),
  );
  const groupOf = (service: string): string =>
    String(groups.findIndex((services) => services.includes(service)));
  const serviceOf = new Map(plan.cores.map(({ id, service }) => [id, service]));
  const bounds = new TimeBounds(plan, groupOf);
  const deliver = (group: string): void => {
    for (const { channel, bytes } of runtimes[Number(group)].takeOutgoing()) {
      const ends = plan.channels.find(({ id }) => id === channel);
      const to = [ends?.a.core, ends?.b.core]
        .map((core) => groupOf(serviceOf.get(core as string) as string))
        .find((other) => other !== group);
      runtimes[Number(to)].inject(channel, bytes);
    }
  };
  for (;;) {
    const next = bounds.processes.map((group) => runtimes[Number(group)].nextPs());
    if (Math.min(...next) === Number.POSITIVE_INFINITY) break;
    const ran: string[] = [];
    bounds.processes.forEach((group, i) => {
      const how = pace();
      if (how === 'late') return;
      runtimes[Number(group)].runUntil(bounds.bound(i, next));
      if (how === 'early') deliver(group);
      else ran.push(group);
    });
    for (const group of ran) deliver(group);
  }
  const hash = createHash('sha256');
  const parts = runtimes.map((runtime, g) => {
    runtime.log.flush();
    return { strings: runtime.log.strings, chunks: () => chunks[g] };
  });
  mergeLog([{ name, parts }], (bytes) => hash.update(bytes));
  return hash.digest('hex');
}
