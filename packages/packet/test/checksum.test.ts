import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  addSums,
  crc32c,
  finishChecksum,
  finishUdpChecksum,
  internetChecksum,
  parseIpv4,
  parseIpv6,
  pseudoHeaderSum4,
  pseudoHeaderSum6,
  sctpChecksumOk,
  updateChecksum,
  updateChecksum32,
  writeIpv4Checksum,
  writeSctpChecksum,
} from '../src/index.ts';

function hex(text: string): Uint8Array {
  return Uint8Array.from(text.replace(/\s/g, '').match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
}

/** The definition, one word at a time, with the carry added at once (RFC 1071, 4.1). */
function naiveSum(bytes: Uint8Array): number {
  let sum = 0;
  for (let i = 0; i < bytes.length; i += 2) {
    sum += bytes[i] * 256 + (i + 1 < bytes.length ? bytes[i + 1] : 0);
    if (sum > 0xffff) sum -= 0xffff;
  }
  return sum;
}

describe('internet checksum', () => {
  it('equals the numerical example of RFC 1071, 3', () => {
    expect(internetChecksum(hex('0001 f203 f4f5 f6f7'), 0, 8)).toBe(0xddf2);
    expect(finishChecksum(0xddf2)).toBe(0x220d);
  });

  it('equals the carry example of RFC 1624, 4: 0xdd2f, word 0x5555 becomes 0x3285, checksum becomes 0', () => {
    expect(updateChecksum(0xdd2f, 0x5555, 0x3285)).toBe(0);
  });

  it('computes the well-known IPv4 header example (checksum b861)', () => {
    const header = hex('4500 0073 0000 4000 4011 0000 c0a8 0001 c0a8 00c7');
    writeIpv4Checksum(header, 0);
    expect((header[10] << 8) | header[11]).toBe(0xb861);
    expect(internetChecksum(header, 0, 20)).toBe(0xffff);
  });

  it('equals the naive sum for every alignment and length', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 3000 }), fc.nat(9), (bytes, shift) => {
        const padded = new Uint8Array(bytes.length + shift + 3).fill(0xee);
        padded.set(bytes, shift);
        const expected = naiveSum(bytes);
        const sum = internetChecksum(padded, shift, bytes.length);
        expect(sum % 0xffff).toBe(expected % 0xffff);
        expect(sum).toBeLessThanOrEqual(0xffff);
      }),
    );
  });

  it('does not overflow on long runs of ones', () => {
    expect(internetChecksum(new Uint8Array(1_000_001).fill(0xff), 0, 1_000_001)).toBe(
      addSums(0xffff, 0xff00),
    );
    expect(internetChecksum(new Uint8Array(65536).fill(0xff), 0, 65536, 0xffff)).toBe(0xffff);
  });

  it('is the sum of its even parts', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat(100), (bytes, half) => {
        const cut = Math.min(half * 2, bytes.length & ~1);
        const seeded = internetChecksum(bytes, cut, bytes.length - cut, internetChecksum(bytes, 0, cut));
        const whole = internetChecksum(bytes, 0, bytes.length);
        expect(seeded % 0xffff).toBe(whole % 0xffff);
      }),
    );
  });

  it('follows a changed word incrementally', () => {
    const word = fc.nat(0xffff);
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 20, maxLength: 60 }), word, word, (bytes, high, low) => {
        const data = bytes.slice(0, bytes.length & ~1);
        // A block with some non-zero word elsewhere: then the two zeros of ones' complement do not get mixed up.
        data[18] = 1;
        const before = finishChecksum(internetChecksum(data, 0, data.length));
        const oldWord = ((data[4] << 24) | (data[5] << 16) | (data[6] << 8) | data[7]) >>> 0;
        data.set([high >>> 8, high & 255, low >>> 8, low & 255], 4);
        const after = finishChecksum(internetChecksum(data, 0, data.length));
        expect(updateChecksum32(before, oldWord, ((high << 16) | low) >>> 0)).toBe(after);
      }),
    );
  });

  it('sums pseudo headers as if they were bytes', () => {
    const v4 = Uint8Array.from([...parseIpv4('192.0.2.1'), ...parseIpv4('198.51.100.7')]);
    const pseudo4 = Uint8Array.from([...v4, 0, 17, 0x12, 0x34]);
    expect(pseudoHeaderSum4(v4, 0, 17, 0x1234)).toBe(internetChecksum(pseudo4, 0, 12));
    const v6 = Uint8Array.from([...parseIpv6('2001:db8::1'), ...parseIpv6('2001:db8:ffff::2')]);
    const pseudo6 = Uint8Array.from([...v6, 0, 1, 2, 3, 0, 0, 0, 6]);
    expect(pseudoHeaderSum6(v6, 0, 6, 0x010203)).toBe(internetChecksum(pseudo6, 0, 40));
  });

  it('never sends 0 as a UDP checksum', () => {
    expect(finishUdpChecksum(0xffff)).toBe(0xffff);
    expect(finishUdpChecksum(0x1234)).toBe(0xedcb);
  });
});

describe('CRC32c', () => {
  it('equals the examples of RFC 3720, B.4', () => {
    expect(crc32c(new Uint8Array(32), 0, 32)).toBe(0x8a9136aa);
    expect(crc32c(new Uint8Array(32).fill(0xff), 0, 32)).toBe(0x62a8ab43);
    const rising = Uint8Array.from({ length: 32 }, (_, i) => i);
    expect(crc32c(rising, 0, 32)).toBe(0x46dd794e);
    expect(crc32c(rising.slice().reverse(), 0, 32)).toBe(0x113fdb5c);
    const iscsiRead = hex(
      '01c00000 00000000 00000000 00000000 14000000 00000400 00000014 00000018 28000000 00000000 02000000 00000000',
    );
    expect(crc32c(iscsiRead, 0, 48)).toBe(0xd9963a56);
  });

  it('continues from a seed', () => {
    const text = new TextEncoder().encode('123456789');
    expect(crc32c(text, 0, 9)).toBe(0xe3069283);
    expect(crc32c(text, 4, 5, crc32c(text, 0, 4))).toBe(0xe3069283);
  });

  it('is stored and checked in SCTP packets, and sees every flipped bit', () => {
    const packet = Uint8Array.from({ length: 44 }, (_, i) => i * 7);
    writeSctpChecksum(packet, 4, 40);
    expect(sctpChecksumOk(packet, 4, 40)).toBe(true);
    for (let bit = 0; bit < 40 * 8; bit++) {
      packet[4 + (bit >>> 3)] ^= 1 << (bit & 7);
      expect(sctpChecksumOk(packet, 4, 40)).toBe(false);
      packet[4 + (bit >>> 3)] ^= 1 << (bit & 7);
    }
    expect(sctpChecksumOk(packet, 4, 11)).toBe(false);
  });
});
