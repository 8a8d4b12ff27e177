import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Layer, ParsedPacket } from '../src/index.ts';
import {
  build,
  DECODE_OK,
  DecodedHeaders,
  decodeErrorName,
  decodeInto,
  decodeIpInto,
  ETHERTYPE_IPV4,
  ETHERTYPE_NONE,
  FRAGMENT_ANY,
  FRAGMENT_LATER,
  findLayer,
  parse,
  TUNNEL_GENEVE,
  TUNNEL_GRE,
  TUNNEL_VXLAN,
} from '../src/index.ts';

const ETHERNET: Layer = { kind: 'ethernet', dst: '02:00:00:00:00:02', src: '02:00:00:00:00:01' };
const IPV4: Layer = { kind: 'ipv4', src: '192.0.2.1', dst: '198.51.100.2' };
const IPV6: Layer = { kind: 'ipv6', src: '2001:db8::1', dst: '2001:db8::2' };
const UDP: Layer = { kind: 'udp', srcPort: 1111, dstPort: 2222 };
const DATA: Layer = { kind: 'payload', bytes: Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8, 9, 10) };

function decode(frame: Uint8Array, at = 0, length = frame.length): DecodedHeaders {
  const headers = new DecodedHeaders();
  decodeInto(frame, at, length, headers);
  return headers;
}

describe('decodeInto', () => {
  it('finds UDP in IPv4 at any place of an array and leaves padding out', () => {
    const frame = build([ETHERNET, IPV4, UDP, DATA]);
    const array = new Uint8Array(200).fill(0xff);
    array.set(frame, 77);
    array.fill(0, 77 + frame.length, 77 + 60);
    const headers = new DecodedHeaders();
    expect(decodeInto(array, 77, 60, headers)).toBe(true);
    expect(headers).toMatchObject({
      error: DECODE_OK,
      etherType: ETHERTYPE_IPV4,
      l3Offset: 14,
      ipVersion: 4,
      ipProto: 17,
      ipTtl: 64,
      addressOffset: 26,
      addressBytes: 4,
      l4Offset: 34,
      srcPort: 1111,
      dstPort: 2222,
      payloadOffset: 42,
      payloadLength: 10,
      l3End: 52,
    });
  });

  it('reads both tags of QinQ and leaves a third one as the type', () => {
    const inner: Layer = { kind: 'vlan', id: 20, priority: 5 };
    const outer: Layer = { kind: 'vlan', id: 10, dropEligible: true };
    const headers = decode(build([ETHERNET, outer, inner, IPV4, UDP]));
    expect(headers).toMatchObject({ vlanCount: 2, vlanTpid0: 0x88a8, vlanTci0: 0x100a });
    expect(headers).toMatchObject({ vlanTpid1: 0x8100, vlanTci1: 0xa014, l3Offset: 22, l4Offset: 42 });
    const third = decode(build([ETHERNET, inner, inner, inner, IPV4, UDP]));
    expect(third).toMatchObject({ vlanCount: 2, etherType: 0x8100, l3Offset: 22, ipVersion: 0 });
  });

  it('follows SNAP and calls other IEEE 802.3 frames untyped', () => {
    const snap: Layer = { kind: 'llc', dsap: 0xaa, ssap: 0xaa, control: 3, snapType: 0x0800 };
    expect(decode(build([ETHERNET, snap, IPV4, UDP, DATA]))).toMatchObject({ ipVersion: 4, l3Offset: 22 });
    const stp: Layer = { kind: 'llc', dsap: 0x42, ssap: 0x42, control: 3 };
    const headers = decode(build([ETHERNET, stp, DATA]));
    expect(headers).toMatchObject({ error: 0, etherType: ETHERTYPE_NONE, l3Offset: 14, payloadLength: 13 });
  });

  it('gives fragments no ports, first fragments their ports', () => {
    const later = decode(build([ETHERNET, { ...IPV4, fragmentOffset: 1480, protocol: 17 }, DATA]));
    expect(later).toMatchObject({ fragment: FRAGMENT_ANY | FRAGMENT_LATER, fragmentOffsetBytes: 1480 });
    expect(later).toMatchObject({ srcPort: 0, dstPort: 0, l4Offset: 34, payloadOffset: 34, error: 0 });
    const first = decode(build([ETHERNET, { ...IPV4, moreFragments: true }, { ...UDP, length: 3000 }, DATA]));
    expect(first).toMatchObject({ fragment: FRAGMENT_ANY, srcPort: 1111, error: 0 });
  });

  it('walks IPv6 extension headers to the transport header', () => {
    const hop: Layer = { kind: 'ipv6-extension', protocol: 0, body: new Uint8Array(6) };
    const options: Layer = { kind: 'ipv6-extension', protocol: 60, body: new Uint8Array(14) };
    const ah: Layer = { kind: 'ipv6-extension', protocol: 51, body: new Uint8Array(10) };
    const headers = decode(build([ETHERNET, IPV6, hop, options, ah, UDP, DATA]));
    expect(headers).toMatchObject({ ipProto: 17, l4Offset: 14 + 40 + 8 + 16 + 12, dstPort: 2222, error: 0 });
    const atomic: Layer = { kind: 'ipv6-fragment', id: 1, fragmentOffset: 0, moreFragments: false };
    expect(decode(build([ETHERNET, IPV6, atomic, UDP]))).toMatchObject({ fragment: 0, srcPort: 1111 });
    const part: Layer = { ...atomic, fragmentOffset: 8, nextHeader: 17 };
    expect(decode(build([ETHERNET, IPV6, part, DATA]))).toMatchObject({
      fragment: 3,
      ipProto: 17,
      srcPort: 0,
    });
    const many = decode(build([ETHERNET, IPV6, ...new Array<Layer>(17).fill(hop), UDP]));
    expect(decodeErrorName(many.error)).toBe('IPv6 extension headers beyond the limit');
  });

  it.each<[string, Layer[], number, number, number]>([
    [
      'VXLAN',
      [{ ...UDP, dstPort: 4789 }, { kind: 'vxlan', vni: 0xabcdef }, ETHERNET],
      TUNNEL_VXLAN,
      0xabcdef,
      50,
    ],
    [
      'Geneve',
      [{ ...UDP, dstPort: 6081 }, { kind: 'geneve', vni: 7, options: new Uint8Array(8) }, ETHERNET],
      TUNNEL_GENEVE,
      7,
      58,
    ],
    ['GRE', [{ kind: 'gre', key: 0xffffffff, sequence: 3, checksum: true }], TUNNEL_GRE, -1, 50],
  ])('finds the inside of %s', (_name, tunnel, code, id, at) => {
    const frame = build([ETHERNET, IPV4, ...tunnel, IPV4, UDP, DATA]);
    const headers = decode(frame);
    expect(headers).toMatchObject({ error: 0, tunnel: code, tunnelId: id, innerOffset: at });
    const inner = new DecodedHeaders();
    if (code === TUNNEL_GRE) decodeIpInto(frame, at, headers.payloadLength, headers.innerType, inner);
    else decodeInto(frame, at, headers.payloadLength, inner);
    expect(inner).toMatchObject({ error: 0, dstPort: 2222, payloadLength: 10 });
  });

  it.each<[string, number, (frame: Uint8Array) => void]>([
    ['IPv4 version is not 4', 14, (f) => (f[14] = 0x55)],
    ['IPv4 header length below 20 or beyond the total length', 14, (f) => (f[14] = 0x44)],
    ['IPv4 header truncated', 14, (f) => f.set([0x4f, 0, 0x40, 0], 14)],
    ['IPv4 total length below the header length', 14, (f) => f.set([0, 19], 16)],
    ['IPv4 total length beyond the frame', 14, (f) => f.set([1, 0], 16)],
    ['UDP length below 8 or beyond the datagram', 34, (f) => f.set([0, 7], 38)],
    ['UDP length below 8 or beyond the datagram', 34, (f) => f.set([0, 19], 38)],
    ['transport header truncated', 34, (f) => f.set([0, 27], 16)],
    ['transport header truncated', 34, (f) => (f[23] = 6)],
    ['transport header truncated', 34, (f) => (f[23] = 132) && f.set([0, 30], 16)],
    ['IPv6 header truncated', 14, (f) => f.set([0x86, 0xdd], 12)],
    ['ARP packet truncated', 14, (f) => f.set([0x08, 0x06, 0, 0], 12) as unknown as number],
  ])('says "%s" and where', (message, offset, damage) => {
    const frame = build([ETHERNET, IPV4, UDP, DATA]);
    damage(frame);
    const headers = decode(frame, 0, message.startsWith('ARP') ? 41 : frame.length);
    expect([decodeErrorName(headers.error), headers.errorOffset]).toEqual([message, offset]);
  });

  it('survives any bytes: no exception, nothing outside the frame', () => {
    const seeds = [
      build([ETHERNET, { kind: 'vlan', id: 1 }, IPV4, UDP, DATA]),
      build([ETHERNET, IPV6, { kind: 'ipv6-extension', protocol: 0, body: new Uint8Array(6) }, UDP, DATA]),
      build([
        ETHERNET,
        IPV4,
        { ...UDP, dstPort: 4789 },
        { kind: 'vxlan', vni: 1 },
        ETHERNET,
        IPV4,
        UDP,
        DATA,
      ]),
      build([ETHERNET, IPV4, { kind: 'gre', key: 1 }, IPV6, { kind: 'tcp', srcPort: 1, dstPort: 2 }, DATA]),
    ];
    const change = fc.tuple(fc.nat(120), fc.nat(255));
    const arbitrary = fc.tuple(fc.nat(seeds.length - 1), fc.array(change, { maxLength: 8 }), fc.nat(120));
    fc.assert(
      fc.property(arbitrary, ([which, changes, cut]) => {
        const frame = seeds[which].slice();
        for (const [at, value] of changes) if (at < frame.length) frame[at] = value;
        const length = Math.min(cut, frame.length);
        const one = decodeAmid(frame, length, 0x00);
        const other = decodeAmid(frame, length, 0xff);
        expect(other).toEqual(one);
        expect(one.payloadOffset).toBeLessThanOrEqual(length);
        if (one.payloadOffset >= 0) {
          expect(one.payloadLength).toBeGreaterThanOrEqual(0);
          expect(one.payloadOffset + one.payloadLength).toBeLessThanOrEqual(length);
        }
        expect(one.errorOffset).toBeLessThanOrEqual(length);
        expect(() => parse(frame.subarray(0, length))).not.toThrow();
      }),
      { numRuns: 3000 },
    );
  });

  it('survives random bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        expect(decodeAmid(bytes, bytes.length, 0)).toEqual(decodeAmid(bytes, bytes.length, 0x86));
        expect(parse(bytes).layers.length).toBeLessThanOrEqual(200);
      }),
      { numRuns: 1000 },
    );
  });
});

/** Decodes the frame with other bytes all around it: a read outside would change the answer. */
function decodeAmid(frame: Uint8Array, length: number, around: number): DecodedHeaders {
  const array = new Uint8Array(length + 64).fill(around);
  array.set(frame.subarray(0, length), 32);
  return decode(array, 32, length);
}

describe('build and parse', () => {
  const mac = fc
    .uint8Array({ minLength: 6, maxLength: 6 })
    .map((bytes) => [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join(':'));
  const v4 = fc.uint8Array({ minLength: 4, maxLength: 4 }).map((bytes) => bytes.join('.'));
  const port = fc.nat(4000);
  const words = fc
    .array(fc.nat(255), { maxLength: 9 })
    .map((a) => Uint8Array.from(a.flatMap((b) => [b, 0, 1, b])));
  const ip: fc.Arbitrary<Layer[]> = fc.oneof(
    fc
      .tuple(v4, v4, words, fc.nat(255))
      .map(([src, dst, options, ttl]): Layer[] => [
        { kind: 'ipv4', src, dst, options, ttl, dontFragment: true },
      ]),
    fc
      .tuple(fc.nat(0xfffff), fc.array(fc.constantFrom(0, 43, 60), { maxLength: 3 }))
      .map(([label, kinds]): Layer[] => [
        { ...IPV6, flowLabel: label },
        ...kinds.map((protocol): Layer => ({ kind: 'ipv6-extension', protocol, body: new Uint8Array(14) })),
      ]),
  );
  const l4: fc.Arbitrary<Layer> = fc.oneof(
    fc.tuple(port, port, words, fc.nat(255)).map(
      ([srcPort, dstPort, options, flags]): Layer => ({
        kind: 'tcp',
        srcPort,
        dstPort,
        options,
        flags,
        seq: 0xfffffff0,
      }),
    ),
    fc.tuple(port, port).map(([srcPort, dstPort]): Layer => ({ kind: 'udp', srcPort, dstPort })),
    fc
      .tuple(port, port)
      .map(([srcPort, dstPort]): Layer => ({ kind: 'sctp', srcPort, dstPort, verificationTag: 9 })),
    fc.nat(255).map((type): Layer => ({ kind: 'icmp', type, code: 1, rest: 0x80000001 })),
  );
  const tunnel: fc.Arbitrary<Layer[]> = fc.constantFrom<Layer[]>(
    [{ ...UDP, dstPort: 4789 }, { kind: 'vxlan', vni: 42 }, ETHERNET],
    [{ ...UDP, dstPort: 6081 }, { kind: 'geneve', vni: 43, options: new Uint8Array(12) }, ETHERNET],
    [{ kind: 'gre', key: 0xdeadbeef, checksum: true }],
    [{ kind: 'gre', sequence: 5 }, ETHERNET],
  );
  const payload = fc
    .uint8Array({ minLength: 1, maxLength: 60 })
    .map((bytes): Layer => ({ kind: 'payload', bytes }));
  const frames = fc
    .tuple(mac, fc.array(fc.nat(4095), { maxLength: 2 }), fc.option(fc.tuple(ip, tunnel)), ip, l4, payload)
    .map(([src, vlans, outer, innerIp, transport, data]): Layer[] => [
      { ...ETHERNET, src } as Layer,
      ...vlans.map((id): Layer => ({ kind: 'vlan', id })),
      ...(outer ? [...outer[0], ...outer[1]] : []),
      ...innerIp,
      transport,
      data,
    ]);

  it('come back: every field that was given, and the same bytes when built again', () => {
    fc.assert(
      fc.property(frames, (layers) => {
        const frame = build(layers);
        const packet: ParsedPacket = parse(frame);
        expect(packet.error).toBeUndefined();
        expect(packet.layers).toHaveLength(layers.length);
        expect(packet.layers).toMatchObject(layers);
        expect(build(packet.layers)).toEqual(frame);
      }),
      { numRuns: 300 },
    );
  });

  it('finds a layer by kind and depth', () => {
    const packet = parse(
      build([ETHERNET, IPV4, { kind: 'gre' }, { ...IPV4, src: '10.9.8.7' } as Layer, UDP]),
    );
    expect(findLayer(packet, 'ipv4', 1)?.src).toBe('10.9.8.7');
    expect(findLayer(packet, 'udp')?.dstPort).toBe(2222);
    expect(findLayer(packet, 'tcp')).toBeUndefined();
  });

  it('reports padding and ARP', () => {
    const arp: Layer = {
      kind: 'arp',
      operation: 1,
      senderMac: '02:00:00:00:00:01',
      senderIp: '192.0.2.1',
      targetMac: '00:00:00:00:00:00',
      targetIp: '192.0.2.2',
    };
    expect(parse(build([ETHERNET, arp])).layers[1]).toEqual(arp);
    const padded = new Uint8Array(60);
    padded.set(build([ETHERNET, IPV4, UDP]));
    expect(parse(padded).paddingBytes).toBe(18);
  });
});
