import {
  createClient,
  createLocalTransport,
  lifecycleClient,
  type Role,
  runtimeV1,
} from '@vhostlab/contracts';
import type { Progress } from '../run/process-runtime.ts';
import type { Lab } from '../run/run-scenario.ts';
import type { Plugins } from '../scenario/rows.ts';
import { PLUGINS, ROLES } from './registry.ts';
import { hostServices, type Tracing } from './serve.ts';

/** A lab and the means to end it. */
export interface OpenLab extends Lab {
  placement: 'embedded' | 'process';
  /** Process ids of the services, by role. */
  pids?: Record<string, number>;
  /**
   * Spans of the service processes, each as OTLP JSON; nothing when they share this one. Call it inside the span of
   * the run: asking makes spans, too.
   */
  readSpans(): Promise<Uint8Array[]>;
  close(): Promise<void>;
}

/** All four services in this process, with plugins beside the built-in back ends. The socket is skipped, never the handshake. */
export function openEmbeddedLab(
  tracing: Tracing,
  onProgress?: (progress: Progress) => void,
  plugins: Plugins = new Map(),
): OpenLab {
  const hosted = hostServices(ROLES, {
    instanceId: 'embedded',
    processId: process.pid,
    tracing,
    exit: () => undefined,
    plugins: [...PLUGINS, ...plugins.values()],
    ...(onProgress === undefined ? {} : { onProgress }),
  });
  const transport = createLocalTransport(hosted.implementations);
  const provider = tracing.providerFor('lab');
  const client = provider === undefined ? {} : { tracerProvider: provider };
  const services = Object.fromEntries(
    ROLES.map((role) => [role, lifecycleClient(role, transport, client)]),
  ) as Record<Role, ReturnType<typeof lifecycleClient>>;
  return {
    placement: 'embedded',
    services,
    processes: [
      {
        name: [...ROLES].sort().join('+'),
        services: ROLES,
        runtime: createClient(runtimeV1.RuntimeService, transport, client),
      },
    ],
    readSpans: async () => [],
    close: async () => {
      hosted.runtime.close();
      transport.close();
    },
  };
}
