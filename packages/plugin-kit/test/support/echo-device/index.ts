import { definePlugin, planPolledCores, polledCore, polledSchema } from '@vhostlab/backend-sdk';

/** Gives every frame back to where it came from, on a core of the host. */
export default definePlugin({
  name: 'echo-device',
  summary: 'gives every frame back',
  attachesAs: 'vhost-user',
  configSchema: polledSchema,
  capabilities: () => [
    { name: 'rings.packed', support: 'offered' },
    { name: 'rings.split', support: 'offered' },
  ],
  plan: (config) => planPolledCores(config, 'echo-device/core'),
  modules: new Map([
    [
      'echo-device/core',
      polledCore((context, pool, output) => {
        const noPort = context.counter('drop.no-port');
        return {
          begin: (indices, count, port) => {
            for (let i = 0; i < count; i++) {
              const index = indices[i] as number;
              if (output.output(port, index)) continue;
              noPort.value++;
              pool.free(index);
            }
          },
          run: () => undefined,
        };
      }),
    ],
  ]),
});
