import { createSource, type TrafficSpec } from './traffic-spec.ts';

/**
 * The frame that a generator sends ahead of its stream, so that tables have been learned when it starts (RFC 2544,
 * 23): a 64-byte frame between the stream's own stations. It has packet number LEARNING_PACKET and counts nowhere.
 */
export function learningFrame(spec: TrafficSpec): Uint8Array {
  const source = createSource({
    kind: 'udp',
    packets: 1,
    size: '64',
    flows: 1,
    rate: 'line',
    lineBps: spec.lineBps,
    seed: spec.seed,
    ...(spec.ipVersion === undefined ? {} : { ipVersion: spec.ipVersion }),
    ...(spec.vlan === undefined ? {} : { vlan: spec.vlan }),
    ...(spec.endpoints === undefined ? {} : { endpoints: spec.endpoints }),
  });
  source.next();
  const frame = new Uint8Array(source.length);
  source.write(frame, 0);
  return frame;
}

/** Packet number of frames that are no part of the stream. */
export const LEARNING_PACKET = -1;
