import { type Fd, pipe } from '@vhostlab/host';
import { afterEach, describe, expect, test } from 'vitest';
import {
  BACKEND_PROTOCOL_FEATURES,
  EMPTY,
  encodeMessage,
  FRONT,
  FRONT_MESSAGES,
  type FrontName,
  frameBytes,
  type MemRegion,
  type Payload,
  protocolMask,
  type RefusalCode,
  u64Payload,
} from '../src/index.ts';
import { FakeDevice, FakeMapper } from '../test-kit/index.ts';
import { Rig, region, ringAddr, state, USER_BASE, vringFd } from './back-end-rig.ts';

const rigs: Rig[] = [];
afterEach(async () => {
  for (const rig of rigs.splice(0)) {
    await rig.end();
    // whatever happened, everything was given back
    expect(rig.mapper.mapped.size).toBe(0);
    expect(rig.device.running.size).toBe(0);
    expect(rig.device.regions).toEqual([]);
  }
});

async function rig(options: ConstructorParameters<typeof Rig>[0] = {}, features?: bigint): Promise<Rig> {
  const made = new Rig(options);
  rigs.push(made);
  await made.negotiate(features);
  return made;
}

/** A rig with memory and both rings running. */
async function running(): Promise<Rig> {
  const made = await rig();
  await made.shareMemory();
  for (const index of [0, 1]) expect(await made.setUpRing(index)).toBe(0n);
  expect(made.device.running.size).toBe(2);
  return made;
}

/** Sends what must be refused with `code`, once with and once without need_reply, each on a rig of its own. */
async function refused(
  make: () => Promise<Rig>,
  code: RefusalCode,
  name: FrontName,
  payload: (at: Rig) => Payload = () => EMPTY,
  fds: (at: Rig) => Fd[] = () => [],
): Promise<void> {
  const told = await make();
  expect(await told.askNumber(name, payload(told), fds(told))).not.toBe(0n);
  expect(told.refusals.map((refusal) => refusal.code)).toEqual([code]);
  expect(told.refusals[0].clause).toMatch(/^vhost-user, /);
  // it lives on
  await told.sync();

  const untold = await make();
  untold.post(name, payload(untold), fds(untold));
  expect((await untold.closed())?.code).toBe(code);
  expect(await untold.session.finished).toMatchObject({ why: 'violation' });
}

describe('headers and payloads (items 2 to 5)', () => {
  const raw = (request: number, flags: number, size: number, bytes = size) =>
    frameBytes({ request, flags, size }, new Uint8Array(bytes));

  test.each([0, 2, 3])(
    'version %i ends the connection, even when an answer is asked for',
    async (version) => {
      const at = await rig();
      at.raw(raw(FRONT.SET_OWNER, version | 8, 0));
      expect((await at.closed())?.code).toBe('version');
    },
  );

  test('a request that is marked as a reply ends the connection', async () => {
    const at = await rig();
    at.raw(raw(FRONT.GET_FEATURES, 5, 0));
    expect((await at.closed())?.code).toBe('reply-bit');
  });

  test('reserved flags are refused', async () => {
    const at = await rig();
    at.raw(raw(FRONT.SET_OWNER, 0x19, 0));
    expect((await at.answer()).payload).toEqual(u64Payload(1));
    at.raw(raw(FRONT.SET_OWNER, 0x11, 0));
    expect((await at.closed())?.code).toBe('reserved-flags');
  });

  test.each([0, 45, 99, 0xffffffff])(
    'request %i is refused, and ends the connection if nobody asked',
    async (request) => {
      const at = await rig();
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
      const at = await rig();
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
    const at = await rig();
    at.raw(raw(FRONT.SET_FEATURES, 9, 5000));
    await at.closed();
    expect(at.reason).toMatchObject({ why: 'peer' });
    expect(await at.session.finished).toMatchObject({ why: 'violation', clause: 'vhost-user, Header' });
  });

  test('descriptors on every message that takes none, and one too many on every other', async () => {
    for (const row of FRONT_MESSAGES) {
      if (row.reply !== null && row.replyWhen !== 'postcopy') continue;
      if (row.payload === 'opaque' || row.name === 'SET_MEM_TABLE') continue;
      const at = await rig();
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
    const at = await rig();
    at.post('GET_FEATURES', EMPTY, [at.event()]);
    expect((await at.closed())?.code).toBe('fd-count');
  });

  test.each([9, 100, 253])('%i descriptors on one message', async (count) => {
    const at = await rig();
    const fd = at.event();
    at.raw(
      encodeMessage({ request: FRONT.SET_OWNER, payload: EMPTY, needReply: true }),
      Array.from({ length: count }, () => fd),
    );
    expect((await at.answer()).payload).toEqual(u64Payload(1));
  });

  test('descriptors behind the first byte of a message', async () => {
    const at = await rig();
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
      const at = new Rig({ device: new FakeDevice({ protocolFeatures: protocolMask('REPLY_ACK') }) });
      rigs.push(at);
      await at.negotiate();
      expect(await at.askNumber(row.name, u64Payload(1500))).toBe(1n);
      expect(at.refusals[0].code).toBe('not-negotiated');
    }
  });

  test('postcopy is refused: it is not offered', async () => {
    const at = await rig();
    expect(await at.askNumber('POSTCOPY_LISTEN')).toBe(1n);
    expect(await at.askNumber('POSTCOPY_END')).toBe(1n);
    at.post('POSTCOPY_ADVISE');
    expect((await at.closed())?.code).toBe('not-negotiated');
  });
});

describe('memory (items 10 to 14)', () => {
  const table = (...regions: MemRegion[]) => ({ kind: 'mem-table', regions }) as const;

  async function badTable(code: RefusalCode, regions: MemRegion[], bytes = 1 << 20): Promise<void> {
    await refused(
      () => rig(),
      code,
      'SET_MEM_TABLE',
      () => table(...regions),
      (at) => regions.map(() => at.file(bytes)),
    );
  }

  test('a table without regions', () => badTable('region-count-zero', []));
  test('nine regions, and 2^32 - 1', async () => {
    for (const count of [9, 0xffffffff]) {
      const at = await rig();
      const payload = new Uint8Array(8 + 32 * 9);
      new DataView(payload.buffer).setUint32(0, count, true);
      at.raw(frameBytes({ request: FRONT.SET_MEM_TABLE, flags: 9, size: payload.length }, payload), [
        at.event(),
      ]);
      expect((await at.answer()).payload).toEqual(u64Payload(1));
      expect(at.refusals[0].code).toBe('region-count');
    }
  });
  test('an empty region', () => badTable('region-size', [region(0, 0)]));
  test('size and offset overflow', () => badTable('region-overflow', [region(0, 4096, 2n ** 64n - 4096n)]));
  test('guest address and size wrap', () => badTable('region-overflow', [region(2n ** 64n - 4096n, 8192)]));
  test('user address and size wrap', () =>
    badTable('region-overflow', [{ ...region(0, 8192), userspaceAddr: 2n ** 64n - 4096n }]));
  test('guest addresses overlap', () =>
    badTable('region-overlap', [
      region(0, 8192),
      { ...region(4096, 8192), userspaceAddr: USER_BASE + 0x100000n },
    ]));
  test('user addresses overlap', () =>
    badTable('region-overlap', [
      region(0, 8192),
      { ...region(0x100000, 8192), userspaceAddr: USER_BASE + 4096n },
    ]));
  test('an offset inside a page', () => badTable('region-unaligned', [region(0, 4096, 100)]));
  test('a region of 1 GiB on a file of 1 MiB', () => badTable('region-beyond-file', [region(0, 1 << 30)]));
  test('an offset that leaves too little of the file', () =>
    badTable('region-beyond-file', [region(0, 1 << 20, 4096)]));

  test('what is no file: eventfd, pipe', async () => {
    const at = await rig();
    const [read, write] = pipe();
    for (const fd of [at.event(), at.own(read), at.own(write)]) {
      expect(await at.askNumber('SET_MEM_TABLE', table(region(0, 4096)), [fd])).toBe(1n);
      expect(at.refusals.at(-1)?.code).toBe('region-file');
    }
  });

  test('a second region that is refused takes the first with it', async () => {
    const at = await rig();
    const fds = [at.file(8192), at.file(4096)];
    expect(await at.askNumber('SET_MEM_TABLE', table(region(0, 8192), region(0x10000, 8192)), fds)).toBe(1n);
    expect(at.mapper.mapped.size).toBe(0);
    expect(at.device.calls.filter((call) => call.startsWith('memory'))).toEqual([]);
  });

  test('a refused table leaves the former in use', async () => {
    const at = await running();
    const before = at.device.regions;
    expect(await at.askNumber('SET_MEM_TABLE', table(region(0, 8192)), [at.file(4096)])).toBe(1n);
    expect(at.device.regions).toBe(before);
    expect([...at.device.running.values()].every(({ areas }) => areas !== null)).toBe(true);
  });

  test('slots: beyond the number, unknown ones, overlapping ones', async () => {
    const device = new FakeDevice({ protocolFeatures: BACKEND_PROTOCOL_FEATURES, memSlots: 2 });
    const at = await rig({ device });
    const add = (gpa: number) =>
      at.askNumber('ADD_MEM_REG', { kind: 'mem-region', region: region(gpa, 4096) }, [at.file(4096)]);
    expect([await add(0), await add(0x1000), await add(0x2000)]).toEqual([0n, 0n, 1n]);
    expect(at.refusals.at(-1)?.code).toBe('region-slots');
    const remove = (one: MemRegion) => at.askNumber('REM_MEM_REG', { kind: 'mem-region', region: one });
    for (const wrong of [region(0x2000, 4096), region(0, 8192), { ...region(0, 4096), userspaceAddr: 1n }]) {
      expect(await remove(wrong)).toBe(1n);
      expect(at.refusals.at(-1)?.code).toBe('region-unknown');
    }
    expect(await remove(region(0, 4096))).toBe(0n);
    expect(await add(0x1000)).toBe(1n);
    expect(at.refusals.at(-1)?.code).toBe('region-overlap');
    expect(at.device.regions.map(({ gpa }) => gpa)).toEqual([0x1000]);
  });

  test('REM_MEM_REG with a descriptor is done, and the descriptor closed', async () => {
    const at = await rig();
    await at.shareMemory();
    const payload = { kind: 'mem-region', region: region(0, 1 << 20) } as const;
    expect(await at.askNumber('REM_MEM_REG', payload, [at.file(4096)])).toBe(0n);
    expect(at.device.regions).toEqual([]);
  });

  test('the region of a ring that runs goes and comes back: the ring pauses and goes on elsewhere', async () => {
    const at = await running();
    const before = at.device.running.get(0)!.areas!;
    const payload = { kind: 'mem-region', region: region(0, 1 << 20) } as const;
    expect(await at.askNumber('REM_MEM_REG', payload)).toBe(0n);
    expect(at.device.running.get(0)!.areas).toBeNull();
    await at.shareMemory();
    const after = at.device.running.get(0)!.areas!;
    expect(after.descriptor).not.toBe(before.descriptor);
    expect(after.descriptor).toBe(at.device.regions[0].mapping.arenaOffset);
    expect(at.ringEvents).toEqual([
      'started 0',
      'started 1',
      'paused 0',
      'paused 1',
      'resumed 0',
      'resumed 1',
    ]);
  });

  test('a table that comes while rings run: same regions keep their place, the rest moves', async () => {
    const at = await running();
    const fd = at.file(1 << 20);
    const where = region(0, 1 << 20);
    expect(await at.askNumber('SET_MEM_TABLE', table(where), [fd])).toBe(0n);
    const moved = at.device.regions[0].mapping.arenaOffset;
    expect(at.device.running.get(1)!.areas!.descriptor).toBe(moved + 0x10000);
    const more = table(where, region(0x10000000, 4096));
    expect(await at.askNumber('SET_MEM_TABLE', more, [fd, at.file(4096)])).toBe(0n);
    expect(at.device.regions.map(({ mapping }) => mapping.arenaOffset)[0]).toBe(moved);
    expect(at.mapper.mapped.size).toBe(2);
  });

  test('a table that does not fit beside the former: rings pause, the former goes first', async () => {
    const at = await rig({ mapper: new FakeMapper(1.5 * 2 ** 20) });
    await at.shareMemory();
    await at.setUpRing(0);
    expect(await at.askNumber('SET_MEM_TABLE', table(region(0, 1 << 20)), [at.file(1 << 20)])).toBe(0n);
    expect(at.ringEvents).toEqual(['started 0', 'paused 0', 'resumed 0']);
  });

  test('a table that does not fit even alone ends the connection, since the former is gone', async () => {
    const at = await rig({ mapper: new FakeMapper(1.5 * 2 ** 20) });
    await at.shareMemory();
    at.post('SET_MEM_TABLE', table(region(0, 1 << 21)), [at.file(1 << 21)], true);
    expect((await at.answer()).payload).toEqual(u64Payload(1));
    expect((await at.closed())?.code).toBe('no-room');
  });
});

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
      refused(
        () => rig(),
        'ring-index',
        name,
        () => payload(index),
      ),
    );
  }

  test.each(['SET_VRING_KICK', 'SET_VRING_CALL', 'SET_VRING_ERR'] as const)(
    '%s of a ring that does not exist',
    (name) =>
      refused(
        () => rig(),
        'ring-index',
        name,
        () => vringFd(2),
        (at) => [at.event()],
      ),
  );

  test('GET_VRING_BASE of a ring that does not exist cannot be answered', async () => {
    const at = await rig();
    at.post('GET_VRING_BASE', state(0x10000, 0), [], true);
    expect((await at.closed())?.code).toBe('ring-index');
  });

  test.each([0, 3, 300, 1025, 32769, 65536, 0xffffffff])('a split ring of %i descriptors', (num) =>
    refused(
      () => rig(),
      'ring-size',
      'SET_VRING_NUM',
      () => state(0, num),
    ),
  );

  test('a packed ring may have any number up to the largest', async () => {
    const features = 0x5_0000_0000n;
    const device = new FakeDevice({ features, protocolFeatures: BACKEND_PROTOCOL_FEATURES });
    const at = await rig({ device }, features);
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
      const at = await rig();
      await at.shareMemory();
      at.post('SET_VRING_NUM', state(0, 256));
      expect(await at.askNumber('SET_VRING_ADDR', { ...ringAddr(0), ...change })).toBe(1n);
      expect(at.refusals.at(-1)?.code).toBe(code);
    }
  });

  test('more descriptors than the memory behind the addresses holds', async () => {
    const at = await rig();
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
    const at = await rig();
    await at.shareMemory();
    await at.setUpRing(0);
    at.post('SET_VRING_NUM', state(1, 256));
    at.post('SET_VRING_ADDR', { ...ringAddr(1), avail: USER_BASE + 0x4100n });
    expect(await at.askNumber('SET_VRING_KICK', vringFd(1), [at.event()])).toBe(1n);
    expect(at.refusals[0].code).toBe('ring-overlap');
  });

  test('a base beyond 16 bits, and one outside a packed ring', async () => {
    await refused(
      () => rig(),
      'ring-base',
      'SET_VRING_BASE',
      () => state(0, 0x10000),
    );
    const features = 0x5_0000_0000n;
    const device = new FakeDevice({ features, protocolFeatures: BACKEND_PROTOCOL_FEATURES });
    const at = await rig({ device }, features);
    await at.shareMemory();
    expect(await at.setUpRing(0, 256, 0x8100)).toBe(1n);
    expect(at.refusals[0].code).toBe('ring-base');
    expect(await at.setUpRing(0, 256, 0x80ff)).toBe(0n);
    const { setup } = at.device.running.get(0)!;
    expect(setup.base).toEqual({ format: 'packed', avail: 255, availWrap: true, used: 255, usedWrap: true });
  });

  test('enabled with 2', () =>
    refused(
      () => rig(),
      'ring-value',
      'SET_VRING_ENABLE',
      () => state(0, 2),
    ));

  test('size, addresses and base of a ring that runs', async () => {
    const at = await running();
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
      const at = new Rig();
      rigs.push(at);
      at.post('SET_VRING_ENABLE', state(0, 1));
      for (const step of order.slice(0, -1)) step(at);
      await at.sync();
      expect(at.device.running.size).toBe(0);
      order.at(-1)!(at);
      await at.sync();
      expect(at.refusals).toEqual([]);
      expect(at.device.running.get(0)).toMatchObject({ enabled: true, setup: { size: 256 } });
      await at.end();
      rigs.pop();
    }
  });

  test('rings are enabled without a message when bit 30 is not acknowledged, and only then', async () => {
    const at = new Rig();
    rigs.push(at);
    at.post('SET_FEATURES', u64Payload(0x1_0000_0000n));
    await at.sync();
    expect([...at.device.enabled]).toEqual([
      [0, true],
      [1, true],
    ]);
    const other = await rig();
    expect([...other.device.enabled]).toEqual([]);
  });

  test('GET_VRING_BASE before the start answers the base that was set, and twice the same', async () => {
    const at = await rig();
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
    const at = await running();
    at.device.stoppedBase = { format: 'split', lastAvail: 9 };
    const first = at.device.running.get(0)!.setup.kick!;
    expect(await at.askNumber('SET_VRING_KICK', vringFd(0), [at.event()])).toBe(0n);
    expect(first.number).toBe(-1);
    expect(at.device.running.get(0)!.setup.base).toEqual({ format: 'split', lastAvail: 9 });
  });

  test('one descriptor for kick and call, and the number that says there is none', async () => {
    const at = await rig();
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

  test('a kick descriptor that nobody can wait for', async () => {
    const at = await rig({ checkKick: () => 'it is a file' });
    expect(await at.askNumber('SET_VRING_KICK', vringFd(0), [at.event()])).toBe(1n);
    expect(at.refusals[0]).toMatchObject({ code: 'ring-fd', text: expect.stringContaining('it is a file') });
  });

  test('a ring that the device refuses signals its error eventfd, others run on', async () => {
    const at = await rig();
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

describe('features and status (item 18)', () => {
  test('features that were not offered', () =>
    refused(
      () => rig(),
      'features-unoffered',
      'SET_FEATURES',
      () => u64Payload(1n << 63n),
    ));

  test('features that change while rings run, save LOG_ALL', async () => {
    const at = await running();
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
    const at = new Rig({ device });
    rigs.push(at);
    expect(await at.askNumber('SET_FEATURES', u64Payload(1n << 28n))).toBe(1n);
    expect(at.refusals[0].code).toBe('features-device');
    at.post('SET_PROTOCOL_FEATURES', u64Payload(BACKEND_PROTOCOL_FEATURES));
    // FEATURES_OK stays clear, as for a driver
    at.post('SET_STATUS', u64Payload(0xb));
    expect(await at.askNumber('GET_STATUS')).toBe(3n);
  });

  test('protocol features that were not offered', () =>
    refused(
      () => rig(),
      'protocol-features-unoffered',
      'SET_PROTOCOL_FEATURES',
      () => u64Payload(1n << 8n),
    ));

  test('INBAND_NOTIFICATIONS without what it needs ends the connection', async () => {
    const at = await rig();
    at.post('SET_PROTOCOL_FEATURES', u64Payload(protocolMask('INBAND_NOTIFICATIONS', 'REPLY_ACK')), [], true);
    expect((await at.closed())?.code).toBe('protocol-features-requirement');
  });

  test('a status above a byte', () =>
    refused(
      () => rig(),
      'status-value',
      'SET_STATUS',
      () => u64Payload(0x100),
    ));

  test('a ring whose memory is missing at DRIVER_OK is broken, not the status message', async () => {
    const at = await rig();
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
    const at = await running();
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
    const at = await running();
    expect(await at.askNumber('RESET_OWNER')).toBe(0n);
    expect(at.device.running.size).toBe(2);
  });
});

describe('network messages', () => {
  test.each([0n, 67n, 65536n, 2n ** 63n])('an MTU of %i', async (value) => {
    const at = await rig();
    expect(await at.askNumber('NET_SET_MTU', u64Payload(value))).toBe(1n);
    at.post('NET_SET_MTU', u64Payload(value));
    // nothing hangs on it
    await at.sync();
    expect(at.refusals.map(({ code }) => code)).toEqual(['mtu-range', 'mtu-range']);
  });

  test('a configuration beyond its end is answered with no bytes, one behind the structure with zeros', async () => {
    const at = await rig();
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
    const at = await rig();
    at.device.refuse = 'the address is read-only';
    const payload = { kind: 'config', offset: 0, size: 1, flags: 0, region: Uint8Array.of(1) } as const;
    expect(await at.askNumber('SET_CONFIG', payload)).toBe(1n);
    expect(await at.askNumber('SET_CONFIG', { ...payload, flags: 2 })).toBe(1n);
    expect(at.refusals.map(({ code }) => code)).toEqual(['config-device', 'config-range']);
  });
});
