import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatIpv4, formatIpv6, formatMac, parseIpv4, parseIpv6, parseMac } from '../src/index.ts';

describe('addresses', () => {
  it('come back from their text', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 16, maxLength: 16 }), fc.nat(0xffff), (bytes, mask) => {
        // Runs of zeros are what the text forms are about.
        const sparse = bytes.map((byte, i) => (mask & (1 << i) ? byte : 0));
        expect(parseIpv6(formatIpv6(sparse))).toEqual(sparse);
        expect(parseIpv4(formatIpv4(sparse, 3))).toEqual(sparse.slice(3, 7));
        expect(parseMac(formatMac(sparse, 5))).toEqual(sparse.slice(5, 11));
      }),
    );
  });

  it.each([
    ['2001:db8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
    ['2001:0db8::0001', '2001:db8::1'],
    ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
    ['::', '::'],
    ['1::', '1::'],
    ['::ffff:192.0.2.33', '::ffff:c000:221'],
    ['2001:DB8::A', '2001:db8::a'],
  ])('%s is written %s (RFC 5952)', (text, canonical) => {
    expect(formatIpv6(parseIpv6(text))).toBe(canonical);
  });

  it.each([
    '',
    ':',
    ':::',
    '1:2:3:4:5:6:7',
    '1:2:3:4:5:6:7:8:9',
    '1::2::3',
    '12345::',
    'g::',
    '1:2:3:4:5:6:7::8',
    '1.2.3.4',
    '1.2.3.4::',
  ])('"%s" is no IPv6 address', (text) => {
    expect(() => parseIpv6(text)).toThrow('is not an IPv6 address');
  });

  it.each(['', '1.2.3', '1.2.3.256', '1.2.3.4.5', 'a.b.c.d', '1..2.3'])('"%s" is no IPv4 address', (text) => {
    expect(() => parseIpv4(text)).toThrow('is not an IPv4 address');
  });

  it.each(['', '02:00:00:00:00', '02-00-00-00-00-01', '2:0:0:0:0:1', '02:00:00:00:00:0g'])(
    '"%s" is no MAC address',
    (text) => {
      expect(() => parseMac(text)).toThrow('is not a MAC address');
    },
  );
});
