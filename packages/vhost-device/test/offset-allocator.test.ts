import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { OffsetAllocator } from '../src/index.ts';

const END = 1 << 20;

describe('OffsetAllocator', () => {
  it('never hands out what is in use, keeps alignment, and joins everything again', () => {
    const step = fc.record({
      bytes: fc.integer({ min: 1, max: 40_000 }),
      align: fc.constantFrom(1, 4096, 65_536),
      frees: fc.nat(),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const allocator = new OffsetAllocator(4096, END);
        const used: { at: number; bytes: number }[] = [];
        for (const { bytes, align, frees } of steps) {
          const at = allocator.alloc(bytes, align);
          if (at >= 0) {
            expect(at % align).toBe(0);
            expect(at >= 4096 && at + bytes <= END).toBe(true);
            expect(used.some((other) => at < other.at + other.bytes && other.at < at + bytes)).toBe(false);
            used.push({ at, bytes });
          }
          if (frees % 3 === 0 && used.length > 0) {
            const [gone] = used.splice(frees % used.length, 1);
            if (gone !== undefined) allocator.free(gone.at, gone.bytes);
          }
          const taken = used.reduce((sum, one) => sum + one.bytes, 0);
          expect(allocator.freeBytes).toBe(END - 4096 - taken);
        }
        for (const { at, bytes } of used) allocator.free(at, bytes);
        expect(allocator.alloc(END - 4096, 1)).toBe(4096);
      }),
    );
  });

  it('answers -1 when nothing fits and throws when something is freed twice', () => {
    const allocator = new OffsetAllocator(0, 8192);
    expect(allocator.alloc(8193, 1)).toBe(-1);
    const at = allocator.alloc(4096, 4096);
    allocator.free(at, 4096);
    expect(() => allocator.free(at, 4096)).toThrow('free already');
  });
});
