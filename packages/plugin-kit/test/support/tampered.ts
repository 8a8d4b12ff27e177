import { burstBackend, embeddedBurst } from '@vhostlab/backend-sdk';
import { createLocalTransport, type Implementation, type ServerContext } from '@vhostlab/contracts';
import { hostDevicePlugin, type OpenPlugin } from '../../src/index.ts';
import { joined } from './joined.ts';

type Handlers = Record<string, (input: never, context: ServerContext) => unknown>;

/** The good burst plugin with some handlers of its services changed: each is given the good ones. */
export function tampered(change: (good: Handlers) => Handlers): OpenPlugin {
  const plugin = joined();
  return {
    name: plugin.name,
    depth: 'burst',
    summary: plugin.summary,
    device: burstBackend(embeddedBurst(plugin)),
    isFresh: true,
    close: async () => undefined,
    connect: () => {
      const implementations = hostDevicePlugin(plugin).implementations.map(
        (one): Implementation => ({
          ...one,
          handlers: { ...one.handlers, ...change(one.handlers as Handlers) },
        }),
      );
      return createLocalTransport(implementations);
    },
  };
}
