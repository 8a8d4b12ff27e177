import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  ACCESS_READ,
  ACCESS_WRITE,
  AddressSpace,
  createArena,
  FAULT_OVERFLOW,
  FAULT_OVERLAP,
  FAULT_PERMISSION,
  FAULT_SPLIT,
  FAULT_TOO_LONG,
  FAULT_UNMAPPED,
  faultName,
  PERMISSION_RO,
  PERMISSION_RW,
  PERMISSION_WO,
} from '../src/index.ts';

const arena = createArena(1 << 16);
const offsets = new Uint32Array(8);
const lengths = new Uint32Array(8);

/** Guest memory with a hole below 4 GiB, as QEMU lays it out. */
function twoRegions(): AddressSpace {
  const space = new AddressSpace(arena);
  expect(space.map(0, 0x1000, 0x100, PERMISSION_RW)).toBe(0);
  expect(space.map(2 ** 32, 0x1000, 0x4100, PERMISSION_RW)).toBe(0);
  return space;
}

describe('AddressSpace.translate', () => {
  it('checks the whole length, not only the first byte', () => {
    const space = twoRegions();
    expect(space.translate(0xff0, 16, ACCESS_READ)).toBe(0x10f0);
    expect(space.translate(0xff0, 17, ACCESS_READ)).toBe(FAULT_UNMAPPED);
    expect(space.translate(2 ** 32, 0x1000, ACCESS_WRITE)).toBe(0x4100);
    expect(space.translate(2 ** 32 - 1, 1, ACCESS_READ)).toBe(FAULT_UNMAPPED);
  });

  it('refuses what wraps or is no exact number', () => {
    const space = twoRegions();
    for (const address of [2 ** 53, 2 ** 64, -1, Number.NaN, Number.POSITIVE_INFINITY]) {
      expect(space.translate(address, 1, ACCESS_READ)).toBe(FAULT_OVERFLOW);
    }
    expect(space.translate(2 ** 53 - 8, 16, ACCESS_READ)).toBe(FAULT_OVERFLOW);
    expect(space.translate(0, -1, ACCESS_READ)).toBe(FAULT_OVERFLOW);
    expect(space.translateSplit(2 ** 64 - 8, 16, ACCESS_READ, offsets, lengths, 0)).toBe(FAULT_OVERFLOW);
  });

  it('joins adjacent regions that continue each other in the arena, and splits the others', () => {
    const space = new AddressSpace(arena);
    space.map(0, 0x100, 0x1000, PERMISSION_RW);
    space.map(0x100, 0x100, 0x1100, PERMISSION_RO);
    space.map(0x200, 0x100, 0x3000, PERMISSION_RW);
    expect(space.translate(0x80, 0x100, ACCESS_READ)).toBe(0x1080);
    expect(space.translate(0x80, 0x100, ACCESS_WRITE)).toBe(FAULT_PERMISSION);
    expect(space.translate(0x80, 0x200, ACCESS_READ)).toBe(FAULT_SPLIT);
    expect(space.translateSplit(0x80, 0x200, ACCESS_READ, offsets, lengths, 2)).toBe(2);
    expect([...offsets.subarray(2, 4), ...lengths.subarray(2, 4)]).toEqual([0x1080, 0x3000, 0x180, 0x80]);
    expect(space.translateSplit(0x80, 0x200, ACCESS_READ, offsets, lengths, 7)).toBe(FAULT_TOO_LONG);
  });

  it('keeps read and write permission apart', () => {
    const space = new AddressSpace(arena);
    space.map(0, 64, 64, PERMISSION_RO);
    space.map(64, 64, 256, PERMISSION_WO);
    expect(space.translate(0, 64, ACCESS_READ)).toBe(64);
    expect(space.translate(0, 64, ACCESS_WRITE)).toBe(FAULT_PERMISSION);
    expect(space.translate(64, 64, ACCESS_WRITE)).toBe(256);
    expect(space.translate(64, 64, ACCESS_READ | ACCESS_WRITE)).toBe(FAULT_PERMISSION);
  });

  it('counts refusals by reason', () => {
    const space = twoRegions();
    space.translate(0x5000, 1, ACCESS_READ);
    space.translate(0x5000, 1, ACCESS_READ);
    space.translate(2 ** 53, 1, ACCESS_READ);
    expect(space.faultCounts()).toEqual({ unmapped: 2, overflow: 1 });
    expect(faultName(FAULT_TOO_LONG)).toBe('too long');
    expect(() => faultName(5)).toThrow('5 is no translation fault');
  });
});

describe('AddressSpace.map and unmap', () => {
  it('refuses overlap and leaves what was there', () => {
    const space = twoRegions();
    const before = space.regions();
    expect(space.map(0xfff, 2, 0, PERMISSION_RW)).toBe(FAULT_OVERLAP);
    expect(space.map(2 ** 53 - 1, 2, 0, PERMISSION_RW)).toBe(FAULT_OVERFLOW);
    expect(space.map(0x9000, 0, 0, PERMISSION_RW)).toBe(FAULT_OVERFLOW);
    expect(space.regions()).toEqual(before);
  });

  it('throws for bytes that the arena does not have', () => {
    const space = new AddressSpace(arena);
    expect(() => space.map(0, 0x1000, arena.sizeBytes - 1, PERMISSION_RW)).toThrow('outside the arena');
    expect(() => space.map(0, 0x1000, 0, 0)).toThrow('permission 0');
  });

  it('punches a hole into a region', () => {
    const space = new AddressSpace(arena);
    space.map(0x1000, 0x3000, 0x100, PERMISSION_RW);
    const generation = space.generation;
    expect(space.unmap(0x2000, 0x1000)).toBe(0x1000);
    expect(space.generation).toBeGreaterThan(generation);
    expect(space.regions()).toEqual([
      { address: 0x1000, size: 0x1000, arenaOffset: 0x100, permission: PERMISSION_RW },
      { address: 0x3000, size: 0x1000, arenaOffset: 0x2100, permission: PERMISSION_RW },
    ]);
    expect(space.translate(0x2fff, 1, ACCESS_READ)).toBe(FAULT_UNMAPPED);
    expect(space.unmap(0x2000, 0x1000)).toBe(0);
    space.clear();
    expect(space.translate(0x1000, 1, ACCESS_READ)).toBe(FAULT_UNMAPPED);
  });
});

/** One entry per byte: arena offset and permission, nothing clever. */
class NaiveSpace {
  readonly bytes = new Map<number, { offset: number; permission: number }>();

  map(address: number, size: number, offset: number, permission: number): boolean {
    for (let i = 0; i < size; i++) if (this.bytes.has(address + i)) return false;
    for (let i = 0; i < size; i++) this.bytes.set(address + i, { offset: offset + i, permission });
    return true;
  }

  unmap(address: number, length: number): number {
    let removed = 0;
    for (let i = 0; i < length; i++) if (this.bytes.delete(address + i)) removed++;
    return removed;
  }

  pieces(address: number, length: number, access: number): { offset: number; length: number }[] | number {
    const pieces: { offset: number; length: number }[] = [];
    for (let i = 0; i < length; i++) {
      const byte = this.bytes.get(address + i);
      if (byte === undefined) return FAULT_UNMAPPED;
      if ((byte.permission & access) !== access) return FAULT_PERMISSION;
      const last = pieces.at(-1);
      if (last && last.offset + last.length === byte.offset) last.length++;
      else pieces.push({ offset: byte.offset, length: 1 });
    }
    return pieces;
  }
}

const step = fc.record({
  kind: fc.constantFrom('map', 'unmap', 'translate', 'translate', 'translate'),
  address: fc.nat(60),
  length: fc.integer({ min: 1, max: 24 }),
  /** Few offsets, so that neighbours in the address space are often neighbours in the arena. */
  slide: fc.constantFrom(100, 100, 100, 300),
  permission: fc.integer({ min: 1, max: 3 }),
});

describe('AddressSpace against one entry per byte', () => {
  it('agrees on every map, unmap, translation, split and fault', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const space = new AddressSpace(arena);
        const naive = new NaiveSpace();
        const out = new Uint32Array(64);
        const outLengths = new Uint32Array(64);
        for (const { kind, address, length, slide, permission } of steps) {
          if (kind === 'map') {
            const done = naive.map(address, length, address + slide, permission);
            expect(space.map(address, length, address + slide, permission)).toBe(done ? 0 : FAULT_OVERLAP);
          } else if (kind === 'unmap') {
            expect(space.unmap(address, length)).toBe(naive.unmap(address, length));
          } else {
            const expected = naive.pieces(address, length, permission);
            const count = space.translateSplit(address, length, permission, out, outLengths, 1);
            const whole = space.translate(address, length, permission);
            if (typeof expected === 'number') {
              expect([count, whole]).toEqual([expected, expected]);
              expect(space.check(address, length, permission)).toBe(expected);
            } else {
              const pieces = expected.map((_, i) => ({ offset: out[1 + i], length: outLengths[1 + i] }));
              expect(count).toBe(expected.length);
              expect(pieces).toEqual(expected);
              expect(whole).toBe(expected.length === 1 ? expected[0].offset : FAULT_SPLIT);
            }
          }
        }
        expect(space.regions().reduce((sum, region) => sum + region.size, 0)).toBe(naive.bytes.size);
      }),
      { numRuns: 300 },
    );
  });
});
