import { describe, expect, test } from 'vitest';
import {
  EMPTY,
  encodeMessage,
  IOTLB_INVALIDATE,
  IOTLB_MISS,
  IOTLB_UPDATE,
  type RefusalCode,
  u64Payload,
} from '../src/index.ts';
import { FakeDevice } from '../test-kit/index.ts';
import { Channel, type Rig, region, ringAddr, state, USER_BASE, vringFd } from './back-end-rig.ts';
import { endRigs, negotiatedRig, newRig, rigWith } from './back-end-rigs.ts';

endRigs();

const MIB = 1 << 20;

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
    const at = await rigWith(0x3_0000_0000n);
    const channel = new Channel();
    at.channels.push(channel);
    expect(await at.askNumber('SET_BACKEND_REQ_FD', EMPTY, [at.event()])).toBe(0n);
    await at.shareMemory();
    return [at, channel];
  }

  test('without ACCESS_PLATFORM every translation is refused', async () => {
    const at = await negotiatedRig();
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
    const at = await negotiatedRig();
    const channel = new Channel();
    at.channels.push(channel);
    await at.ask('SET_BACKEND_REQ_FD', EMPTY, [at.event()]);
    return [at, channel];
  }

  test('what is no socket', async () => {
    const at = await negotiatedRig();
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
    const at = newRig({ device: new FakeDevice({ protocolFeatures: 0n }) });
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
    const at = await negotiatedRig();
    await at.shareMemory();
    at.post('SET_VRING_NUM', state(0, 256));
    at.post('SET_VRING_ADDR', ringAddr(0));
    expect(await at.askNumber('VRING_KICK', state(0, 0))).toBe(0n);
    expect(at.device.calls.slice(-2)).toEqual(['start 0', 'kick 0']);
  });
});
