import { describe, expect, test } from 'vitest';
import { type FrontName, type Payload, type RefusalCode, u64Payload } from '../src/index.ts';
import { type Rig, region, ringAddr, state, USER_BASE, vringFd } from './back-end-rig.ts';
import { endRigs, expectRefused, negotiatedRig, newRig, rigWith, runningRig } from './back-end-rigs.ts';

endRigs();

describe('rings (items 15 to 19)', () => {
  const byRing: [FrontName, (index: number) => Payload][] = [
    ['SET_VRING_NUM', (index) => state(index, 256)],
    ['SET_VRING_ADDR', (index) => ({ ...ringAddr(0), index })],
    ['SET_VRING_BASE', (index) => state(index, 0)],
    ['SET_VRING_ENABLE', (index) => state(index, 1)],
    ['VRING_KICK', (index) => state(index, 0)],
  ];
  for (const [name, payload] of byRing) {
    test.each([2, 255, 0x10000, 0x10001, 0xffffffff])(`${name} of ring %i`, (index) =>
      expectRefused('ring-index', name, payload(index)),
    );
  }

  test.each(['SET_VRING_KICK', 'SET_VRING_CALL', 'SET_VRING_ERR'] as const)(
    '%s of a ring that does not exist',
    (name) => expectRefused('ring-index', name, vringFd(2), (at) => [at.event()]),
  );

  test('GET_VRING_BASE of a ring that does not exist cannot be answered', async () => {
    const at = await negotiatedRig();
    at.post('GET_VRING_BASE', state(0x10000, 0), [], true);
    expect((await at.closed())?.code).toBe('ring-index');
  });

  test.each([0, 3, 300, 1025, 32769, 65536, 0xffffffff])('a split ring of %i descriptors', (num) =>
    expectRefused('ring-size', 'SET_VRING_NUM', state(0, num)),
  );

  test('a packed ring may have any number up to the largest', async () => {
    const features = 0x5_0000_0000n;
    const at = await rigWith(features);
    expect(await at.askNumber('SET_VRING_NUM', state(0, 300))).toBe(0n);
    expect(await at.askNumber('SET_VRING_NUM', state(0, 1025))).toBe(1n);
  });

  test('addresses outside memory, behind its end, not aligned, on each other', async () => {
    const end = USER_BASE + (1n << 20n);
    const cases: [RefusalCode, Partial<ReturnType<typeof ringAddr>>][] = [
      ['ring-unmapped', { desc: 0x1000n }],
      ['ring-unmapped', { desc: end }],
      ['ring-unmapped', { desc: end - 16n }],
      ['ring-unmapped', { used: end - 2048n }],
      ['ring-unmapped', { avail: 2n ** 64n - 16n }],
      ['ring-unaligned', { desc: USER_BASE + 8n }],
      ['ring-unaligned', { avail: USER_BASE + 0x4001n }],
      ['ring-unaligned', { used: USER_BASE + 0x8002n }],
      ['ring-overlap', { desc: USER_BASE, avail: USER_BASE, used: USER_BASE }],
      ['ring-overlap', { avail: USER_BASE + 4080n }],
      ['ring-value', { flags: 2 }],
    ];
    for (const [code, change] of cases) {
      const at = await negotiatedRig();
      await at.shareMemory();
      at.post('SET_VRING_NUM', state(0, 256));
      expect(await at.askNumber('SET_VRING_ADDR', { ...ringAddr(0), ...change })).toBe(1n);
      expect(at.refusals.at(-1)?.code).toBe(code);
    }
  });

  test('more descriptors than the memory behind the addresses holds', async () => {
    const at = await negotiatedRig();
    await at.shareMemory();
    const addr = { ...ringAddr(0), used: USER_BASE + (1n << 20n) - 1024n };
    // fits for 64 descriptors, not for 256
    at.post('SET_VRING_NUM', state(0, 64));
    expect(await at.askNumber('SET_VRING_ADDR', addr)).toBe(0n);
    at.post('SET_VRING_NUM', state(0, 256));
    expect(await at.askNumber('SET_VRING_KICK', vringFd(0), [at.event()])).toBe(1n);
    expect(at.refusals[0].code).toBe('ring-unmapped');
    expect(at.device.running.size).toBe(0);
  });

  test('a ring in the middle of one that runs', async () => {
    const at = await negotiatedRig();
    await at.shareMemory();
    await at.setUpRing(0);
    at.post('SET_VRING_NUM', state(1, 256));
    at.post('SET_VRING_ADDR', { ...ringAddr(1), avail: USER_BASE + 0x4100n });
    expect(await at.askNumber('SET_VRING_KICK', vringFd(1), [at.event()])).toBe(1n);
    expect(at.refusals[0].code).toBe('ring-overlap');
  });

  test('a base beyond 16 bits, and one outside a packed ring', async () => {
    await expectRefused('ring-base', 'SET_VRING_BASE', state(0, 0x10000));
    const features = 0x5_0000_0000n;
    const at = await rigWith(features);
    await at.shareMemory();
    expect(await at.setUpRing(0, 256, 0x8100)).toBe(1n);
    expect(at.refusals[0].code).toBe('ring-base');
    expect(await at.setUpRing(0, 256, 0x80ff)).toBe(0n);
    const { setup } = at.device.running.get(0)!;
    expect(setup.base).toEqual({ format: 'packed', avail: 255, availWrap: true, used: 255, usedWrap: true });
  });

  test('enabled with 2', () => expectRefused('ring-value', 'SET_VRING_ENABLE', state(0, 2)));

  test('size, addresses and base of a ring that runs', async () => {
    const at = await runningRig();
    expect(await at.askNumber('SET_VRING_NUM', state(0, 128))).toBe(1n);
    expect(await at.askNumber('SET_VRING_BASE', state(0, 1))).toBe(1n);
    expect(await at.askNumber('SET_VRING_ADDR', { ...ringAddr(0), desc: ringAddr(5).desc })).toBe(1n);
    expect(at.refusals.map(({ code }) => code)).toEqual(['ring-running', 'ring-running', 'ring-running']);
    // the same again is no change
    expect(await at.askNumber('SET_VRING_NUM', state(0, 256))).toBe(0n);
    expect(await at.askNumber('SET_VRING_ADDR', ringAddr(0))).toBe(0n);
  });

  test('any order of kick, size, addresses, memory and features starts the ring with the last of them', async () => {
    type Step = (at: Rig) => void;
    const steps: Step[] = [
      (at) => at.post('SET_VRING_KICK', vringFd(0), [at.event()]),
      (at) => at.post('SET_VRING_NUM', state(0, 256)),
      (at) => at.post('SET_VRING_ADDR', ringAddr(0)),
      (at) =>
        at.post('SET_MEM_TABLE', { kind: 'mem-table', regions: [region(0, 1 << 20)] }, [at.file(1 << 20)]),
      (at) => at.post('SET_FEATURES', u64Payload(0x1_4000_0000n)),
    ];
    const orders = (rest: Step[]): Step[][] =>
      rest.length === 0
        ? [[]]
        : rest.flatMap((step) => orders(rest.filter((one) => one !== step)).map((o) => [step, ...o]));
    for (const order of orders(steps)) {
      const at = newRig();
      at.post('SET_VRING_ENABLE', state(0, 1));
      for (const step of order.slice(0, -1)) step(at);
      await at.sync();
      expect(at.device.running.size).toBe(0);
      order.at(-1)!(at);
      await at.sync();
      expect(at.refusals).toEqual([]);
      expect(at.device.running.get(0)).toMatchObject({ enabled: true, setup: { size: 256 } });
    }
  });

  test('rings are enabled without a message when bit 30 is not acknowledged, and only then', async () => {
    const at = newRig();
    at.post('SET_FEATURES', u64Payload(0x1_0000_0000n));
    await at.sync();
    expect([...at.device.enabled]).toEqual([
      [0, true],
      [1, true],
    ]);
    const other = await negotiatedRig();
    expect([...other.device.enabled]).toEqual([]);
  });

  test('GET_VRING_BASE before the start answers the base that was set, and twice the same', async () => {
    const at = await negotiatedRig();
    const base = async () => (await at.ask('GET_VRING_BASE', state(0, 0))).payload;
    expect(await base()).toEqual(state(0, 0));
    at.post('SET_VRING_BASE', state(0, 77));
    expect(await base()).toEqual(state(0, 77));
    await at.shareMemory();
    await at.setUpRing(0, 256, 500);
    expect(await base()).toEqual(state(0, 500));
    expect(await base()).toEqual(state(0, 500));
    expect(at.device.calls.filter((call) => call === 'stop 0')).toHaveLength(1);
    // a new kick starts it again where it stopped
    expect(await at.askNumber('SET_VRING_KICK', vringFd(0), [at.event()])).toBe(0n);
    expect(at.device.running.get(0)!.setup.base).toEqual({ format: 'split', lastAvail: 500 });
  });

  test('a second kick descriptor of a ring that runs replaces the first', async () => {
    const at = await runningRig();
    at.device.stoppedBase = { format: 'split', lastAvail: 9 };
    const first = at.device.running.get(0)!.setup.kick!;
    expect(await at.askNumber('SET_VRING_KICK', vringFd(0), [at.event()])).toBe(0n);
    expect(first.number).toBe(-1);
    expect(at.device.running.get(0)!.setup.base).toEqual({ format: 'split', lastAvail: 9 });
  });

  test('one descriptor for kick and call, and the number that says there is none', async () => {
    const at = await negotiatedRig();
    await at.shareMemory();
    const one = at.event();
    at.post('SET_VRING_CALL', vringFd(0), [one]);
    at.post('SET_VRING_ERR', vringFd(0), [one]);
    at.post('SET_VRING_NUM', state(0, 256));
    at.post('SET_VRING_ADDR', ringAddr(0));
    expect(await at.askNumber('SET_VRING_KICK', vringFd(0), [one])).toBe(0n);
    expect(await at.askNumber('SET_VRING_CALL', vringFd(0, true))).toBe(0n);
    expect(at.device.running.get(0)!.call).toBeNull();
    expect(await at.askNumber('SET_VRING_KICK', vringFd(0, true))).toBe(0n);
    expect(at.device.running.get(0)!.setup.kick).toBeNull();
  });

  test.each(['SET_VRING_KICK', 'SET_VRING_CALL', 'SET_VRING_ERR'] as const)(
    'a descriptor of %s that is no eventfd',
    async (name) => {
      const at = await negotiatedRig({ checkEventFd: () => 'it is a file' });
      expect(await at.askNumber(name, vringFd(0), [at.event()])).toBe(1n);
      expect(at.refusals[0]).toMatchObject({
        code: 'ring-fd',
        text: expect.stringContaining('it is a file'),
      });
    },
  );

  test('a ring that the device refuses signals its error eventfd, others run on', async () => {
    const at = await negotiatedRig();
    await at.shareMemory();
    await at.setUpRing(1);
    at.post('SET_VRING_ERR', vringFd(0), [at.event()]);
    at.device.refuse = 'no worker is left';
    at.post('SET_VRING_NUM', state(0, 256));
    at.post('SET_VRING_ADDR', ringAddr(0));
    at.post('SET_VRING_KICK', vringFd(0), [at.event()]);
    await at.sync();
    expect(at.signalled).toHaveLength(1);
    expect(at.refusals[0].code).toBe('ring-device');
    expect([...at.device.running.keys()]).toEqual([1]);
    // and can be tried again
    at.device.refuse = null;
    expect(await at.askNumber('SET_VRING_KICK', vringFd(0), [at.event()])).toBe(0n);
  });
});
