import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MICROSOFT_RSS_KEY, parseIpv4, parseIpv6, Toeplitz, toeplitzNaive } from '../src/index.ts';

/** "Verifying the RSS Hash Calculation" of the Microsoft driver documentation: source, destination, hashes. */
const VECTORS: [string, number, string, number, number, number][] = [
  ['66.9.149.187', 2794, '161.142.100.80', 1766, 0x323e8fc2, 0x51ccc178],
  ['199.92.111.2', 14230, '65.69.140.83', 4739, 0xd718262a, 0xc626b0ea],
  ['24.19.198.95', 12898, '12.22.207.184', 38024, 0xd2d0a5de, 0x5c2b394a],
  ['38.27.205.30', 48228, '209.142.163.6', 2217, 0x82989176, 0xafc7327f],
  ['153.39.163.191', 44251, '202.188.127.2', 1303, 0x5d1809c5, 0x10e828a2],
  ['3ffe:2501:200:1fff::7', 2794, '3ffe:2501:200:3::1', 1766, 0x2cc18cd5, 0x40207d3d],
  ['3ffe:501:8::260:97ff:fe40:efab', 14230, 'ff02::1', 4739, 0x0f0c461c, 0xdde51bbf],
  ['3ffe:1900:4545:3:200:f8ff:fe21:67cf', 44251, 'fe80::200:f8ff:fe21:67cf', 38024, 0x4b61e985, 0x02d1feef],
];

function addressBytes(text: string): Uint8Array {
  return text.includes(':') ? parseIpv6(text) : parseIpv4(text);
}

describe('Toeplitz hash', () => {
  const fast = new Toeplitz();

  it.each(VECTORS)(
    'hashes %s:%i to %s:%i as the verification suite says',
    (src, sport, dst, dport, two, four) => {
      const ports = [sport >>> 8, sport & 255, dport >>> 8, dport & 255];
      const input = Uint8Array.from([...addressBytes(src), ...addressBytes(dst), ...ports]);
      const bytes = addressBytes(src).length;
      expect(toeplitzNaive(MICROSOFT_RSS_KEY, input.subarray(0, bytes * 2)) >>> 0).toBe(two);
      expect(toeplitzNaive(MICROSOFT_RSS_KEY, input) >>> 0).toBe(four);
      expect(fast.hash(input, 0, bytes, -1) >>> 0).toBe(two);
      expect(fast.hash(input, 0, bytes, bytes * 2) >>> 0).toBe(four);
    },
  );

  it('equals the definition for any key and input', () => {
    const key = fc.uint8Array({ minLength: 40, maxLength: 52 });
    const input = fc.uint8Array({ maxLength: 36 });
    fc.assert(
      fc.property(key, input, fc.nat(5), (keyBytes, bytes, shift) => {
        const padded = new Uint8Array(bytes.length + shift);
        padded.set(bytes, shift);
        const table = new Toeplitz(keyBytes);
        expect(table.part(padded, shift, bytes.length, 0)).toBe(toeplitzNaive(keyBytes, bytes));
      }),
      { numRuns: 30 },
    );
  });

  it('is linear: the hash of an XOR is the XOR of the hashes', () => {
    const block = fc.uint8Array({ minLength: 12, maxLength: 12 });
    fc.assert(
      fc.property(block, block, (a, b) => {
        const both = a.map((value, i) => value ^ b[i]);
        expect(fast.part(both, 0, 12, 0)).toBe(fast.part(a, 0, 12, 0) ^ fast.part(b, 0, 12, 0));
      }),
    );
  });

  it('refuses a key that is too short to hash anything', () => {
    expect(() => new Toeplitz(new Uint8Array(4))).toThrow('RSS key of 4 bytes');
  });
});
