import { defineBurstPlugin, z } from '@vhostlab/backend-sdk';

const percent = z.number().min(0).max(100).default(0);

/** Joins wire and guest (or two guests), and loses, delays and reorders frames on the way. */
export default defineBurstPlugin({
  name: 'impair',
  summary: 'loses, delays and reorders frames between wire and guest, or between two guests',
  options: z.strictObject({
    /** 1: wire and guest. 2: two guests. */
    guests: z.union([z.literal(1), z.literal(2)]).default(1),
    lossPercent: percent,
    delayNs: z.number().min(0).max(1e8).default(0),
    /** Added to the delay, uniformly; order is kept only by frames that get the same. */
    jitterNs: z.number().min(0).max(1e8).default(0),
    /** Frames that are kept for `reorderNs` more, so that others overtake them. */
    reorderPercent: percent,
    reorderNs: z.number().min(0).max(1e8).default(10_000),
  }),
  create: ({ guests, lossPercent, delayNs, jitterNs, reorderPercent, reorderNs }, { random, count }) => {
    const to =
      guests === 2
        ? new Map([
            [10, 11],
            [11, 10],
          ])
        : new Map([
            [1, 10],
            [10, 1],
          ]);
    return {
      burst({ port, frames }, answer) {
        answer.charge('switch.parse', Math.max(1, frames.length), 0);
        const out = to.get(port);
        if (out === undefined) return answer.drop('no_way', frames.length);
        for (const source of frames.keys()) {
          if (random() * 100 < lossPercent) {
            answer.drop('lost');
            continue;
          }
          const reorders = random() * 100 < reorderPercent;
          if (reorders) count('frames.reordered');
          const ns = delayNs + random() * jitterNs + (reorders ? reorderNs : 0);
          answer.send(out, source, { delayPs: Math.round(ns * 1000) });
        }
      },
    };
  },
});
