import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createArena, type PacketMeta, PacketPool } from '../src/index.ts';

const META: PacketMeta = {
  packet: 1e9,
  bornPs: 2 ** 52 + 1,
  flags: 1,
  gsoType: 4,
  hdrLen: 66,
  gsoSize: 1448,
  csumStart: 34,
  csumOffset: 16,
  aux: 0xdeadbeef,
  wireLength: 1518,
};
const CLEARED: PacketMeta = {
  packet: -1,
  bornPs: 0,
  flags: 0,
  gsoType: 0,
  hdrLen: 0,
  gsoSize: 0,
  csumStart: 0,
  csumOffset: 0,
  aux: 0,
  wireLength: 0,
};

const read = (pool: PacketPool, index: number) => {
  const meta = { ...CLEARED };
  pool.getMeta(index, meta);
  return meta;
};

describe('PacketPool', () => {
  it('places aligned buffers side by side, frames behind the headroom', () => {
    const arena = createArena(1 << 16);
    const pool = new PacketPool(arena, { buffers: 4, bufferBytes: 2000, headroomBytes: 128, align: 256 });
    expect([pool.base % 256, pool.strideBytes]).toEqual([0, 2048]);
    const index = pool.alloc();
    expect(pool.offset[index]).toBe(pool.bufferOffset(index) + 128);
    expect(() => new PacketPool(arena, { buffers: 64, bufferBytes: 2048 })).toThrow('arena is full');
  });

  it('hands out the last freed first (stack) or every buffer in turn (ring)', () => {
    const order = (kind: 'stack' | 'ring') => {
      const pool = new PacketPool(createArena(1 << 16), { buffers: 3, bufferBytes: 64, order: kind });
      return Array.from({ length: 5 }, () => {
        const index = pool.alloc();
        pool.free(index);
        return index;
      });
    };
    expect(order('stack')).toEqual([0, 0, 0, 0, 0]);
    expect(order('ring')).toEqual([0, 1, 2, 0, 1]);
  });

  it('keeps metadata until the buffer is handed out again', () => {
    const pool = new PacketPool(createArena(1 << 16), { buffers: 2, bufferBytes: 64 });
    const index = pool.alloc();
    expect(read(pool, index)).toEqual(CLEARED);
    pool.setMeta(index, META);
    pool.length[index] = 60;
    pool.port[index] = 7;
    const other = pool.alloc();
    pool.copyMeta(other, index);
    expect(read(pool, other)).toEqual(META);
    expect([pool.length[other], pool.port[other]]).toEqual([60, 7]);
    expect(pool.offset[other]).toBe(pool.bufferOffset(other));
    pool.free(index);
    expect(pool.alloc()).toBe(index);
    expect([read(pool, index), pool.length[index], pool.port[index]]).toEqual([CLEARED, 0, 0]);
  });

  it('knows how many frames a GSO frame is on the wire', () => {
    const pool = new PacketPool(createArena(1 << 16), { buffers: 3, bufferBytes: 64 });
    const [plain, one, two] = [pool.alloc(), pool.alloc(), pool.alloc()];
    for (const [index, length] of [
      [plain, 60],
      [one, 66 + 1448],
      [two, 66 + 1449],
    ]) {
      pool.length[index] = length;
      if (index === plain) continue;
      pool.gsoType[index] = 1;
      pool.hdrLen[index] = 66;
      pool.gsoSize[index] = 1448;
    }
    expect([plain, one, two].map((index) => pool.wireFrames(index))).toEqual([1, 1, 2]);
    expect(pool.wireFramesOf(Uint32Array.of(plain, one, two), 1, 2)).toBe(3);
  });

  it('refers to foreign bytes without a copy', () => {
    const pool = new PacketPool(createArena(1 << 16), { buffers: 1, bufferBytes: 64 });
    const index = pool.alloc();
    pool.attach(index, 12345, 60, 17);
    expect([
      pool.isExternal(index),
      pool.offset[index],
      pool.length[index],
      pool.externalSlot[index],
    ]).toEqual([true, 12345, 60, 17]);
    pool.free(index);
    pool.alloc();
    expect([pool.isExternal(index), pool.offset[index]]).toEqual([false, pool.base]);
  });

  it('answers -1 when dry and counts it; throws on a double free', () => {
    const pool = new PacketPool(createArena(1 << 16), { buffers: 2, bufferBytes: 64 });
    const out = new Uint32Array(4);
    expect(pool.allocBulk(out, 1, 3)).toBe(0);
    expect(pool.allocBulk(out, 1, 2)).toBe(2);
    expect(pool.alloc()).toBe(-1);
    expect([pool.exhausted, pool.available, pool.inUse]).toEqual([2, 0, 2]);
    pool.freeBulk(out, 1, 2);
    expect(() => pool.free(out[1])).toThrow('is freed but not in use');
    expect(() => pool.free(2)).toThrow('buffer 2 of 2');
    expect(() => pool.free(-1)).toThrow('buffer -1 of 2');
    expect(() => pool.attach(0, 64, 1, 0)).toThrow('not in use');
  });

  it.each(['stack', 'ring'] as const)('agrees with a list of free buffers, %s order', (order) => {
    const step = fc.record({ free: fc.boolean(), count: fc.integer({ min: 1, max: 5 }), pick: fc.nat(30) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
        const pool = new PacketPool(createArena(1 << 16), { buffers: 7, bufferBytes: 64, order });
        const free = [0, 1, 2, 3, 4, 5, 6];
        const taken: number[] = [];
        const out = new Uint32Array(5);
        for (const { free: give, count, pick } of steps) {
          if (give && taken.length > 0) {
            const [index] = taken.splice(pick % taken.length, 1);
            if (order === 'stack') free.unshift(index);
            else free.push(index);
            pool.free(index);
          } else if (!give) {
            const expected = count <= free.length ? free.splice(0, count) : [];
            expect(pool.allocBulk(out, 0, count)).toBe(expected.length);
            expect([...out.subarray(0, expected.length)]).toEqual(expected);
            taken.push(...expected);
          }
          expect(pool.available).toBe(free.length);
          for (const index of taken) expect(pool.isTaken(index)).toBe(true);
        }
      }),
    );
  });
});
