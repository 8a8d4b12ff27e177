import { closeSync, openSync, writeSync } from 'node:fs';
import { defineBurstPlugin, z } from '@vhostlab/backend-sdk';

/** pcap with nanoseconds, Ethernet, whole frames. */
const HEADER = Uint8Array.of(
  0x4d,
  0x3c,
  0xb2,
  0xa1,
  2,
  0,
  4,
  0,
  0,
  0,
  0,
  0,
  0,
  0,
  0,
  0,
  0,
  0,
  1,
  0,
  1,
  0,
  0,
  0,
);
const RECORD_BYTES = 16;
const PS_PER_S = 1e12;

/** Joins wire and guest (or two guests) and writes every frame into a capture. */
export default defineBurstPlugin({
  name: 'pcap-recorder',
  summary: 'writes every frame between wire and guest, or between two guests, into a capture',
  options: z.strictObject({
    /** 1: wire and guest. 2: two guests. */
    guests: z.union([z.literal(1), z.literal(2)]).default(1),
    /** Its file, anew for each run of one core. */
    file: z
      .string()
      .regex(/^[^\0]+\.pcap$/, 'a path that ends in .pcap')
      .default('vhostlab.pcap'),
  }),
  create: ({ guests, file }, { count }) => {
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
    let descriptor: number | undefined;
    const write = (nowPs: number, frame: Uint8Array): void => {
      if (descriptor === undefined) {
        descriptor = openSync(file, 'w', 0o600);
        writeSync(descriptor, HEADER);
      }
      const record = new Uint8Array(RECORD_BYTES + frame.length);
      const view = new DataView(record.buffer);
      view.setUint32(0, Math.floor(nowPs / PS_PER_S), true);
      view.setUint32(4, Math.floor((nowPs % PS_PER_S) / 1000), true);
      view.setUint32(8, frame.length, true);
      view.setUint32(12, frame.length, true);
      record.set(frame, RECORD_BYTES);
      writeSync(descriptor, record);
      count('frames.recorded');
    };
    return {
      burst({ port, nowPs, frames }, answer) {
        answer.charge('switch.parse', Math.max(1, frames.length), 0);
        const out = to.get(port);
        if (out === undefined) return answer.drop('no_way', frames.length);
        for (const [source, frame] of frames.entries()) {
          write(nowPs, frame);
          answer.send(out, source);
        }
      },
      stop() {
        if (descriptor !== undefined) closeSync(descriptor);
        descriptor = undefined;
      },
    };
  },
});
