import { build, DecodedHeaders, decodeInto, findLayer, type Layer, parse } from '@vhostlab/packet';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  completeChecksum,
  GSO_ECN,
  GSO_TCPV4,
  GSO_TCPV6,
  GSO_UDP_L4,
  type HeaderFields,
  NO_OFFLOAD,
  requestChecksum,
  requestSegmentation,
  SEGMENT_FAULTS,
  Segmenter,
  segment,
  transportChecksumOk,
} from '../src/index.ts';

const FRAME_AT = 3;
const OUT_AT = 0x2_0000;

interface Shape {
  version: 4 | 6;
  protocol: 'tcp' | 'udp';
  vlans: number;
  options: number;
  payload: number;
  flags: number;
  sequence: number;
  identification: number;
}

function layersOf(shape: Shape): Layer[] {
  const layers: Layer[] = [{ kind: 'ethernet', dst: '52:54:00:00:00:02', src: '52:54:00:00:00:01' }];
  for (let i = 0; i < shape.vlans; i++) layers.push({ kind: 'vlan', id: 100 + i });
  if (shape.version === 4) {
    layers.push({ kind: 'ipv4', src: '10.0.0.1', dst: '10.0.0.2', id: shape.identification });
  } else {
    layers.push({ kind: 'ipv6', src: 'fd00::1', dst: 'fd00::2' });
  }
  if (shape.protocol === 'tcp') {
    const options = new Uint8Array(shape.options * 4).fill(1);
    const { sequence: seq, flags } = shape;
    layers.push({ kind: 'tcp', srcPort: 1000, dstPort: 2000, seq, flags, options });
  } else {
    layers.push({ kind: 'udp', srcPort: 1000, dstPort: 2000 });
  }
  layers.push({
    kind: 'payload',
    bytes: Uint8Array.from({ length: shape.payload }, (_, i) => (i * 7 + 3) & 0xff),
  });
  return layers;
}

/** The frame in memory with a request for segments of `mss`, and the header of it. */
function offload(shape: Shape, mss: number) {
  const frame = build(layersOf(shape));
  const memory = new Uint8Array(0x8_0000);
  memory.set(frame, FRAME_AT);
  const headers = new DecodedHeaders();
  expect(decodeInto(memory, FRAME_AT, frame.length, headers)).toBe(true);
  const fields: HeaderFields = { ...NO_OFFLOAD };
  expect(requestSegmentation(memory, FRAME_AT, headers, mss, fields)).toBe(true);
  return { frame, memory, headers, fields };
}

const shapes: fc.Arbitrary<Shape> = fc.record({
  version: fc.constantFrom(4 as const, 6 as const),
  protocol: fc.constantFrom('tcp' as const, 'udp' as const),
  vlans: fc.nat(2),
  options: fc.nat(10),
  payload: fc.nat(9000),
  flags: fc.nat(0xff),
  sequence: fc.nat(0xffffffff),
  identification: fc.nat(0xffff),
});

const TCP4: Shape = {
  version: 4,
  protocol: 'tcp',
  vlans: 0,
  options: 3,
  payload: 4000,
  flags: 0x98 | 0x01,
  sequence: 0xffff_fc00,
  identification: 0xfffe,
};

describe('checksum offload', () => {
  it('completes what the driver asked for to the checksum that was left out', () => {
    fc.assert(
      fc.property(shapes, (shape) => {
        const { frame, memory, fields } = offload(shape, 65_535);
        expect(fields.gsoType).toBe(0);
        const field = FRAME_AT + fields.csumStart + fields.csumOffset;
        expect(completeChecksum(memory, FRAME_AT, frame.length, fields)).toBe(true);
        const checksum = (memory[field] << 8) | memory[field + 1];
        const expected = (frame[field - FRAME_AT] << 8) | frame[field - FRAME_AT + 1];
        // 0 and 0xffff are the same number to ones' complement.
        expect(checksum % 0xffff).toBe(expected % 0xffff);
        expect(checksum).not.toBe(0);
      }),
    );
  });

  it('stores nothing when the field is outside', () => {
    const memory = new Uint8Array(100);
    const fields = { ...NO_OFFLOAD, flags: 1, csumStart: 40, csumOffset: 19 };
    expect(completeChecksum(memory, 0, 60, fields)).toBe(false);
    expect(memory.every((byte) => byte === 0)).toBe(true);
  });

  it('asks for nothing where there is no transport checksum', () => {
    const arp = build([
      { kind: 'ethernet', dst: 'ff:ff:ff:ff:ff:ff', src: '52:54:00:00:00:01' },
      {
        kind: 'arp',
        operation: 1,
        senderMac: '52:54:00:00:00:01',
        senderIp: '10.0.0.1',
        targetMac: '00:00:00:00:00:00',
        targetIp: '10.0.0.2',
      },
    ]);
    const headers = new DecodedHeaders();
    decodeInto(arp, 0, arp.length, headers);
    const fields: HeaderFields = { ...NO_OFFLOAD, flags: 9 };
    expect(requestChecksum(arp, 0, headers, fields)).toBe(false);
    expect(fields).toEqual(NO_OFFLOAD);
  });
});

describe('segmentation', () => {
  it('gives segments that verify and that make up the original payload', () => {
    fc.assert(
      fc.property(shapes, fc.integer({ min: 1, max: 1500 }), (shape, wanted) => {
        const mss = Math.max(wanted, Math.ceil(shape.payload / 200), 1);
        const { frame, memory, headers, fields } = offload(shape, mss);
        if (fields.gsoType === 0) return;
        const { payloadOffset } = headers;
        const segmenter = new Segmenter(memory);
        const count = segmenter.begin(FRAME_AT, frame.length, fields);
        expect(count).toBe(Math.ceil(shape.payload / mss));
        const payload: number[] = [];
        const out = new DecodedHeaders();
        for (let i = 0; i < count; i++) {
          const bytes = segmenter.next(OUT_AT);
          expect(decodeInto(memory, OUT_AT, bytes, out)).toBe(true);
          expect(out.l3End).toBe(bytes);
          expect(out.payloadLength).toBe(i < count - 1 ? mss : shape.payload - mss * (count - 1));
          expect(transportChecksumOk(memory, OUT_AT, out)).toBe(true);
          const parsed = parse(memory.slice(OUT_AT, OUT_AT + bytes));
          const ip = findLayer(parsed, 'ipv4');
          if (ip !== undefined) {
            expect(ip.id).toBe((shape.identification + i) & 0xffff);
            expect(headerChecksum(memory, OUT_AT + out.l3Offset)).toBe(0xffff);
          }
          const tcp = findLayer(parsed, 'tcp');
          if (tcp !== undefined) {
            expect(tcp.seq).toBe((shape.sequence + i * mss) % 2 ** 32);
            const cleared = (i < count - 1 ? 0x09 : 0) | (i > 0 ? 0x80 : 0);
            expect(out.tcpFlags).toBe(shape.flags & ~cleared);
          }
          payload.push(...memory.subarray(OUT_AT + payloadOffset, OUT_AT + bytes));
        }
        expect(segmenter.next(OUT_AT)).toBe(0);
        expect(payload).toEqual([...frame.subarray(payloadOffset)]);
      }),
      { numRuns: 60 },
    );
  });

  it('equals building each segment by hand', () => {
    const { frame, memory, fields } = offload(TCP4, 1448);
    expect(fields).toEqual({
      flags: 1,
      gsoType: GSO_TCPV4 | GSO_ECN,
      hdrLen: 66,
      gsoSize: 1448,
      csumStart: 34,
      csumOffset: 16,
    });
    const outAt = [OUT_AT, OUT_AT + 2048, OUT_AT + 4096];
    const outBytes = new Uint32Array(3);
    expect(segment(new Segmenter(memory), FRAME_AT, frame.length, fields, outAt, outBytes, 3)).toBe(3);
    const sizes = [1448, 1448, 1104];
    const flags = [0x90, 0x10, 0x19];
    for (let i = 0; i < 3; i++) {
      const layers = layersOf({ ...TCP4, flags: flags[i], identification: (0xfffe + i) & 0xffff });
      const whole = layers.pop() as { kind: 'payload'; bytes: Uint8Array };
      const tcp = layers.at(-1) as { seq: number };
      tcp.seq = (TCP4.sequence + 1448 * i) % 2 ** 32;
      layers.push({ kind: 'payload', bytes: whole.bytes.subarray(1448 * i, 1448 * i + sizes[i]) });
      const expected = build(layers);
      const actual = memory.subarray(outAt[i], outAt[i] + outBytes[i]);
      expect(Buffer.from(actual).toString('hex')).toBe(Buffer.from(expected).toString('hex'));
    }
  });

  it('does not write more segments than there are buffers', () => {
    const { frame, memory, fields } = offload(TCP4, 1000);
    const segmenter = new Segmenter(memory);
    expect(segment(segmenter, FRAME_AT, frame.length, fields, [OUT_AT], new Uint32Array(1), 1)).toBe(0);
    expect(segmenter.count).toBe(4);
    expect(memory[OUT_AT]).toBe(0);
  });

  it('says why a frame cannot be segmented', () => {
    const fault = (changes: Partial<HeaderFields>, shape = TCP4, cut = 0) => {
      const { frame, memory, fields } = offload(shape, 1000);
      const segmenter = new Segmenter(memory);
      expect(segmenter.begin(FRAME_AT, frame.length - cut, { ...fields, ...changes })).toBe(0);
      return SEGMENT_FAULTS[segmenter.fault];
    };
    expect(fault({ gsoType: GSO_TCPV6 })).toBe('gso-type-mismatch');
    expect(fault({ gsoType: GSO_UDP_L4 })).toBe('gso-type-mismatch');
    expect(fault({ gsoType: 3 }, { ...TCP4, protocol: 'udp' })).toBe('gso-type-mismatch');
    expect(fault({ gsoSize: 0 })).toBe('gso-size');
    expect(fault({}, TCP4, 1)).toBe('gso-headers');
  });

  it('survives any bytes', () => {
    const { frame, memory, fields } = offload(TCP4, 1000);
    const segmenter = new Segmenter(memory);
    const mutation = fc.array(fc.tuple(fc.nat(80), fc.nat(255)), { minLength: 1, maxLength: 6 });
    fc.assert(
      fc.property(mutation, fc.nat(frame.length), fc.nat(0xff), (changes, bytes, gsoType) => {
        memory.set(frame, FRAME_AT);
        for (const [at, value] of changes) memory[FRAME_AT + at] = value;
        const count = segmenter.begin(FRAME_AT, bytes, { ...fields, gsoType });
        for (let i = 0; i < count; i++)
          expect(segmenter.next(OUT_AT)).toBeLessThanOrEqual(segmenter.headerBytes + 1000);
        expect(memory[OUT_AT + 4096]).toBe(0);
      }),
    );
  });
});

function headerChecksum(memory: Uint8Array, at: number): number {
  let sum = 0;
  for (let i = 0; i < (memory[at] & 15) * 4; i += 2) sum += (memory[at + i] << 8) | memory[at + i + 1];
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return sum;
}
