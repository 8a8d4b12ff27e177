import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  be16,
  be32,
  be64,
  bytes,
  decode,
  defineLayout,
  describeLayout,
  dump,
  pad,
  u8,
  u16,
  u32,
  u64,
} from '../src/index.ts';

const VIRTQ_DESC = defineLayout('virtq_desc', 16, {
  addr: u64(0),
  len: u32(8),
  flags: u16(12),
  next: u16(14),
});

describe('defineLayout', () => {
  it('gives offsets as plain numbers (virtio 1.3, 2.7.5)', () => {
    expect([VIRTQ_DESC.addr, VIRTQ_DESC.len, VIRTQ_DESC.flags, VIRTQ_DESC.next]).toEqual([0, 8, 12, 14]);
    expect(VIRTQ_DESC.$size).toBe(16);
    expect(Object.isFrozen(VIRTQ_DESC)).toBe(true);
  });

  it.each([
    ['overlap', 8, { a: u32(0), b: u32(2), c: u16(6) }, {}, 'field b at 2 overlaps a'],
    ['gap', 8, { a: u16(0), b: u32(4) }, {}, 'gap of 2 bytes at 2 before b'],
    ['gap at the start', 4, { b: u16(2) }, {}, 'gap of 2 bytes at 0 before b'],
    ['misalignment', 6, { a: u16(0), b: u32(2) }, {}, 'field b at 2 is not aligned to 4'],
    ['short total', 12, { a: u64(0) }, {}, 'fields end at 8, declared size is 12'],
    ['long total', 4, { a: u64(0) }, {}, 'fields end at 8, declared size is 4'],
    ['tail alignment', 6, { a: u32(0), b: u16(4) }, {}, 'not a multiple of its alignment 4'],
    ['reserved name', 1, { $a: u8(0) }, {}, '$a must not start with $'],
    ['fraction', 2, { a: u16(0.5) }, { packed: true }, 'has offset 0.5'],
    ['empty bytes', 0, { a: bytes(0, 0) }, {}, 'has size 0'],
  ] as const)('refuses %s and names the field', (_name, size, fields, options, message) => {
    expect(() => defineLayout('t', size, fields, options)).toThrow(message);
  });

  it('accepts declared padding and packed structures', () => {
    const iotlb = defineLayout('iotlb_msg', 32, {
      iova: u64(0),
      size: u64(8),
      uaddr: u64(16),
      perm: u8(24),
      type: u8(25),
      tail: pad(26, 6),
    });
    expect('tail' in iotlb).toBe(false);
    expect(defineLayout('p', 5, { a: u8(0), b: be32(1) }, { packed: true }).b).toBe(1);
  });

  it('accepts exactly the tables whose fields tile the structure', () => {
    const make = [u8, u16, u32, u64];
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 0, max: 3 }), { minLength: 1, maxLength: 8 }),
        fc.nat(7),
        fc.constantFrom(-1, 0, 1),
        (kinds, moved, by) => {
          const fields: Record<string, ReturnType<(typeof make)[number]>> = {};
          let at = 0;
          kinds.forEach((kind, i) => {
            fields[`f${i}`] = make[kind](at + (i === moved % kinds.length ? by : 0));
            at += 1 << kind;
          });
          const attempt = () => defineLayout('t', at, fields, { packed: true });
          if (by === 0) expect(attempt().$size).toBe(at);
          else expect(attempt).toThrow(RangeError);
        },
      ),
    );
  });
});

describe('decode and dump', () => {
  const mixed = defineLayout(
    'mixed',
    41,
    {
      a: u8(0),
      hole: pad(1, 1),
      b: u16(2),
      c: u32(4),
      d: u64(8),
      e: be16(16),
      f: be32(18),
      g: be64(22),
      mac: bytes(30, 6),
      rest: pad(36, 5),
    },
    { packed: true },
  );

  it('reads both byte orders at any offset', () => {
    const memory = new Uint8Array(64).map((_, i) => i);
    expect(decode(mixed, memory, 3)).toEqual({
      a: 3,
      b: 0x0605,
      c: 0x0a090807,
      d: 0x1211100f0e0d0c0bn,
      e: 0x1314,
      f: 0x15161718,
      g: 0x191a1b1c1d1e1f20n,
      mac: new Uint8Array([33, 34, 35, 36, 37, 38]),
    });
  });

  it('respects the byte offset of the array it is given', () => {
    const memory = new Uint8Array(64).map((_, i) => i);
    expect(decode(mixed, memory.subarray(3), 0)).toEqual(decode(mixed, memory, 3));
  });

  it('refuses a structure that does not fit', () => {
    expect(() => decode(VIRTQ_DESC, new Uint8Array(20), 8)).toThrow(
      'virtq_desc at 8 does not fit in 20 bytes',
    );
  });

  it('prints a structure for people', () => {
    const memory = new Uint8Array(16);
    const view = new DataView(memory.buffer);
    view.setBigUint64(VIRTQ_DESC.addr, 0x1_0000_1000n, true);
    view.setUint32(VIRTQ_DESC.len, 60, true);
    view.setUint16(VIRTQ_DESC.flags, 2, true);
    expect(dump(VIRTQ_DESC, memory, 0)).toEqual([
      '+0   addr  0x0000000100001000 (4294971392)',
      '+8   len   0x0000003c (60)',
      '+12  flags 0x0002 (2)',
      '+14  next  0x0000 (0)',
    ]);
  });

  it('prints a layout for golden tests', () => {
    expect(describeLayout(VIRTQ_DESC)).toBe(
      'virtq_desc 16\n  +0   u64   8 addr\n  +8   u32   4 len\n  +12  u16   2 flags\n  +14  u16   2 next\n',
    );
  });
});
