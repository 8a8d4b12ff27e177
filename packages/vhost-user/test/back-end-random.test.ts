import { eventFd, type Fd, memfd } from '@vhostlab/host';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  BACKEND_MESSAGES,
  BACKEND_PROTOCOL_FEATURES,
  encodeMessage,
  FRONT_MESSAGES,
  frameBytes,
  frontMessageNamed,
  type Payload,
} from '../src/index.ts';
import { FakeDevice } from '../test-kit/index.ts';
import { Channel, Rig, region, ringAddr } from './back-end-rig.ts';

let event: Fd;
let file: Fd;
beforeAll(() => {
  event = eventFd();
  file = memfd('random', 1 << 20);
});
afterAll(() => {
  event.close();
  file.close();
});

const index = fc.constantFrom(0, 0, 0, 1, 1, 1, 2);
const small = fc.bigInt({ min: 0n, max: 0x200000n });
const regions = fc
  .record({
    gpa: fc.integer({ min: 0, max: 3 }),
    pages: fc.integer({ min: 0, max: 256 }),
    offset: fc.constantFrom(0, 4096, 100),
  })
  .map(({ gpa, pages, offset }) => region(gpa * 0x80000, pages * 4096, offset));

/** Payloads that are nearly right, so that much of them is accepted. */
const PAYLOADS: Record<string, fc.Arbitrary<Payload>> = {
  empty: fc.constant({ kind: 'empty' }),
  u64: fc
    .oneof(
      fc.constantFrom(
        0n,
        1n,
        8n,
        0xbn,
        0xfn,
        0x1_4000_0000n,
        0x1_4400_0000n,
        0x3_4000_0000n,
        0x5_4000_0000n,
        1500n,
      ),
      fc.constantFrom(BACKEND_PROTOCOL_FEATURES, BACKEND_PROTOCOL_FEATURES & ~0x4000n),
    )
    .map((value) => ({ kind: 'u64', value })),
  'vring-fd': fc.record({
    kind: fc.constant('vring-fd'),
    index,
    noFd: fc.boolean(),
    reserved: fc.constant(0n),
  }),
  mac: fc.constant({ kind: 'mac', mac: new Uint8Array(6) }),
  state: fc.record({
    kind: fc.constant('state'),
    index,
    num: fc.constantFrom(0, 1, 2, 64, 256, 300, 0x8000),
  }),
  addr: fc
    .record({ index, flags: fc.constantFrom(0, 1, 2), other: index })
    .map(({ index, flags, other }) => ({ ...ringAddr(other, flags), index })),
  'mem-table': fc.array(regions, { maxLength: 3 }).map((list) => ({ kind: 'mem-table', regions: list })),
  'mem-region': regions.map((one) => ({ kind: 'mem-region', region: one })),
  log: fc.record({
    kind: fc.constant('log'),
    mmapSize: fc.constantFrom(0n, 32n, 4096n),
    mmapOffset: fc.constantFrom(0n, 1n),
  }),
  iotlb: fc.record({
    kind: fc.constant('iotlb'),
    iova: small,
    size: small,
    uaddr: small.map((at) => 0x7f0000000000n + at),
    perm: fc.integer({ min: 0, max: 4 }),
    type: fc.integer({ min: 0, max: 4 }),
  }),
  config: fc
    .record({ offset: fc.integer({ min: 0, max: 30 }), size: fc.integer({ min: 1, max: 8 }) })
    .map(({ offset, size }) => ({
      kind: 'config',
      offset: Math.min(offset, 20),
      size,
      flags: 0,
      region: new Uint8Array(size),
    })),
  inflight: fc.record({
    kind: fc.constant('inflight'),
    mmapSize: fc.constantFrom(0n, 8320n, 16384n),
    mmapOffset: fc.constant(0n),
    numQueues: fc.integer({ min: 0, max: 3 }),
    queueSize: fc.constantFrom(0, 64, 256),
  }),
  transfer: fc.record({
    kind: fc.constant('transfer'),
    direction: fc.integer({ min: 0, max: 2 }),
    phase: fc.constantFrom(0, 1),
  }),
  uuid: fc.constant({ kind: 'uuid', uuid: new Uint8Array(16) }),
  opaque: fc.constant({ kind: 'opaque', bytes: new Uint8Array(8) }),
};

interface Sent {
  bytes: Uint8Array;
  fds: number;
}

const anyMessage: fc.Arbitrary<Sent> = fc
  .oneof({ weight: 19, arbitrary: fc.constantFrom(...BACKEND_MESSAGES) }, fc.constantFrom(...FRONT_MESSAGES))
  .chain((row) =>
    fc
      .record({
        payload: PAYLOADS[row.payload],
        needReply: fc.integer({ min: 0, max: 19 }).map((n) => n > 0),
        extra: fc.integer({ min: 0, max: 80 }),
      })
      .map(({ payload, needReply, extra }) => {
        const right =
          payload.kind === 'mem-table'
            ? payload.regions.length
            : payload.kind === 'vring-fd'
              ? payload.noFd
                ? 0
                : 1
              : row.fds[0];
        const fds = extra === 1 ? right + 1 : right;
        const bytes = encodeMessage({ request: row.request, payload, needReply });
        return { bytes: extra === 2 ? bytes.subarray(0, -1) : bytes, fds };
      }),
  );

/** What makes a device run, mixed in so that the random messages meet a state that is worth something. */
const opening: Sent[] = (
  [
    ['SET_PROTOCOL_FEATURES', { kind: 'u64', value: BACKEND_PROTOCOL_FEATURES }, 0],
    ['SET_FEATURES', { kind: 'u64', value: 0x1_4000_0000n }, 0],
    ['SET_MEM_TABLE', { kind: 'mem-table', regions: [region(0, 0x80000)] }, 1],
    ['SET_VRING_NUM', { kind: 'state', index: 0, num: 256 }, 0],
    ['SET_VRING_ADDR', ringAddr(0), 0],
    ['SET_VRING_KICK', { kind: 'vring-fd', index: 0, noFd: false, reserved: 0n }, 1],
  ] as const
).map(([name, payload, fds]) => ({
  bytes: encodeMessage({ request: frontMessageNamed(name).request, payload }),
  fds,
}));

const sum = (numbers: Readonly<Record<string, number>>) => Object.values(numbers).reduce((a, b) => a + b, 0);

/** Waits until the back end has handled what it was sent: nothing changes over several turns of the event loop. */
async function quiet(rig: Rig): Promise<void> {
  for (let still = 0, before = -1; still < 4; ) {
    await new Promise((resolve) => setImmediate(resolve));
    const now = sum(rig.session.counters().messages);
    still = now === before ? still + 1 : 0;
    before = now;
  }
}

test('any messages in any order: nothing throws, every refusal is one, all is given back', async () => {
  let handled = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(0, 1, 2, 3, 4, 5, 6, 6, 6, 6, 6, 6),
      fc.array(anyMessage, { maxLength: 40 }),
      async (start, messages) => {
        const rig = new Rig({
          device: new FakeDevice({ features: 0x7_0000_0000n, protocolFeatures: BACKEND_PROTOCOL_FEATURES }),
        });
        rig.channels.push(new Channel());
        for (const { bytes, fds } of [...opening.slice(0, start), ...messages]) {
          const isMemory = bytes[0] === 5 || bytes[0] === 37 || bytes[0] === 6 || bytes[0] === 32;
          rig.raw(
            bytes,
            Array.from({ length: fds }, () => (isMemory ? file : event)),
          );
        }
        await quiet(rig);
        const reason = await rig.end();
        expect(reason.why).toMatch(/^(peer|violation)$/);
        const { messages: seen, refusals } = rig.session.counters();
        expect(sum(refusals)).toBe(rig.refusals.length);
        handled += sum(seen) - sum(refusals);
        expect(rig.mapper.mapped.size).toBe(0);
        expect(rig.device.running.size).toBe(0);
        expect([...rig.device.callFds.values()].every((fd) => fd === null || fd.number >= 0)).toBe(true);
      },
    ),
    { numRuns: 200 },
  );
  // the messages are not all refused at the door
  expect(handled).toBeGreaterThan(1000);
});

test('a peer that closes after any byte of a handshake (item 8)', async () => {
  const stream = Buffer.concat(opening.map(({ bytes }) => bytes));
  for (let cut = 0; cut < stream.length; cut += 7) {
    const rig = new Rig({ device: new FakeDevice({ protocolFeatures: BACKEND_PROTOCOL_FEATURES }) });
    let at = 0;
    for (const { bytes, fds } of opening) {
      if (at < cut)
        rig.raw(
          bytes.subarray(0, cut - at),
          Array.from({ length: fds }, () => file),
        );
      at += bytes.length;
    }
    expect((await rig.end()).why).toBe('peer');
    expect(rig.mapper.mapped.size).toBe(0);
  }
});

test('bytes that are no messages at all', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.uint8Array({ minLength: 1, maxLength: 64 }), { maxLength: 20 }),
      async (writes) => {
        const rig = new Rig({ device: new FakeDevice({ protocolFeatures: BACKEND_PROTOCOL_FEATURES }) });
        for (const bytes of writes)
          rig.raw(frameBytes({ request: bytes[0] % 50, flags: bytes[0] & 15, size: bytes.length }, bytes));
        for (const bytes of writes) rig.raw(bytes);
        expect((await rig.end()).why).toMatch(/^(peer|violation)$/);
      },
    ),
    { numRuns: 60 },
  );
});
