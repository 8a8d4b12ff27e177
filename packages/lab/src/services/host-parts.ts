import {
  type ComponentDefinition,
  type commonV1,
  componentProgram,
  type Implementation,
  implementLifecycle,
  type MessageInitShape,
  type Role,
  type Transport,
  toUint64,
} from '@vhostlab/contracts';
import type { CoreModule, ModuleRegistry } from '@vhostlab/engine';
import type { ScenarioConfig } from '@vhostlab/workload';
import type { Progress } from '../run/process-runtime.ts';
import { RuntimeServer } from '../run/runtime-service.ts';
import { isRole, type Part, STATION } from './parts.ts';

/** Where spans of a process go; the mains make it of their telemetry. */
export interface Tracing {
  /** Provider of the spans of one service, undefined: none are made. */
  providerFor(service: string): Parameters<typeof implementLifecycle>[2];
  takeSpans(): { otlpJson: Uint8Array; dropped: number };
}

/** The services of one process, ready to be given to a server or a local transport. */
export interface HostedServices {
  implementations: Implementation[];
  runtime: RuntimeServer;
}

/** What a service is made of. */
export interface Service {
  definition: ComponentDefinition<ScenarioConfig>;
  modules: ModuleRegistry;
}

/** How services are put into a process. */
export interface HostOptions {
  instanceId: string;
  processId: number;
  tracing: Tracing;
  exit(): void;
  onProgress?(progress: Progress): void;
  /** Connects to a neighbour; over gRPC without certificates unless said otherwise. */
  connect?(address: string, peer: string): Transport;
}

/**
 * Puts parts of a lab and the runtime that executes their cores into this process. `services` has what `parts` need (the
 * station: the nic); throws when one is missing.
 */
export function hostParts(
  parts: readonly Part[],
  services: Partial<Record<Role, Service>>,
  options: HostOptions,
): HostedServices {
  const { instanceId, processId, tracing } = options;
  // the station's cores are of the nic's making
  const serviceOf = (part: Part): Service => {
    const service = services[isRole(part) ? part : 'nic'];
    if (service === undefined) throw new Error(`nothing to make a ${part} of`);
    return service;
  };
  const modules = new Map<string, CoreModule>();
  for (const part of parts) for (const [name, module] of serviceOf(part).modules) modules.set(name, module);
  const runtime = new RuntimeServer({
    own: {
      instanceId,
      processId,
      name: parts.join('+'),
      version: { major: 0, minor: 1, patch: 0 },
      clocks: [1],
    },
    modules,
    takeSpans: () => tracing.takeSpans(),
    exit: options.exit,
    ...(options.onProgress === undefined ? {} : { onProgress: options.onProgress }),
    ...(options.connect === undefined ? {} : { connect: options.connect }),
  });
  const implementations = parts.filter(isRole).map((role) => {
    const program = componentProgram(serviceOf(role).definition, { instanceId, processId }, () =>
      statistics(runtime, role),
    );
    return implementLifecycle(role, program, tracing.providerFor(role));
  });
  return { implementations: [...implementations, ...runtime.implementations()], runtime };
}

/** Counters of one service in the run that the process has now. */
function statistics(runtime: RuntimeServer, role: Part): MessageInitShape<typeof commonV1.StatisticsSchema> {
  const results = runtime.results();
  if (results === undefined) return {};
  const cores = results.cores.filter(
    ({ service }) => service === role || (service === STATION && role === 'nic'),
  );
  const drops = new Map<string, number>();
  const counters = cores.flatMap((core) =>
    Object.entries(core.counters)
      .sort(([x], [y]) => (x < y ? -1 : 1))
      .map(([name, value]) => {
        if (name.startsWith('drop.')) drops.set(name.slice(5), (drops.get(name.slice(5)) ?? 0) + value);
        return { core: core.id, name, value: toUint64(value) };
      }),
  );
  return {
    atPs: toUint64(results.reachedPs),
    counters,
    drops: [...drops]
      .sort(([x], [y]) => (x < y ? -1 : 1))
      .map(([reason, count]) => ({ reason, count: toUint64(count) })),
    resultsJson: JSON.stringify(Object.fromEntries(cores.map(({ id, results: own }) => [id, own]))),
  };
}
