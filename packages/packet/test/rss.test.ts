import { describe, expect, it } from 'vitest';
import type { Layer } from '../src/index.ts';
import {
  build,
  DecodedHeaders,
  decodeInto,
  HASH_REPORT_IPV4,
  HASH_REPORT_IPV6,
  HASH_REPORT_NONE,
  HASH_REPORT_TCPV4,
  HASH_REPORT_TCPV6,
  HASH_REPORT_UDPV4,
  HASH_REPORT_UDPV6,
  HASH_TYPE_IPV4,
  HASH_TYPE_TCPV4,
  HASH_TYPE_TCPV6,
  MICROSOFT_RSS_KEY,
  RssHasher,
} from '../src/index.ts';

const ETHERNET: Layer = { kind: 'ethernet', dst: '02:00:00:00:00:02', src: '02:00:00:00:00:01' };
const V4: Layer = { kind: 'ipv4', src: '66.9.149.187', dst: '161.142.100.80' };
const V6: Layer = { kind: 'ipv6', src: '3ffe:2501:200:1fff::7', dst: '3ffe:2501:200:3::1' };
const TCP: Layer = { kind: 'tcp', srcPort: 2794, dstPort: 1766 };
const UDP: Layer = { kind: 'udp', srcPort: 2794, dstPort: 1766 };
const HOP: Layer = { kind: 'ipv6-extension', protocol: 0, body: new Uint8Array(6) };

function hashOf(hasher: RssHasher, layers: Layer[]): [report: number, value: number] {
  const frame = build(layers);
  const memory = new Uint8Array(frame.length + 5);
  memory.set(frame, 5);
  const headers = new DecodedHeaders();
  decodeInto(memory, 5, frame.length, headers);
  expect(hasher.hash(memory, 5, headers)).toBe(hasher.report !== HASH_REPORT_NONE);
  return [hasher.report, hasher.value >>> 0];
}

describe('RssHasher', () => {
  const all = new RssHasher();

  it.each<[string, Layer[], number, number]>([
    ['TCP over IPv4', [ETHERNET, V4, TCP], HASH_REPORT_TCPV4, 0x51ccc178],
    ['UDP over IPv4', [ETHERNET, V4, UDP], HASH_REPORT_UDPV4, 0x51ccc178],
    ['TCP over IPv6 in a VLAN', [ETHERNET, { kind: 'vlan', id: 9 }, V6, TCP], HASH_REPORT_TCPV6, 0x40207d3d],
    ['UDP behind extension headers', [ETHERNET, V6, HOP, UDP], HASH_REPORT_UDPV6, 0x40207d3d],
    ['other protocols of IPv4', [ETHERNET, V4, { kind: 'icmp', type: 8 }], HASH_REPORT_IPV4, 0x323e8fc2],
    ['other protocols of IPv6', [ETHERNET, V6, { kind: 'icmp', type: 128 }], HASH_REPORT_IPV6, 0x2cc18cd5],
    [
      'first fragments',
      [ETHERNET, { ...V4, moreFragments: true } as Layer, UDP],
      HASH_REPORT_IPV4,
      0x323e8fc2,
    ],
    [
      'later fragments',
      [ETHERNET, { ...V4, fragmentOffset: 8, protocol: 17 } as Layer, UDP],
      HASH_REPORT_IPV4,
      0x323e8fc2,
    ],
  ])('hashes %s', (_name, layers, report, value) => {
    expect(hashOf(all, layers)).toEqual([report, value]);
  });

  it('has no hash for frames without IP', () => {
    expect(hashOf(all, [{ ...ETHERNET, etherType: 0x88b5 } as Layer])).toEqual([HASH_REPORT_NONE, 0]);
  });

  it('takes the most specific type that is enabled (virtio 1.3, 5.1.6.4.3)', () => {
    const tcpOnly = new RssHasher(MICROSOFT_RSS_KEY, HASH_TYPE_TCPV4 | HASH_TYPE_TCPV6);
    expect(hashOf(tcpOnly, [ETHERNET, V4, TCP])[0]).toBe(HASH_REPORT_TCPV4);
    expect(hashOf(tcpOnly, [ETHERNET, V4, UDP])).toEqual([HASH_REPORT_NONE, 0]);
    const addressesOnly = new RssHasher(MICROSOFT_RSS_KEY, HASH_TYPE_IPV4);
    expect(hashOf(addressesOnly, [ETHERNET, V4, TCP])).toEqual([HASH_REPORT_IPV4, 0x323e8fc2]);
    expect(hashOf(addressesOnly, [ETHERNET, V6, TCP])[0]).toBe(HASH_REPORT_NONE);
  });

  it('falls back to addresses when the transport header is damaged', () => {
    const frame = build([ETHERNET, V4, TCP]);
    frame[14 + 20 + 12] = 0;
    const headers = new DecodedHeaders();
    decodeInto(frame, 0, frame.length, headers);
    all.hash(frame, 0, headers);
    expect(all.report).toBe(HASH_REPORT_IPV4);
  });
});
