import {
  type BurstPlugin,
  backendHost,
  implementBurstPlugin,
  type PluginDefinition,
} from '@vhostlab/backend-sdk';
import { componentProgram, type Implementation, implementLifecycle } from '@vhostlab/contracts';
import { RuntimeServer } from '@vhostlab/lab';

type TracerProvider = Parameters<typeof implementLifecycle>[2];

/** Services of a plugin in this process. */
export interface HostedPlugin {
  readonly implementations: Implementation[];
  close(): void;
}

/** What a hosted plugin is given for free. */
export interface HostOptions {
  readonly log?: (text: string) => void;
  readonly tracerProvider?: TracerProvider;
}

/** Hosts a plugin: a device plugin as a back-end service with a runtime for its cores, a burst plugin as its two services. */
export function hostDevicePlugin(
  plugin: PluginDefinition | BurstPlugin,
  options: HostOptions = {},
): HostedPlugin {
  const { log = () => undefined, tracerProvider } = options;
  const own = { instanceId: `${plugin.name}-${process.pid}`, processId: process.pid };
  if (plugin.depth === 'burst') {
    const provider = tracerProvider === undefined ? {} : { tracerProvider };
    return {
      implementations: implementBurstPlugin(plugin, { ...own, log, ...provider }),
      close: () => undefined,
    };
  }
  const host = backendHost([plugin]);
  const runtime = new RuntimeServer({
    own: { ...own, name: plugin.name, version: { major: 0, minor: 1, patch: 0 }, clocks: [1] },
    modules: host.modules,
    takeSpans: () => ({ otlpJson: new Uint8Array(), dropped: 0 }),
    exit: () => undefined,
  });
  const definition = { ...host.definition, name: plugin.name };
  const program = componentProgram(definition, own, () => ({}));
  return {
    implementations: [implementLifecycle('backend', program, tracerProvider), ...runtime.implementations()],
    close: () => runtime.close(),
  };
}
