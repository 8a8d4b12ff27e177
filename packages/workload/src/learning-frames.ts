import { DecodedHeaders, decodeInto, readCapture } from '@vhostlab/packet';
import { createSource, type TrafficSpec } from './traffic-spec.ts';

/** Packet number of frames that are no part of the stream. */
export const LEARNING_PACKET = -1;
/** Most learning frames of a stream, and the distance between them. */
export const MAX_LEARNING_FRAMES = 64;
export const LEARNING_GAP_PS = 50_000_000;

const SHORTEST_BYTES = 14;

/**
 * The frames that a generator sends ahead of its stream, so that tables have been learned when it starts (RFC 2544,
 * 23): one 64-byte frame between the stream's own stations, or the first frame of each kind of a capture (types, tags,
 * fragments: what every flow of a switch looks at). They have packet number LEARNING_PACKET and count nowhere.
 */
export function learningFrames(spec: TrafficSpec, capture?: Uint8Array): Uint8Array[] {
  if (capture !== undefined) return firstOfEachKind(capture);
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
  return [frame];
}

function firstOfEachKind(capture: Uint8Array): Uint8Array[] {
  const frames = new Map<string, Uint8Array>();
  const headers = new DecodedHeaders();
  const reader = readCapture(capture);
  while (frames.size < MAX_LEARNING_FRAMES && reader.next()) {
    const { offset, capturedLength } = reader;
    if (capturedLength < SHORTEST_BYTES) continue;
    decodeInto(capture, offset, capturedLength, headers);
    const { etherType, vlanTci0, vlanTci1, vlanCount, fragment, ipProto, error } = headers;
    const kind = [etherType, vlanCount, vlanTci0, vlanTci1, fragment, ipProto, error].join(' ');
    if (!frames.has(kind)) frames.set(kind, capture.slice(offset, offset + capturedLength));
  }
  return [...frames.values()];
}
