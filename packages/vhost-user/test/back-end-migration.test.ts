import { type Fd, pipe, readBytes, writeBytes } from '@vhostlab/host';
import { describe, expect, test } from 'vitest';
import { EMPTY, FRONT, type RefusalCode, u64Payload } from '../src/index.ts';
import { type Rig, ringAddr, state } from './back-end-rig.ts';
import { endRigs, negotiatedRig } from './back-end-rigs.ts';

endRigs();

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
      const at = await negotiatedRig();
      await at.shareMemory();
      at.post('SET_LOG_BASE', payload, [at.file(bytes)], true);
      expect((await at.closed())?.code).toBe(code);
      expect(at.device.log).toBeNull();
    },
  );

  test('something that is no file', async () => {
    const at = await negotiatedRig();
    at.post('SET_LOG_BASE', log(4096), [at.event()]);
    expect((await at.closed())?.code).toBe('log-file');
  });

  test('the answer has no payload; a new log replaces the former, which is unmapped', async () => {
    const at = await negotiatedRig();
    await at.shareMemory();
    for (const bytes of [4096, 8192]) {
      at.post('SET_LOG_BASE', log(bytes), [at.file(bytes)]);
      expect((await at.answer()).header).toEqual({ request: FRONT.SET_LOG_BASE, flags: 5, size: 0 });
    }
    expect(at.device.log?.bytes).toBe(8192);
    expect(at.mapper.mapped.size).toBe(2);
  });

  test('a used ring is logged where the front end says, if the log covers it', async () => {
    const at = await negotiatedRig();
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
    const at = await negotiatedRig();
    await at.shareMemory();
    at.post('SET_VRING_NUM', state(0, 256));
    at.post('SET_VRING_ADDR', { ...ringAddr(0, 1), logGuestAddr: BigInt(MIB) });
    at.post('SET_LOG_BASE', log(32), [at.file(4096)]);
    expect((await at.closed())?.code).toBe('log-size');
  });

  test('SET_LOG_FD keeps one descriptor', async () => {
    const at = await negotiatedRig();
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
    const at = await negotiatedRig();
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
    const at = await negotiatedRig();
    expect(await at.askNumber('SET_INFLIGHT_FD', payload, [at.file(16384)])).toBe(1n);
    expect(at.refusals[0].code).toBe(code);
    expect(at.device.inflight).toBeNull();
  });

  test('GET_INFLIGHT_FD of a region that cannot be ends the connection', async () => {
    const at = await negotiatedRig();
    at.post('GET_INFLIGHT_FD', inflight(0, 3, 256));
    expect((await at.closed())?.code).toBe('inflight-size');
  });

  test('not while rings run, which use the region that there is', async () => {
    const at = await negotiatedRig();
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
      const at = await negotiatedRig();
      at.post('SET_DEVICE_STATE_FD', payload, [end(at)]);
      expect((await at.answer()).payload).toEqual(error);
      expect(at.refusals[0].code).toBe('state-value');
    },
  );

  test('not while rings run', async () => {
    const at = await negotiatedRig();
    await at.shareMemory();
    await at.setUpRing(0);
    at.post('SET_DEVICE_STATE_FD', transfer(0), [end(at)]);
    expect((await at.answer()).payload).toEqual(error);
    expect(at.refusals[0].code).toBe('state-running');
  });

  test('CHECK_DEVICE_STATE without a transfer', async () => {
    const at = await negotiatedRig();
    expect(await at.askNumber('CHECK_DEVICE_STATE')).toBe(1n);
  });

  test('saved and loaded; a second transfer must wait for the first', async () => {
    const at = await negotiatedRig();
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
    const at = await negotiatedRig();
    at.device.transfer = (_fd, signal) =>
      new Promise((resolve) => signal.addEventListener('abort', () => resolve('given up')));
    at.post('SET_DEVICE_STATE_FD', transfer(1), [end(at)]);
    await at.answer();
    at.post('CHECK_DEVICE_STATE');
    for (let i = 0; i < 5; i++) await new Promise((resolve) => setImmediate(resolve));
    expect(await at.end()).toMatchObject({ why: 'peer' });
  });
});
