import type { HotCases } from '@vhostlab/memory/test-kit';
import {
  build,
  DecodedHeaders,
  decodeInto,
  internetChecksum,
  type Layer,
  RssHasher,
  Toeplitz,
} from '../../src/index.ts';

const ETHERNET: Layer = { kind: 'ethernet', dst: '02:00:00:00:00:02', src: '02:00:00:00:00:01' };
const IPV4: Layer = { kind: 'ipv4', src: '192.0.2.1', dst: '198.51.100.2' };
const IPV6: Layer = { kind: 'ipv6', src: '2001:db8::1', dst: '2001:db8::2' };
const TCP: Layer = { kind: 'tcp', srcPort: 1, dstPort: 2 };
const UDP: Layer = { kind: 'udp', srcPort: 1, dstPort: 4789 };

/** Frames of many shapes at multiples of 256. */
const FRAMES = [
  build([ETHERNET, IPV4, TCP]),
  build([
    ETHERNET,
    { kind: 'vlan', id: 5 },
    IPV6,
    { kind: 'ipv6-extension', protocol: 0, body: new Uint8Array(6) },
    TCP,
  ]),
  build([ETHERNET, IPV4, UDP, { kind: 'vxlan', vni: 0xffffff }, ETHERNET, IPV6, TCP]),
  build([ETHERNET, IPV4, { kind: 'gre', key: 0xfffffff0 }, IPV4, TCP]),
  build([ETHERNET, IPV4, TCP]).subarray(0, 40),
];

function memory(): Uint8Array {
  const u8 = new Uint8Array(2048);
  FRAMES.forEach((frame, i) => {
    u8.set(frame, i * 256);
  });
  return u8;
}

export const hotCases: HotCases = {
  decodeInto: () => {
    const u8 = memory();
    const headers = new DecodedHeaders();
    return (call) => {
      const which = call % FRAMES.length;
      decodeInto(u8, which * 256, FRAMES[which].length, headers);
    };
  },
  'Toeplitz and RSS': () => {
    const u8 = memory();
    const headers = new DecodedHeaders();
    decodeInto(u8, 0, FRAMES[0].length, headers);
    const rss = new RssHasher();
    const toeplitz = new Toeplitz();
    const sums = new Int32Array(1);
    return (call) => {
      u8[26] = call;
      rss.hash(u8, 0, headers);
      sums[0] ^= rss.value ^ toeplitz.hash(u8, 26, 4, -1);
    };
  },
  internetChecksum: () => {
    const u8 = memory();
    const sums = new Int32Array(1);
    return (call) => {
      sums[0] += internetChecksum(u8, call & 63, 60 + (call & 31));
    };
  },
};
