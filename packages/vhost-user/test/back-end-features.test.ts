import { describe, expect, test } from 'vitest';
import { BACKEND_PROTOCOL_FEATURES, protocolMask, u64Payload } from '../src/index.ts';
import { FakeDevice } from '../test-kit/index.ts';
import { ringAddr, state, vringFd } from './back-end-rig.ts';
import { endRigs, expectRefused, negotiatedRig, newRig, runningRig } from './back-end-rigs.ts';

endRigs();

describe('features and status (item 18)', () => {
  test('features that were not offered', () =>
    expectRefused('features-unoffered', 'SET_FEATURES', u64Payload(1n << 63n)));

  test('features that change while rings run, save LOG_ALL', async () => {
    const at = await runningRig();
    expect(await at.askNumber('SET_FEATURES', u64Payload(0x1_6000_0000n))).toBe(1n);
    expect(at.refusals[0].code).toBe('features-running');
    expect(await at.askNumber('SET_FEATURES', u64Payload(0x1_4400_0000n))).toBe(0n);
    expect(await at.askNumber('SET_FEATURES', u64Payload(0x1_4000_0000n))).toBe(0n);
    expect(at.device.running.size).toBe(2);
    // the device hears of features once: LOG_ALL is its log's
    expect(at.device.calls.filter((call) => call.startsWith('features'))).toHaveLength(1);
  });

  test('features that the device does not accept', async () => {
    const device = new FakeDevice({ protocolFeatures: BACKEND_PROTOCOL_FEATURES });
    device.refuse = 'IN_ORDER needs VERSION_1';
    const at = newRig({ device });
    expect(await at.askNumber('SET_FEATURES', u64Payload(1n << 28n))).toBe(1n);
    expect(at.refusals[0].code).toBe('features-device');
    at.post('SET_PROTOCOL_FEATURES', u64Payload(BACKEND_PROTOCOL_FEATURES));
    // FEATURES_OK stays clear, as for a driver
    at.post('SET_STATUS', u64Payload(0xb));
    expect(await at.askNumber('GET_STATUS')).toBe(3n);
  });

  test('protocol features that were not offered', () =>
    expectRefused('protocol-features-unoffered', 'SET_PROTOCOL_FEATURES', u64Payload(1n << 8n)));

  test('INBAND_NOTIFICATIONS without what it needs ends the connection', async () => {
    const at = await negotiatedRig();
    at.post('SET_PROTOCOL_FEATURES', u64Payload(protocolMask('INBAND_NOTIFICATIONS', 'REPLY_ACK')), [], true);
    expect((await at.closed())?.code).toBe('protocol-features-requirement');
  });

  test('a status above a byte', () => expectRefused('status-value', 'SET_STATUS', u64Payload(0x100)));

  test('a ring whose memory is missing at DRIVER_OK is broken, not the status message', async () => {
    const at = await negotiatedRig();
    at.post('SET_STATUS', u64Payload(0xb));
    at.post('SET_VRING_ERR', vringFd(0), [at.event()]);
    at.post('SET_VRING_NUM', state(0, 256));
    at.post('SET_VRING_ADDR', { ...ringAddr(0), desc: ringAddr(40).desc });
    at.post('SET_VRING_KICK', vringFd(0), [at.event()]);
    await at.shareMemory();
    expect(await at.askNumber('SET_STATUS', u64Payload(0xf))).toBe(0n);
    expect(at.signalled).toHaveLength(1);
    expect(await at.askNumber('GET_STATUS')).toBe(0x4fn);
  });

  test('RESET_DEVICE stops and forgets the rings, keeps memory and what QEMU sends once', async () => {
    const at = await runningRig();
    at.post('SET_VRING_CALL', vringFd(0), [at.event()]);
    expect(await at.askNumber('RESET_DEVICE')).toBe(0n);
    expect(at.device.running.size).toBe(0);
    expect(at.device.regions).toHaveLength(1);
    expect((await at.ask('GET_VRING_BASE', state(0, 0))).payload).toEqual(state(0, 0));
    at.post('SET_FEATURES', u64Payload(0x1_4000_0000n));
    expect(await at.setUpRing(0)).toBe(0n);
    expect(at.device.running.get(0)).toMatchObject({ enabled: false });
    expect(at.device.running.get(0)!.call!.number).toBeGreaterThanOrEqual(0);
  });

  test('RESET_OWNER is acknowledged and changes nothing', async () => {
    const at = await runningRig();
    expect(await at.askNumber('RESET_OWNER')).toBe(0n);
    expect(at.device.running.size).toBe(2);
  });
});

describe('network messages', () => {
  test.each([0n, 67n, 65536n, 2n ** 63n])('an MTU of %i', async (value) => {
    const at = await negotiatedRig();
    expect(await at.askNumber('NET_SET_MTU', u64Payload(value))).toBe(1n);
    at.post('NET_SET_MTU', u64Payload(value));
    // nothing hangs on it
    await at.sync();
    expect(at.refusals.map(({ code }) => code)).toEqual(['mtu-range', 'mtu-range']);
  });

  test('a configuration beyond its end is answered with no bytes, one behind the structure with zeros', async () => {
    const at = await negotiatedRig();
    const get = async (offset: number, size: number) => {
      const payload = { kind: 'config', offset, size, flags: 0, region: new Uint8Array(size) } as const;
      const answer = (await at.ask('GET_CONFIG', payload)).payload;
      return answer?.kind === 'config' ? [...answer.region] : null;
    };
    expect(await get(26, 4)).toEqual([26, 27, 0, 0]);
    expect(await get(250, 7)).toEqual([]);
    expect(await get(0xffffffff, 1)).toEqual([]);
    expect(at.refusals.map(({ code }) => code)).toEqual(['config-range', 'config-range']);
  });

  test('a configuration that the device does not take', async () => {
    const at = await negotiatedRig();
    at.device.refuse = 'the address is read-only';
    const payload = { kind: 'config', offset: 0, size: 1, flags: 0, region: Uint8Array.of(1) } as const;
    expect(await at.askNumber('SET_CONFIG', payload)).toBe(1n);
    expect(await at.askNumber('SET_CONFIG', { ...payload, flags: 2 })).toBe(1n);
    expect(at.refusals.map(({ code }) => code)).toEqual(['config-device', 'config-range']);
  });
});
