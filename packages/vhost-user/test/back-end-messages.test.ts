import { describe, expect, test } from 'vitest';
import {
  EMPTY,
  encodeMessage,
  FRONT,
  FRONT_MESSAGES,
  frameBytes,
  protocolMask,
  u64Payload,
} from '../src/index.ts';
import { FakeDevice } from '../test-kit/index.ts';
import { endRigs, negotiatedRig, newRig } from './back-end-rigs.ts';

endRigs();

describe('headers and payloads (items 2 to 5)', () => {
  const raw = (request: number, flags: number, size: number, bytes = size) =>
    frameBytes({ request, flags, size }, new Uint8Array(bytes));

  test.each([0, 2, 3])(
    'version %i ends the connection, even when an answer is asked for',
    async (version) => {
      const at = await negotiatedRig();
      at.raw(raw(FRONT.SET_OWNER, version | 8, 0));
      expect((await at.closed())?.code).toBe('version');
    },
  );

  test('a request that is marked as a reply ends the connection', async () => {
    const at = await negotiatedRig();
    at.raw(raw(FRONT.GET_FEATURES, 5, 0));
    expect((await at.closed())?.code).toBe('reply-bit');
  });

  test('reserved flags are refused', async () => {
    const at = await negotiatedRig();
    at.raw(raw(FRONT.SET_OWNER, 0x19, 0));
    expect((await at.answer()).payload).toEqual(u64Payload(1));
    at.raw(raw(FRONT.SET_OWNER, 0x11, 0));
    expect((await at.closed())?.code).toBe('reserved-flags');
  });

  test.each([0, 45, 99, 0xffffffff])(
    'request %i is refused, and ends the connection if nobody asked',
    async (request) => {
      const at = await negotiatedRig();
      at.raw(raw(request, 9, 8));
      expect((await at.answer()).payload).toEqual(u64Payload(1));
      at.raw(raw(request, 1, 8));
      expect((await at.closed())?.code).toBe('unknown-request');
      // invented numbers do not fill memory
      expect(at.session.counters().messages.unknown).toBe(2);
    },
  );

  test('every message whose payload has a byte too few or too many is refused', async () => {
    for (const row of FRONT_MESSAGES) {
      if (row.payload === 'opaque' || row.reply !== null) continue;
      const at = await negotiatedRig();
      const right = {
        empty: 0,
        'mem-table': 40,
        config: 12,
        addr: 40,
        'mem-region': 40,
        inflight: 24,
        log: 16,
      }[row.payload as string];
      for (const size of [(right ?? 8) - 1, (right ?? 8) + 1]) {
        if (size < 0) continue;
        at.raw(
          raw(row.request, 9, size),
          Array.from({ length: row.fds[0] }, () => at.event()),
        );
        expect((await at.answer()).payload, row.name).toEqual(u64Payload(1));
        expect(at.refusals.at(-1)?.code, row.name).toBe('size');
      }
    }
  });

  test('a payload of 5000 bytes ends the connection', async () => {
    const at = await negotiatedRig();
    at.raw(raw(FRONT.SET_FEATURES, 9, 5000));
    await at.closed();
    expect(at.reason).toMatchObject({ why: 'peer' });
    expect(await at.session.finished).toMatchObject({ why: 'violation', clause: 'vhost-user, Header' });
  });

  test('descriptors on every message that takes none, and one too many on every other', async () => {
    for (const row of FRONT_MESSAGES) {
      if (row.reply !== null && row.replyWhen !== 'postcopy') continue;
      if (row.payload === 'opaque' || row.name === 'SET_MEM_TABLE') continue;
      const at = await negotiatedRig();
      const size =
        { empty: 0, config: 13, addr: 40, 'mem-region': 40, inflight: 24 }[row.payload as string] ?? 8;
      const bytes = raw(row.request, 9, size);
      if (row.payload === 'config') bytes[16] = 1;
      at.raw(
        bytes,
        Array.from({ length: row.fds[1] + 1 }, () => at.event()),
      );
      expect((await at.answer()).payload, row.name).toEqual(u64Payload(1));
      expect(at.refusals.at(-1)?.code, row.name).toBe('fd-count');
    }
  });

  test('a question that comes with a descriptor ends the connection: no answer could say why', async () => {
    const at = await negotiatedRig();
    at.post('GET_FEATURES', EMPTY, [at.event()]);
    expect((await at.closed())?.code).toBe('fd-count');
  });

  test.each([9, 100, 253])('%i descriptors on one message', async (count) => {
    const at = await negotiatedRig();
    const fd = at.event();
    at.raw(
      encodeMessage({ request: FRONT.SET_OWNER, payload: EMPTY, needReply: true }),
      Array.from({ length: count }, () => fd),
    );
    expect((await at.answer()).payload).toEqual(u64Payload(1));
  });

  test('descriptors behind the first byte of a message', async () => {
    const at = await negotiatedRig();
    const bytes = encodeMessage({
      request: FRONT.SET_FEATURES,
      payload: u64Payload(0x1_0000_0000n),
      needReply: true,
    });
    at.raw(bytes.subarray(0, 12));
    at.raw(bytes.subarray(12), [at.event()]);
    expect((await at.answer()).payload).toEqual(u64Payload(1));
    expect(at.refusals[0].code).toBe('stray-fds');
    expect(at.session.counters().strayFds).toBe(1);
  });

  test('a message that needs a feature which is not negotiated', async () => {
    for (const row of FRONT_MESSAGES) {
      if (row.feature === undefined || row.reply !== null || row.payload !== 'u64') continue;
      const at = newRig({ device: new FakeDevice({ protocolFeatures: protocolMask('REPLY_ACK') }) });
      await at.negotiate();
      expect(await at.askNumber(row.name, u64Payload(1500))).toBe(1n);
      expect(at.refusals[0].code).toBe('not-negotiated');
    }
  });

  test('postcopy is refused: it is not offered', async () => {
    const at = await negotiatedRig();
    expect(await at.askNumber('POSTCOPY_LISTEN')).toBe(1n);
    expect(await at.askNumber('POSTCOPY_END')).toBe(1n);
    at.post('POSTCOPY_ADVISE');
    expect((await at.closed())?.code).toBe('not-negotiated');
  });
});
