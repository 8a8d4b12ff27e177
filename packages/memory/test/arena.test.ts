import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createArena } from '../src/index.ts';

describe('Arena', () => {
  it('hands out aligned, disjoint ranges, never offset 0, until it is full', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.integer({ min: 1, max: 900 }), fc.constantFrom(8, 64, 256)), { maxLength: 30 }),
        (asks) => {
          const arena = createArena(8192);
          let end = 1;
          for (const [bytes, align] of asks) {
            if (Math.ceil(arena.usedBytes / align) * align + Math.ceil(bytes / 8) * 8 > arena.sizeBytes) {
              expect(() => arena.alloc(bytes, align)).toThrow('arena is full');
              continue;
            }
            const at = arena.alloc(bytes, align);
            expect(at % align).toBe(0);
            expect(at).toBeGreaterThanOrEqual(end);
            end = at + bytes;
            expect(arena.usedBytes).toBeGreaterThanOrEqual(end);
          }
        },
      ),
    );
  });

  it('refuses more than it has, however much that is', () => {
    const arena = createArena(4096);
    for (const bytes of [4096, 2 ** 31, 2 ** 32, 2 ** 40])
      expect(() => arena.alloc(bytes)).toThrow(RangeError);
    expect(arena.alloc(8)).toBe(64);
  });

  it('copies exactly the bytes asked for, in words or not', () => {
    fc.assert(
      fc.property(fc.nat(300), fc.nat(300), fc.nat(200), (to, from, length) => {
        const arena = createArena(4096);
        for (let i = 0; i < 1024; i++) arena.u8[1024 + i] = (i * 31) & 0xff;
        const expected = arena.u8.slice();
        for (let i = 0; i < length; i++) expected[to + i] = expected[1024 + from + i];
        arena.copy(to, 1024 + from, length);
        expect(arena.u8).toEqual(expected);
      }),
    );
  });

  it('shares its bytes between all views', () => {
    const arena = createArena(1);
    expect(arena.sizeBytes).toBe(4096);
    arena.u32[16] = 0x04030201;
    expect([...arena.u8.subarray(64, 68), arena.u16[33], arena.i32[16]]).toEqual([
      1, 2, 3, 4, 0x0403, 0x04030201,
    ]);
    expect(arena.b64[8]).toBe(0x04030201n);
  });
});
