import { describe, expect, it } from 'vitest';
import { writeRarpFrame } from '../src/ports/rarp-frame.ts';

describe('writeRarpFrame', () => {
  it('is a reverse ARP request as RFC 903 has it', () => {
    const u8 = new Uint8Array(100).fill(0xee);
    const mac = Uint8Array.of(0x52, 0x54, 0, 1, 2, 3);
    expect(writeRarpFrame(u8, 8, mac)).toBe(60);
    const hex = Buffer.from(u8.subarray(8, 68)).toString('hex');
    expect(hex.slice(0, 84)).toBe(
      `ffffffffffff${'525400010203'}8035${'0001'}0800${'06'}04${'0003'}${'525400010203'}00000000${'525400010203'}00000000`,
    );
    expect(hex.slice(84)).toBe('00'.repeat(18));
    expect(u8[7]).toBe(0xee);
    expect(u8[68]).toBe(0xee);
  });
});
