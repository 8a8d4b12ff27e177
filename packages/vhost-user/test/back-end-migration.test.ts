import { type Fd, pipe, readBytes, writeBytes } from '@vhostlab/host';
import { afterEach, describe, expect, test } from 'vitest';
import {
  BACKEND_PROTOCOL_FEATURES,
  EMPTY,
  encodeMessage,
  FRONT,
  IOTLB_INVALIDATE,
  IOTLB_MISS,
  IOTLB_UPDATE,
  type RefusalCode,
  u64Payload,
} from '../src/index.ts';
import { FakeDevice } from '../test-kit/index.ts';
import { Channel, Rig, region, ringAddr, state, USER_BASE, vringFd } from './back-end-rig.ts';

const rigs: Rig[] = [];
afterEach(async () => {
  for (const rig of rigs.splice(0)) {
    await rig.end();
    expect(rig.mapper.mapped.size).toBe(0);
  }
});

async function rig(features?: bigint, offered = 0x3_3000_8000n): Promise<Rig> {
  const device = new FakeDevice({ features: offered, protocolFeatures: BACKEND_PROTOCOL_FEATURES });
  const made = new Rig({ device });
  rigs.push(made);
  await made.negotiate(features);
  return made;
}

const MIB = 1 << 20;

describe('dirty log (item 34)', () => {
  const log = (size: bigint | number, offset: bigint | number = 0) =>
    ({ kind: 'log', mmapSize: BigInt(size), mmapOffset: BigInt(offset) }) as const;

  const cases: [string, RefusalCode, ReturnType<typeof log>, number][] = [
    ['empty', 'log-size', log(0), 4096],
    ['smaller than memory', 'log-size', log(31), 4096],
    ['longer than its file', 'log-file', log(8192), 4096],
    ['behind the end of its file', 'log-file', log(4096, 4096), 4096],
    ['offset and size overflow', 'log-size', log(4096, 2n ** 64n - 4096n), 4096],
    ['above all memory', 'log-size', log(2n ** 40n), 4096],
  ];
  test.each(cases)(
    'a log that is %s ends the connection: its answer cannot say no',
    async (_name, code, payload, bytes) => {
      const at = await rig();
      await at.shareMemory();
      at.post('SET_LOG_BASE', payload, [at.file(bytes)], true);
      expect((await at.closed())?.code).toBe(code);
      expect(at.device.log).toBeNull();
    },
  );

  test('something that is no file', async () => {
    const at = await rig();
    at.post('SET_LOG_BASE', log(4096), [at.event()]);
    expect((await at.closed())?.code).toBe('log-file');
  });

  test('the answer has no payload; a new log replaces the former, which is unmapped', async () => {
    const at = await rig();
    await at.shareMemory();
    for (const bytes of [4096, 8192]) {
      at.post('SET_LOG_BASE', log(bytes), [at.file(bytes)]);
      expect((await at.answer()).header).toEqual({ request: FRONT.SET_LOG_BASE, flags: 5, size: 0 });
    }
    expect(at.device.log?.bytes).toBe(8192);
    expect(at.mapper.mapped.size).toBe(2);
  });

  test('a used ring is logged where the front end says, if the log covers it', async () => {
    const at = await rig();
    await at.shareMemory();
    at.post('SET_LOG_BASE', log(32), [at.file(4096)]);
    await at.answer();
    await at.setUpRing(0);
    expect(await at.askNumber('SET_VRING_ADDR', ringAddr(0, 1))).toBe(0n);
    expect(at.device.running.get(0)!.usedLogGpa).toBe(0x8000);
    expect(await at.askNumber('SET_VRING_ADDR', ringAddr(0, 0))).toBe(0n);
    expect(at.device.running.get(0)!.usedLogGpa).toBeNull();
    for (const logGuestAddr of [BigInt(MIB) - 2052n + 2n, BigInt(MIB), 2n ** 64n - 1n]) {
      expect(await at.askNumber('SET_VRING_ADDR', { ...ringAddr(0, 1), logGuestAddr })).toBe(1n);
      expect(at.refusals.at(-1)?.code).toBe('log-size');
    }
    const last = { ...ringAddr(0, 1), logGuestAddr: BigInt(MIB) - 2052n };
    expect(await at.askNumber('SET_VRING_ADDR', last)).toBe(0n);
  });

  test('a log that does not cover a used ring that is to be logged', async () => {
    const at = await rig();
    await at.shareMemory();
    at.post('SET_VRING_NUM', state(0, 256));
    at.post('SET_VRING_ADDR', { ...ringAddr(0, 1), logGuestAddr: BigInt(MIB) });
    at.post('SET_LOG_BASE', log(32), [at.file(4096)]);
    expect((await at.closed())?.code).toBe('log-size');
  });

  test('SET_LOG_FD keeps one descriptor', async () => {
    const at = await rig();
    expect(await at.askNumber('SET_LOG_FD', EMPTY, [at.event()])).toBe(0n);
    expect(await at.askNumber('SET_LOG_FD', EMPTY, [at.event()])).toBe(0n);
  });
});

describe('inflight region (item 35)', () => {
  const inflight = (
    mmapSize: bigint | number,
    numQueues: number,
    queueSize: number,
    mmapOffset: bigint | number = 0,
  ) =>
    ({
      kind: 'inflight',
      mmapSize: BigInt(mmapSize),
      mmapOffset: BigInt(mmapOffset),
      numQueues,
      queueSize,
    }) as const;
  /** The fake device wants 16 + 16 n bytes per queue, rounded up to 64. */
  const stride = 4160;

  test('a region is made, mapped, sent with its file', async () => {
    const at = await rig();
    const answer = await at.ask('GET_INFLIGHT_FD', inflight(0, 2, 256));
    expect(answer.payload).toEqual(inflight(2 * stride, 2, 256));
    expect(answer.fdCount).toBe(1);
    expect(await at.askNumber('SET_INFLIGHT_FD', inflight(2 * stride, 2, 256), [at.lastFd])).toBe(0n);
    expect(at.device.inflight).toMatchObject({ fresh: false, bytesPerQueue: stride });
    expect(at.mapper.mapped.size).toBe(1);
  });

  const bad: [string, RefusalCode, ReturnType<typeof inflight>][] = [
    ['no queue', 'inflight-size', inflight(stride, 0, 256)],
    ['more queues than there are', 'inflight-size', inflight(100 * stride, 3, 256)],
    ['65535 queues', 'inflight-size', inflight(2 ** 31, 65535, 256)],
    ['queues of no descriptors', 'inflight-size', inflight(stride, 1, 0)],
    ['queues larger than offered', 'inflight-size', inflight(2 ** 31, 1, 32768)],
    ['too few bytes', 'inflight-size', inflight(2 * stride - 1, 2, 256)],
    ['overflow of offset and size', 'inflight-size', inflight(2n ** 63n, 2, 256, 2n ** 63n)],
    ['more bytes than its file', 'inflight-file', inflight(65536, 2, 256)],
    ['an offset inside a page', 'inflight-file', inflight(2 * stride, 2, 256, 64)],
  ];
  test.each(bad)('SET_INFLIGHT_FD: %s', async (_name, code, payload) => {
    const at = await rig();
    expect(await at.askNumber('SET_INFLIGHT_FD', payload, [at.file(16384)])).toBe(1n);
    expect(at.refusals[0].code).toBe(code);
    expect(at.device.inflight).toBeNull();
  });

  test('GET_INFLIGHT_FD of a region that cannot be ends the connection', async () => {
    const at = await rig();
    at.post('GET_INFLIGHT_FD', inflight(0, 3, 256));
    expect((await at.closed())?.code).toBe('inflight-size');
  });

  test('not while rings run, which use the region that there is', async () => {
    const at = await rig();
    await at.shareMemory();
    await at.setUpRing(0);
    expect(await at.askNumber('SET_INFLIGHT_FD', inflight(8320, 2, 256), [at.file(16384)])).toBe(1n);
    expect(at.refusals[0].code).toBe('inflight-running');
  });
});

describe('state of the device (item 36)', () => {
  const transfer = (direction: number, phase = 0) => ({ kind: 'transfer', direction, phase }) as const;
  const end = (at: Rig): Fd => at.own(pipe()[0]);
  const error = { kind: 'state-fd', error: 1, noFd: true };

  test.each([transfer(2), transfer(0, 1), transfer(0xffffffff, 0xffffffff)])(
    '$direction in phase $phase',
    async (payload) => {
      const at = await rig();
      at.post('SET_DEVICE_STATE_FD', payload, [end(at)]);
      expect((await at.answer()).payload).toEqual(error);
      expect(at.refusals[0].code).toBe('state-value');
    },
  );

  test('not while rings run', async () => {
    const at = await rig();
    await at.shareMemory();
    await at.setUpRing(0);
    at.post('SET_DEVICE_STATE_FD', transfer(0), [end(at)]);
    expect((await at.answer()).payload).toEqual(error);
    expect(at.refusals[0].code).toBe('state-running');
  });

  test('CHECK_DEVICE_STATE without a transfer', async () => {
    const at = await rig();
    expect(await at.askNumber('CHECK_DEVICE_STATE')).toBe(1n);
  });

  test('saved and loaded; a second transfer must wait for the first', async () => {
    const at = await rig();
    let finish = () => {};
    at.device.transfer = async (fd) => {
      await new Promise<void>((resolve) => {
        finish = resolve;
      });
      return writeBytes(fd, Uint8Array.of(1, 2, 3)) === 3 ? null : 'not written';
    };
    const [read, write] = pipe();
    at.own(read);
    at.own(write);
    at.post('SET_DEVICE_STATE_FD', transfer(0), [write]);
    expect((await at.answer()).payload).toEqual({ kind: 'state-fd', error: 0, noFd: true });
    at.post('SET_DEVICE_STATE_FD', transfer(1), [end(at)]);
    expect((await at.answer()).payload).toEqual(error);
    at.post('CHECK_DEVICE_STATE');
    await new Promise((resolve) => setImmediate(resolve));
    finish();
    expect((await at.answer()).payload).toEqual(u64Payload(0));
    const into = new Uint8Array(8);
    expect(readBytes(read, into)).toBe(3);
    // the device's end is closed with the transfer
    write.close();
    expect(readBytes(read, into)).toBe('closed');
    at.device.transfer = () => Promise.reject(new Error('read error'));
    at.post('SET_DEVICE_STATE_FD', transfer(1), [end(at)]);
    await at.answer();
    expect(await at.askNumber('CHECK_DEVICE_STATE')).toBe(1n);
    expect(at.refusals.at(-1)).toMatchObject({ code: 'state-device', text: 'read error' });
  });

  test('a stream that never ends is given up when the front end goes', async () => {
    const at = await rig();
    at.device.transfer = (_fd, signal) =>
      new Promise((resolve) => signal.addEventListener('abort', () => resolve('given up')));
    at.post('SET_DEVICE_STATE_FD', transfer(1), [end(at)]);
    await at.answer();
    at.post('CHECK_DEVICE_STATE');
    for (let i = 0; i < 5; i++) await new Promise((resolve) => setImmediate(resolve));
    expect(await at.end()).toMatchObject({ why: 'peer' });
    rigs.pop();
  });
});

describe('I/O translations', () => {
  const update = (iova: bigint | number, size: bigint | number, uaddr: bigint, perm = 3) =>
    ({ kind: 'iotlb', iova: BigInt(iova), size: BigInt(size), uaddr, perm, type: IOTLB_UPDATE }) as const;
  const invalidate = (iova: bigint | number, size: bigint | number) =>
    ({
      kind: 'iotlb',
      iova: BigInt(iova),
      size: BigInt(size),
      uaddr: 0n,
      perm: 0,
      type: IOTLB_INVALIDATE,
    }) as const;

  /** A rig with ACCESS_PLATFORM, memory and a channel for misses. */
  async function translated(): Promise<[Rig, Channel]> {
    const at = await rig(0x3_0000_0000n);
    const channel = new Channel();
    at.channels.push(channel);
    expect(await at.askNumber('SET_BACKEND_REQ_FD', EMPTY, [at.event()])).toBe(0n);
    await at.shareMemory();
    return [at, channel];
  }

  test('without ACCESS_PLATFORM every translation is refused', async () => {
    const at = await rig();
    await at.shareMemory();
    expect(await at.askNumber('IOTLB_MSG', update(0, 4096, USER_BASE))).toBe(1n);
  });

  test('what no translation can be', async () => {
    const [at] = await translated();
    const cases: [RefusalCode, ReturnType<typeof update>][] = [
      ['iotlb-range', update(0, 0, USER_BASE)],
      ['iotlb-range', update(2n ** 64n - 1n, 2, USER_BASE)],
      ['iotlb-range', update(0, 4096, 2n ** 64n - 1n)],
      ['iotlb-range', update(0, 4096, USER_BASE, 0)],
      ['iotlb-range', update(0, 4096, USER_BASE, 4)],
      ['iotlb-unmapped', update(0, 4096, 0n)],
      ['iotlb-unmapped', update(0, 2 * MIB, USER_BASE)],
      ['iotlb-type', { ...update(0, 4096, USER_BASE), type: 0 } as never],
      ['iotlb-type', { ...update(0, 4096, USER_BASE), type: IOTLB_MISS } as never],
    ];
    for (const [code, payload] of cases) {
      expect(await at.askNumber('IOTLB_MSG', payload)).toBe(1n);
      expect(at.refusals.at(-1)?.code).toBe(code);
    }
    expect(at.device.translations).toEqual([]);
  });

  test('an update over others replaces them: they are forgotten first', async () => {
    const [at] = await translated();
    await at.ask('IOTLB_MSG', update(0x1000, 0x1000, USER_BASE));
    await at.ask('IOTLB_MSG', update(0x3000, 0x1000, USER_BASE));
    await at.ask('IOTLB_MSG', update(0, 0x10000, USER_BASE + 0x8000n));
    expect(at.device.translations.map(({ kind, ranges }) => [kind, ranges.map(({ iova }) => iova)])).toEqual([
      ['update', [0x1000]],
      ['update', [0x3000]],
      ['invalidate', [0x1000, 0x3000]],
      ['update', [0]],
    ]);
    const start = at.device.regions[0].mapping.arenaOffset;
    expect(at.device.translations.at(-1)!.ranges).toEqual([
      { iova: 0, bytes: 0x10000, arenaOffset: start + 0x8000, gpa: 0x8000, permission: 3 },
    ]);
  });

  test('invalidation of everything, of nothing, beyond the end of addresses', async () => {
    const [at] = await translated();
    await at.ask('IOTLB_MSG', update(0x1000, 0x1000, USER_BASE));
    expect(await at.askNumber('IOTLB_MSG', invalidate(0x5000, 0))).toBe(0n);
    expect(await at.askNumber('IOTLB_MSG', invalidate(0x2000, 0x1000))).toBe(0n);
    expect(at.device.translations).toHaveLength(1);
    expect(await at.askNumber('IOTLB_MSG', invalidate(0, 2n ** 64n - 1n))).toBe(0n);
    expect(at.device.translations.at(-1)).toMatchObject({ kind: 'invalidate', ranges: [{ iova: 0x1000 }] });
    expect(await at.askNumber('IOTLB_MSG', invalidate(2n ** 63n, 2n ** 63n))).toBe(0n);
  });

  test('a ring that lacks translations asks for each page once, and starts with the last of them', async () => {
    const [at, channel] = await translated();
    const addr = { ...ringAddr(0), desc: 0x10000n, avail: 0x14000n, used: 0x18000n };
    at.post('SET_VRING_NUM', state(0, 256));
    at.post('SET_VRING_ADDR', addr);
    expect(await at.askNumber('SET_VRING_KICK', vringFd(0), [at.event()])).toBe(0n);
    await channel.until(() => channel.messages.length === 3);
    const asked = () =>
      channel.messages.map(({ payload }) =>
        payload?.kind === 'iotlb' ? [payload.iova, payload.perm] : null,
      );
    expect(asked()).toEqual([
      [0x10000n, 1],
      [0x14000n, 1],
      [0x18000n, 3],
    ]);
    await at.ask('IOTLB_MSG', update(0x10000, 0x8000, USER_BASE));
    expect(at.device.running.size).toBe(0);
    await at.ask('IOTLB_MSG', update(0x18000, 0x1000, USER_BASE + 0x8000n));
    expect(at.device.running.size).toBe(1);
    expect(channel.messages).toHaveLength(3);
    // read-only is not enough for the used ring
    await at.ask('IOTLB_MSG', update(0x18000, 0x1000, USER_BASE + 0x8000n, 1));
    expect(at.device.running.get(0)!.areas).toBeNull();
  });

  test('memory that goes takes its translations with it', async () => {
    const [at] = await translated();
    await at.ask('IOTLB_MSG', update(0x1000, 0x1000, USER_BASE));
    await at.ask('REM_MEM_REG', { kind: 'mem-region', region: region(0, MIB) });
    expect(at.device.translations.at(-1)).toMatchObject({ kind: 'invalidate', ranges: [{ iova: 0x1000 }] });
  });
});

describe('back-end channel', () => {
  async function withChannel(): Promise<[Rig, Channel]> {
    const at = await rig();
    const channel = new Channel();
    at.channels.push(channel);
    await at.ask('SET_BACKEND_REQ_FD', EMPTY, [at.event()]);
    return [at, channel];
  }

  test('what is no socket', async () => {
    const at = await rig();
    expect(await at.askNumber('SET_BACKEND_REQ_FD', EMPTY, [at.event()])).toBe(1n);
    expect(at.refusals[0].code).toBe('channel-fd');
  });

  test('a second channel closes the first', async () => {
    const [at, first] = await withChannel();
    at.channels.push(new Channel());
    await at.ask('SET_BACKEND_REQ_FD', EMPTY, [at.event()]);
    await first.until(() => first.isClosed);
  });

  test('a changed configuration, calls and errors in-band', async () => {
    const [at, channel] = await withChannel();
    expect([at.session.configChanged(), at.session.callInBand(1), at.session.errInBand(0)]).toEqual([
      true,
      true,
      true,
    ]);
    await channel.until(() => channel.messages.length === 3);
    expect(channel.messages.map(({ name, needReply }) => [name, needReply])).toEqual([
      ['BACKEND_CONFIG_CHANGE_MSG', true],
      ['BACKEND_VRING_CALL', false],
      ['BACKEND_VRING_ERR', false],
    ]);
    channel.send(encodeMessage({ request: 2, role: 'reply', payload: u64Payload(1) }));
    while (at.notes.length === 0) await new Promise((resolve) => setImmediate(resolve));
    expect(at.notes[0]).toContain('refused');
  });

  test('without the features nothing is sent', async () => {
    const at = new Rig({ device: new FakeDevice({ protocolFeatures: 0n }) });
    rigs.push(at);
    await at.negotiate();
    expect([at.session.configChanged(), at.session.callInBand(0)]).toEqual([false, false]);
  });

  test('an answer that nobody asked for closes the channel, not the connection', async () => {
    const [at, channel] = await withChannel();
    channel.send(encodeMessage({ request: 1, role: 'reply', payload: u64Payload(0) }));
    await channel.until(() => channel.isClosed);
    await at.sync();
    expect(at.session.configChanged()).toBe(false);
  });

  test('a device that needs a reset says so in the status', async () => {
    const [at] = await withChannel();
    at.post('SET_STATUS', u64Payload(0xf));
    await at.sync();
    at.session.needsReset();
    expect(await at.askNumber('GET_STATUS')).toBe(0x4fn);
  });

  test('in-band kicks start a ring and reach the device', async () => {
    const at = await rig();
    await at.shareMemory();
    at.post('SET_VRING_NUM', state(0, 256));
    at.post('SET_VRING_ADDR', ringAddr(0));
    expect(await at.askNumber('VRING_KICK', state(0, 0))).toBe(0n);
    expect(at.device.calls.slice(-2)).toEqual(['start 0', 'kick 0']);
  });
});
