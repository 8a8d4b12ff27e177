import { defineBurstPlugin, z } from '@vhostlab/backend-sdk';

/** What a frame takes on the wire besides its bytes in memory: FCS, preamble and gap. */
const WIRE_BYTES = 24;

/** A token bucket per direction: frames wait for their turn, and those that would wait too long are dropped. */
export default defineBurstPlugin({
  name: 'rate-limiter',
  summary: 'a token bucket per direction between wire and guest, or between two guests',
  options: z.strictObject({
    /** 1: wire and guest. 2: two guests. */
    guests: z.union([z.literal(1), z.literal(2)]).default(1),
    rateMbps: z.number().min(1).max(400_000).default(1000),
    /** Bytes that may go at once after a pause. */
    burstBytes: z.number().min(64).max(1e7).default(15_000),
    /** Longest wait. */
    queueNs: z.number().min(0).max(1e8).default(1e6),
  }),
  create: ({ guests, rateMbps, burstBytes, queueNs }) => {
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
    const psPerByte = 8e6 / rateMbps;
    /** Moment at which the bucket of a port is full again. */
    const fullAt = new Map<number, number>();
    return {
      burst({ port, nowPs, frames }, answer) {
        answer.charge('switch.parse', Math.max(1, frames.length), 0);
        const out = to.get(port);
        if (out === undefined) return answer.drop('no_way', frames.length);
        let full = Math.max(fullAt.get(port) ?? 0, nowPs);
        for (const [source, frame] of frames.entries()) {
          const after = full + (frame.length + WIRE_BYTES) * psPerByte;
          const delayPs = Math.max(0, after - burstBytes * psPerByte - nowPs);
          if (delayPs > queueNs * 1000) {
            answer.drop('rate_exceeded');
            continue;
          }
          full = after;
          answer.send(out, source, { delayPs });
        }
        fullAt.set(port, full);
      },
    };
  },
});
