import { crc32 as oracle } from 'node:zlib';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { crc32 } from '../src/index.ts';

it('computes the CRC-32 of Ethernet', () => {
  const check = new TextEncoder().encode('123456789');
  expect(crc32(check, 0, 9)).toBe(0xcbf43926);
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat(20), (bytes, skip) => {
      const offset = Math.min(skip, bytes.length);
      expect(crc32(bytes, offset, bytes.length - offset)).toBe(oracle(bytes.subarray(offset)));
    }),
  );
});
