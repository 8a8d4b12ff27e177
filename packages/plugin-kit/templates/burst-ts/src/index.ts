import { defineBurstPlugin, z } from '@vhostlab/backend-sdk';

const WIRE = 1;
const FIRST_GUEST = 10;

/** Joins the wire and the guest; keeps each frame for `delayNs` nanoseconds first. */
export default defineBurstPlugin({
  name: '__NAME__',
  summary: 'wire and guest joined',
  options: z.strictObject({ delayNs: z.number().min(0).max(1e9).default(0) }),
  create: ({ delayNs }, { count }) => ({
    burst({ port, frames }, answer) {
      // what this burst costs on the machine that the cost profile describes
      answer.charge('switch.parse', Math.max(1, frames.length), 0);
      const to = port === WIRE ? FIRST_GUEST : WIRE;
      for (const source of frames.keys()) answer.send(to, source, { delayPs: delayNs * 1000 });
      count('frames.joined', frames.length);
    },
  }),
});
