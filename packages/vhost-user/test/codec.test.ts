import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  BACK_MESSAGES,
  type Channel,
  decodeMessage,
  encodeMessage,
  explainMessage,
  FRONT,
  FRONT_MESSAGES,
  frameBytes,
  type Payload,
  type PayloadKind,
  type Role,
  u64Payload,
} from '../src/index.ts';

const u8 = fc.integer({ min: 0, max: 0xff });
const u16 = fc.integer({ min: 0, max: 0xffff });
const u32 = fc.integer({ min: 0, max: 0xffffffff });
const u64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
const region = fc.record({ guestPhysAddr: u64, memorySize: u64, userspaceAddr: u64, mmapOffset: u64 });
const bytes = (minLength: number, maxLength: number) => fc.uint8Array({ minLength, maxLength });

const PAYLOADS: { [K in PayloadKind]: fc.Arbitrary<Payload> } = {
  empty: fc.constant({ kind: 'empty' }),
  u64: fc.record({ kind: fc.constant('u64'), value: u64 }),
  'vring-fd': fc.record({
    kind: fc.constant('vring-fd'),
    index: u8,
    noFd: fc.boolean(),
    reserved: fc.constant(0n),
  }),
  mac: fc.record({ kind: fc.constant('mac'), mac: bytes(6, 6) }),
  'state-fd': fc.record({ kind: fc.constant('state-fd'), error: u8, noFd: fc.boolean() }),
  state: fc.record({ kind: fc.constant('state'), index: u32, num: u32 }),
  addr: fc.record({
    kind: fc.constant('addr'),
    index: u32,
    flags: u32,
    desc: u64,
    used: u64,
    avail: u64,
    logGuestAddr: u64,
  }),
  'mem-table': fc.record({
    kind: fc.constant('mem-table'),
    regions: fc.array(region, { minLength: 1, maxLength: 8 }),
  }),
  'mem-region': fc.record({ kind: fc.constant('mem-region'), region }),
  log: fc.record({ kind: fc.constant('log'), mmapSize: u64, mmapOffset: u64 }),
  iotlb: fc.record({ kind: fc.constant('iotlb'), iova: u64, size: u64, uaddr: u64, perm: u8, type: u8 }),
  config: fc
    .record({ offset: u32, flags: u32, region: bytes(1, 256) })
    .map((value) => ({ kind: 'config', size: value.region.length, ...value })),
  'vring-area': fc.record({
    kind: fc.constant('vring-area'),
    index: u8,
    noFd: fc.boolean(),
    size: u64,
    offset: u64,
  }),
  inflight: fc.record({
    kind: fc.constant('inflight'),
    mmapSize: u64,
    mmapOffset: u64,
    numQueues: u16,
    queueSize: u16,
  }),
  transfer: fc.record({ kind: fc.constant('transfer'), direction: u32, phase: u32 }),
  uuid: fc.record({ kind: fc.constant('uuid'), uuid: bytes(16, 16) }),
  opaque: fc.record({ kind: fc.constant('opaque'), bytes: bytes(0, 64) }),
};

/** How many descriptors belong to a message. */
function fdsFor(payload: Payload, least: number): number {
  if (payload.kind === 'mem-table') return payload.regions.length;
  if (payload.kind === 'vring-fd') return payload.noFd ? 0 : 1;
  return least;
}

const rows = [
  ...FRONT_MESSAGES.map((row) => ({ channel: 'main' as Channel, row })),
  ...BACK_MESSAGES.map((row) => ({ channel: 'backend' as Channel, row })),
];

test.each(rows)(
  '$channel $row.name: requests and replies survive encoding and decoding',
  ({ channel, row }) => {
    const check = (role: Role, kind: PayloadKind, least: number) =>
      fc.assert(
        fc.property(PAYLOADS[kind], fc.boolean(), (payload, needReply) => {
          const encoded = encodeMessage({ request: row.request, payload, role, needReply });
          // an acknowledgement of a message never carries the flag
          if (role === 'reply' && needReply) return;
          const fds = role === 'request' ? fdsFor(payload, least) : least;
          const message = decodeMessage(encoded, channel, role, fds);
          expect(message.problems).toEqual([]);
          expect(message.payload).toEqual(payload);
          expect(message.needReply).toBe(needReply);
          expect(message.row).toBe(row);
          expect(explainMessage(message)).toContain(row.name);
        }),
        { numRuns: 30 },
      );
    check('request', row.payload, row.fds[0]);
    check('reply', row.reply ?? 'u64', row.replyFds?.[0] ?? 0);
  },
);

test('no bytes make the decoder throw, and what it takes for good it encodes back to the same bytes', () => {
  const anything = fc.oneof(
    bytes(0, 64),
    fc
      .tuple(fc.integer({ min: 0, max: 50 }), fc.integer({ min: 0, max: 17 }), bytes(0, 300))
      .map(([request, flags, payload]) => frameBytes({ request, flags, size: payload.length }, payload)),
  );
  fc.assert(
    fc.property(
      anything,
      fc.constantFrom<Channel>('main', 'backend'),
      fc.constantFrom<Role>('request', 'reply'),
      fc.integer({ min: 0, max: 8 }),
      (input, channel, role, fds) => {
        const message = decodeMessage(input, channel, role, fds);
        expect(explainMessage(message).split('\n').length).toBeGreaterThanOrEqual(
          1 + message.problems.length,
        );
        if (message.payload === null) expect(message.problems).not.toEqual([]);
        // padding and reserved bytes are not kept, so only their length is compared
        else if (message.problems.length === 0) {
          const { request } = message.header;
          const again = encodeMessage({
            request,
            payload: message.payload,
            role,
            needReply: message.needReply,
          });
          expect(again.length).toBe(input.length);
          expect(again.subarray(0, 12)).toEqual(input.subarray(0, 12));
        }
      },
    ),
    { numRuns: 2000 },
  );
});

test('every size but the right one is a problem', () => {
  for (const { channel, row } of rows) {
    if (row.payload === 'opaque') continue;
    const right = fc.sample(PAYLOADS[row.payload], { numRuns: 1, seed: 7 })[0];
    const good = encodeMessage({ request: row.request, payload: right });
    const payload = good.subarray(12);
    for (const wrong of [payload.subarray(0, -1), Uint8Array.of(...payload, 0)]) {
      if (wrong.length === payload.length) continue;
      const bad = frameBytes({ request: row.request, flags: 1, size: wrong.length }, wrong);
      const { problems } = decodeMessage(bad, channel, 'request', fdsFor(right, row.fds[0]));
      expect(problems.map((found) => found.code)).toContain('size');
    }
  }
});

/** Codes of the problems of a request on the main socket. */
function codes(input: Uint8Array, fds = 0): string[] {
  return decodeMessage(input, 'main', 'request', fds).problems.map((found) => found.code);
}

test('version, reply bit and reserved bits of a header', () => {
  const get = (flags: number) =>
    codes(frameBytes({ request: FRONT.GET_FEATURES, flags, size: 0 }, new Uint8Array(0)));
  expect([get(0), get(2), get(3)]).toEqual([['version'], ['version'], ['version']]);
  expect(get(5)).toEqual(['reply-bit']);
  expect(get(0x11)).toEqual(['reserved-flags']);
  expect(get(0x80000001)).toEqual(['reserved-flags']);
  expect(get(9)).toEqual([]);
});

test('an answer needs the reply bit and must not have need_reply', () => {
  const reply = (flags: number) =>
    decodeMessage(
      frameBytes({ request: FRONT.GET_FEATURES, flags, size: 8 }, new Uint8Array(8)),
      'main',
      'reply',
    ).problems.map((found) => found.code);
  expect(reply(5)).toEqual([]);
  expect(reply(1)).toEqual(['no-reply-bit']);
  expect(reply(0xd)).toEqual(['reserved-flags']);
});

test('header and size', () => {
  expect(codes(new Uint8Array(11))).toEqual(['short-header']);
  expect(
    codes(frameBytes({ request: FRONT.SET_FEATURES, flags: 1, size: 0xffffffff }, new Uint8Array(8))),
  ).toEqual(['short-payload']);
  expect(codes(encodeMessage({ request: 99, payload: u64Payload(1) }))).toEqual(['unknown-request']);
  expect(codes(encodeMessage({ request: 0, payload: { kind: 'empty' } }))).toEqual(['unknown-request']);
});

test('a memory table of nine regions, or of fewer bytes than it names', () => {
  const nine = new Uint8Array(8 + 9 * 32);
  nine[0] = 9;
  expect(codes(frameBytes({ request: FRONT.SET_MEM_TABLE, flags: 1, size: nine.length }, nine), 1)).toEqual([
    'region-count',
  ]);
  const two = new Uint8Array(8 + 32);
  two[0] = 2;
  expect(codes(frameBytes({ request: FRONT.SET_MEM_TABLE, flags: 1, size: two.length }, two), 1)).toEqual([
    'size',
  ]);
});

test('descriptors: as many as regions, none with bit 8, none where none belong', () => {
  const table = {
    kind: 'mem-table',
    regions: [1n, 2n].map((n) => ({ guestPhysAddr: n, memorySize: n, userspaceAddr: n, mmapOffset: n })),
  } as const;
  const message = encodeMessage({ request: FRONT.SET_MEM_TABLE, payload: table });
  expect([codes(message, 1), codes(message, 2), codes(message, 3)]).toEqual([['fd-count'], [], ['fd-count']]);
  const kick = (noFd: boolean) =>
    encodeMessage({
      request: FRONT.SET_VRING_KICK,
      payload: { kind: 'vring-fd', index: 0, noFd, reserved: 0n },
    });
  expect([codes(kick(true), 1), codes(kick(false), 0), codes(kick(true), 0), codes(kick(false), 1)]).toEqual([
    ['fd-count'],
    ['fd-count'],
    [],
    [],
  ]);
  expect(codes(encodeMessage({ request: FRONT.GET_FEATURES, payload: { kind: 'empty' } }), 1)).toEqual([
    'fd-count',
  ]);
});

test('a ring number above 255 in a kick message is reserved bits, not ring 0', () => {
  const wide = encodeMessage({ request: FRONT.SET_VRING_KICK, payload: u64Payload(0x10000) });
  expect(codes(wide, 1)).toEqual(['reserved-bits']);
});

test('SET_LOG_BASE and GET_CONFIG are answered in two sizes', () => {
  const log = (size: number) =>
    decodeMessage(
      frameBytes({ request: FRONT.SET_LOG_BASE, flags: 5, size }, new Uint8Array(size)),
      'main',
      'reply',
    );
  expect([log(0).payload?.kind, log(8).payload?.kind, log(4).payload]).toEqual(['empty', 'u64', null]);
  const error = new Uint8Array(12);
  error[4] = 28;
  const config = decodeMessage(
    frameBytes({ request: FRONT.GET_CONFIG, flags: 5, size: 12 }, error),
    'main',
    'reply',
  );
  expect(config.problems).toEqual([]);
  expect(config.payload).toMatchObject({ size: 28, region: new Uint8Array(0) });
});
