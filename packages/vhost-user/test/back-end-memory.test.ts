import { pipe } from '@vhostlab/host';
import { describe, expect, test } from 'vitest';
import {
  BACKEND_PROTOCOL_FEATURES,
  FRONT,
  frameBytes,
  type MemRegion,
  type RefusalCode,
  u64Payload,
} from '../src/index.ts';
import { FakeDevice, FakeMapper } from '../test-kit/index.ts';
import { region, USER_BASE } from './back-end-rig.ts';
import { endRigs, expectRefused, negotiatedRig, runningRig } from './back-end-rigs.ts';

endRigs();

describe('memory (items 10 to 14)', () => {
  const table = (...regions: MemRegion[]) => ({ kind: 'mem-table', regions }) as const;

  async function badTable(code: RefusalCode, regions: MemRegion[], bytes = 1 << 20): Promise<void> {
    await expectRefused(code, 'SET_MEM_TABLE', table(...regions), (at) => regions.map(() => at.file(bytes)));
  }

  test('a table without regions', () => badTable('region-count-zero', []));
  test('nine regions, and 2^32 - 1', async () => {
    for (const count of [9, 0xffffffff]) {
      const at = await negotiatedRig();
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
    const at = await negotiatedRig();
    const [read, write] = pipe();
    for (const fd of [at.event(), at.own(read), at.own(write)]) {
      expect(await at.askNumber('SET_MEM_TABLE', table(region(0, 4096)), [fd])).toBe(1n);
      expect(at.refusals.at(-1)?.code).toBe('region-file');
    }
  });

  test('a second region that is refused takes the first with it', async () => {
    const at = await negotiatedRig();
    const fds = [at.file(8192), at.file(4096)];
    expect(await at.askNumber('SET_MEM_TABLE', table(region(0, 8192), region(0x10000, 8192)), fds)).toBe(1n);
    expect(at.mapper.mapped.size).toBe(0);
    expect(at.device.calls.filter((call) => call.startsWith('memory'))).toEqual([]);
  });

  test('a refused table leaves the former in use', async () => {
    const at = await runningRig();
    const before = at.device.regions;
    expect(await at.askNumber('SET_MEM_TABLE', table(region(0, 8192)), [at.file(4096)])).toBe(1n);
    expect(at.device.regions).toBe(before);
    expect([...at.device.running.values()].every(({ areas }) => areas !== null)).toBe(true);
  });

  test('slots: beyond the number, unknown ones, overlapping ones', async () => {
    const device = new FakeDevice({ protocolFeatures: BACKEND_PROTOCOL_FEATURES, memSlots: 2 });
    const at = await negotiatedRig({ device });
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
    const at = await negotiatedRig();
    await at.shareMemory();
    const payload = { kind: 'mem-region', region: region(0, 1 << 20) } as const;
    expect(await at.askNumber('REM_MEM_REG', payload, [at.file(4096)])).toBe(0n);
    expect(at.device.regions).toEqual([]);
  });

  test('the region of a ring that runs goes and comes back: the ring pauses and goes on elsewhere', async () => {
    const at = await runningRig();
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
    const at = await runningRig();
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
    const at = await negotiatedRig({ mapper: new FakeMapper(1.5 * 2 ** 20) });
    await at.shareMemory();
    await at.setUpRing(0);
    expect(await at.askNumber('SET_MEM_TABLE', table(region(0, 1 << 20)), [at.file(1 << 20)])).toBe(0n);
    expect(at.ringEvents).toEqual(['started 0', 'paused 0', 'resumed 0']);
  });

  test('a table that does not fit even alone ends the connection, since the former is gone', async () => {
    const at = await negotiatedRig({ mapper: new FakeMapper(1.5 * 2 ** 20) });
    await at.shareMemory();
    at.post('SET_MEM_TABLE', table(region(0, 1 << 21)), [at.file(1 << 21)], true);
    expect((await at.answer()).payload).toEqual(u64Payload(1));
    expect((await at.closed())?.code).toBe('no-room');
  });
});
