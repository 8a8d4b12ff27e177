import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  ACCESS_READ,
  ACCESS_WRITE,
  AddressSpace,
  AddressWindow,
  createArena,
  PERMISSION_RO,
  PERMISSION_RW,
} from '../src/index.ts';

const HIGH_WORD = 2 ** 32;
const arena = createArena(1 << 16);

function makeSpace(): AddressSpace {
  const space = new AddressSpace(arena);
  space.map(0x1000, 0x1000, 0x100, PERMISSION_RW);
  space.map(HIGH_WORD - 0x800, 0x1000, 0x2000, PERMISSION_RW);
  space.map(5 * HIGH_WORD, 0x1000, 0x4000, PERMISSION_RO);
  return space;
}

describe('AddressSpace.windowAt', () => {
  it('a window translates as the space does, wherever it was moved', () => {
    const space = makeSpace();
    const edges = [
      0x1000,
      0x2000,
      HIGH_WORD - 0x800,
      HIGH_WORD,
      HIGH_WORD + 0x800,
      5 * HIGH_WORD,
      5 * HIGH_WORD + 0x1000,
    ];
    const address = fc.tuple(fc.constantFrom(...edges), fc.integer({ min: -0x900, max: 0x900 }));
    fc.assert(
      fc.property(address, fc.constantFrom(ACCESS_READ, ACCESS_WRITE), ([edge, apart], access) => {
        const at = edge + apart;
        const window = new AddressWindow();
        const high = Math.floor(at / HIGH_WORD);
        const low = at % HIGH_WORD;
        const offset = space.translate(at, 1, access);
        expect(space.windowAt(high, low, access, window)).toBe(offset >= 0);
        if (offset < 0) {
          expect(window.bytes).toBe(0);
          return;
        }
        const into = (low - window.low) >>> 0;
        expect([window.high, window.offset + into]).toEqual([high, offset]);
        expect(into).toBeLessThan(window.bytes);
        // both ends of the window belong to the region, the bytes around it do not, or have another high word
        const start = high * HIGH_WORD + window.low;
        expect(space.translate(start, window.bytes, access)).toBe(window.offset);
        expect(start % HIGH_WORD === 0 || space.translate(start - 1, 1, access) < 0).toBe(true);
        const end = start + window.bytes;
        expect(end % HIGH_WORD === 0 || space.translate(end, 1, access) < 0).toBe(true);
      }),
    );
  });

  it('says of which mappings it knows', () => {
    const space = makeSpace();
    const window = new AddressWindow();
    expect(window.generation).not.toBe(space.generation);
    space.windowAt(0, 0x1000, ACCESS_READ, window);
    expect(window.generation).toBe(space.generation);
    space.unmap(0x1000, 1);
    expect(window.generation).not.toBe(space.generation);
  });

  it('finds nothing beyond 2^53, and counts no fault', () => {
    const space = makeSpace();
    const window = new AddressWindow();
    expect(space.windowAt(2 ** 21, 0, ACCESS_READ, window)).toBe(false);
    expect(space.windowAt(0xffff_ffff, 0xffff_ffff, ACCESS_READ, window)).toBe(false);
    expect(space.faultCounts()).toEqual({});
  });
});
