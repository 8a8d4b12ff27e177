import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  decodeBurstRequest,
  decodeBurstResponse,
  encodeBurstRequest,
  encodeBurstResponse,
} from '../src/burst/burst-codec.ts';
import { ExchangeRequestSchema, ExchangeResponseSchema } from '../src/gen/vhostlab/backend/v1/burst_pb.ts';

const uint64 = fc.oneof(
  fc.bigInt(0n, 2n ** 64n - 1n),
  fc.constantFrom(0n, 127n, 128n, 2n ** 53n - 1n, 2n ** 53n, 2n ** 63n, 2n ** 64n - 1n),
);
const uint32 = fc.oneof(fc.nat(), fc.constantFrom(0, 127, 128, 16383, 16384, 2 ** 32 - 1));
const bytes = fc.uint8Array({ maxLength: 300 });
const request = fc.record({
  id: fc.string({ unit: 'grapheme' }),
  sequence: uint64,
  nowPs: uint64,
  port: uint32,
  frames: fc.array(bytes, { maxLength: 5 }),
});
const response = fc.record({
  sequence: uint64,
  outputs: fc.array(fc.record({ port: uint32, source: uint32, delayPs: uint64, frame: bytes }), {
    maxLength: 5,
  }),
  drops: fc.array(fc.record({ reason: fc.string(), count: uint64 }), { maxLength: 3 }),
  charges: fc.array(fc.record({ op: fc.string(), count: uint32, bytes: uint64 }), { maxLength: 3 }),
});

/** What both readers make of bytes: the message, or that it is none. */
function read<T>(decode: (bytes: Uint8Array) => T, from: Uint8Array): unknown {
  try {
    return plain(decode(from));
  } catch {
    return 'no message';
  }
}

/** Without what nobody asked for: unknown fields. */
function plain(message: unknown): unknown {
  return JSON.parse(
    JSON.stringify(message, (key, value) => {
      if (key === '$unknown') return undefined;
      if (typeof value === 'bigint') return `${value}n`;
      return value instanceof Uint8Array ? Buffer.from(value).toString('hex') : value;
    }),
  );
}

describe('the messages of bursts by hand', () => {
  it('are written as protobuf writes them, and read back', () => {
    fc.assert(
      fc.property(request, (value) => {
        const ours = encodeBurstRequest(value);
        expect(ours).toEqual(toBinary(ExchangeRequestSchema, create(ExchangeRequestSchema, value)));
        expect(plain(decodeBurstRequest(ours))).toEqual(plain(fromBinary(ExchangeRequestSchema, ours)));
      }),
      { numRuns: 300 },
    );
    fc.assert(
      fc.property(response, (value) => {
        const ours = encodeBurstResponse(value);
        expect(ours).toEqual(
          toBinary(ExchangeResponseSchema, create(ExchangeResponseSchema, value as never)),
        );
        expect(plain(decodeBurstResponse(ours))).toEqual(plain(fromBinary(ExchangeResponseSchema, ours)));
      }),
      { numRuns: 300 },
    );
  });

  it('are refused where protobuf refuses them: messages that are cut', () => {
    const cut = (whole: Uint8Array, at: number) =>
      whole.subarray(0, whole.length === 0 ? 0 : at % whole.length);
    fc.assert(
      fc.property(request.map(encodeBurstRequest), fc.nat(), (whole, at) => {
        const from = cut(whole, at);
        expect(read(decodeBurstRequest, from)).toEqual(
          read((one) => fromBinary(ExchangeRequestSchema, one), from),
        );
      }),
      { numRuns: 500 },
    );
    fc.assert(
      fc.property(response.map(encodeBurstResponse), fc.nat(), (whole, at) => {
        const from = cut(whole, at);
        expect(read(decodeBurstResponse, from)).toEqual(
          read((one) => fromBinary(ExchangeResponseSchema, one), from),
        );
      }),
      { numRuns: 500 },
    );
  });

  it('that are made up are a message or an Error, in bounded time, and views stay inside', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (from) => {
        for (const found of [read(decodeBurstRequest, from), read(decodeBurstResponse, from)]) {
          expect(found === 'no message' || typeof found === 'object').toBe(true);
        }
      }),
      { numRuns: 2000 },
    );
    const unknown = Uint8Array.of(
      0x08,
      1,
      0xf8,
      0x06,
      5,
      0xfd,
      0x06,
      1,
      2,
      3,
      4,
      0xf9,
      0x06,
      1,
      2,
      3,
      4,
      5,
      6,
      7,
      8,
      0xfa,
      0x06,
      1,
      9,
    );
    expect(decodeBurstResponse(unknown)).toMatchObject({ sequence: 1n, outputs: [], drops: [], charges: [] });
    expect(plain(decodeBurstResponse(unknown))).toEqual(plain(fromBinary(ExchangeResponseSchema, unknown)));
    for (const wrong of [
      [0x00, 1],
      [0x0b],
      [0x12, 0xff, 0xff, 0xff, 0xff, 0x0f],
      Array(12).fill(0xff),
      [0x0e],
    ]) {
      expect(() => decodeBurstResponse(Uint8Array.from(wrong))).toThrow(Error);
    }
  });
});
