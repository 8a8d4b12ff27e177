import { type BurstPluginInit, defineBurstPlugin, z } from '@vhostlab/backend-sdk';

/** A good burst plugin, guest and wire joined; `part` replaces what a fault changes. */
export function joined(part: Partial<BurstPluginInit<never>> = {}) {
  return defineBurstPlugin({
    name: 'joined',
    summary: 'guest and wire joined',
    options: z.strictObject({ delayNs: z.number().min(0).default(0) }) as never,
    create: () => ({
      burst: ({ port, frames }, answer) => {
        answer.charge('switch.parse', Math.max(1, frames.length), 0);
        for (const source of frames.keys()) answer.send(port === 1 ? 10 : 1, source);
      },
    }),
    ...part,
  });
}
