import { defineBurstPlugin, z } from '../../src/index.ts';

/** Guest and wire joined; `delayNs` and `dropEvery` are options, and `mangles` changes the last byte. */
export const crossing = defineBurstPlugin({
  name: 'crossing',
  summary: 'guest and wire joined',
  options: z.strictObject({
    delayNs: z.number().min(0).default(0),
    dropEvery: z.int().min(0).default(0),
    mangles: z.boolean().default(false),
    copies: z.boolean().default(false),
  }),
  create: ({ delayNs, dropEvery, mangles, copies }, { count }) => {
    let seen = 0;
    return {
      burst({ port, frames }, answer) {
        answer.charge('switch.parse', Math.max(1, frames.length), 0);
        for (const [source, bytes] of frames.entries()) {
          seen++;
          count('seen');
          if (dropEvery > 0 && seen % dropEvery === 0) {
            answer.drop('every_nth');
            continue;
          }
          const frame = bytes.slice();
          frame[frame.length - 1] ^= 0xff;
          const out = port === 1 ? 10 : 1;
          answer.send(out, source, { delayPs: delayNs * 1000, ...(mangles ? { frame } : {}) });
          if (copies) answer.send(out, source);
        }
      },
    };
  },
});
