import type { Layer } from '../src/index.ts';
import { build, parseIpv6, parseMac } from '../src/index.ts';

/**
 * Our own frames for `examples/traffic/mixed.pcapng`: one direction only, from STATION addresses to GUEST addresses,
 * because a learning switch drops frames to an address that it has learned on the port where they come from. All are
 * well formed but those under "odd".
 */
const STATION = '02:76:68:6c:00:01';
const GUEST = '02:76:68:6c:00:02';
const V4 = { src: '198.18.0.1', dst: '198.19.0.1' };
const V6 = { src: '2001:2::1', dst: '2001:2::2' };
/** IEEE 802 local experimental Ethernet type. */
const EXPERIMENTAL = 0x88b5;

const ethernet: Layer = { kind: 'ethernet', dst: GUEST, src: STATION };
const ipv4: Layer = { kind: 'ipv4', ...V4, dontFragment: true };
const ipv6: Layer = { kind: 'ipv6', ...V6 };

/** A recognisable payload: a counter that starts at 0x80 + `seed`. */
function data(length: number, seed = 0): Layer {
  return { kind: 'payload', bytes: Uint8Array.from({ length }, (_, i) => (0x80 + seed + i) & 0xff) };
}

/** Ports that no dissector claims for a protocol of its own. */
function udp(number: number, dstPort = 50001): Layer {
  return { kind: 'udp', srcPort: 40000 + number, dstPort };
}

/** Fills up with zeros to the shortest frame that goes out unpadded. */
function padded(frame: Uint8Array): Uint8Array {
  const long = new Uint8Array(Math.max(60, frame.length));
  long.set(frame);
  return long;
}

/** A frame of exactly `length` bytes: the payload takes what the headers leave. */
function sized(length: number, headers: Layer[], seed = 0): Uint8Array {
  return build([...headers, data(length - build(headers).length, seed)]);
}

/** Every length below the minimum of Ethernet, 14 to 59 bytes, with whatever headers have room. */
function runts(): Uint8Array[] {
  return Array.from({ length: 46 }, (_, i) => {
    const length = 14 + i;
    if (length >= 54 && length % 2 === 1) {
      return sized(length, [ethernet, ipv4, { kind: 'tcp', srcPort: 1000 + i, dstPort: 80 }]);
    }
    if (length >= 42) return sized(length, [ethernet, ipv4, udp(1000 + i)], i);
    if (length >= 34) return sized(length, [ethernet, { ...ipv4, protocol: 253 } as Layer], i);
    return sized(length, [{ ...ethernet, etherType: EXPERIMENTAL } as Layer], i);
  });
}

/** The frame sizes of RFC 2544 without FCS, as UDP and TCP over both IPs. */
function standardSizes(): Uint8Array[] {
  return [60, 124, 252, 508, 1020, 1276, 1514].flatMap((length, i) => [
    sized(length, [ethernet, ipv4, udp(2000 + i)], i),
    sized(length, [ethernet, ipv4, { kind: 'tcp', srcPort: 2100 + i, dstPort: 443, seq: i * 1000 }], i),
    sized(Math.max(length, 78), [ethernet, ipv6, udp(2200 + i)], i),
    sized(
      Math.max(length, 78),
      [ethernet, ipv6, { kind: 'tcp', srcPort: 2300 + i, dstPort: 443, seq: i }],
      i,
    ),
  ]);
}

function vlans(): Uint8Array[] {
  const tag: Layer = { kind: 'vlan', id: 100, priority: 3 };
  const service: Layer = { kind: 'vlan', id: 200, priority: 5, dropEligible: true };
  return [64, 128, 600, 1518].flatMap((length, i) => [
    sized(length, [ethernet, tag, ipv4, udp(3000 + i)], i),
    sized(Math.max(length, 82), [ethernet, { ...tag, id: 4094 } as Layer, ipv6, udp(3100 + i)], i),
    sized(length, [ethernet, service, tag, ipv4, udp(3200 + i)], i),
  ]);
}

function arpAndIcmp(): Uint8Array[] {
  const senders = { senderMac: STATION, senderIp: V4.src, targetIp: V4.dst };
  const arp = (operation: number, targetMac: string): Layer => ({
    kind: 'arp',
    operation,
    ...senders,
    targetMac,
  });
  const broadcast: Layer = { kind: 'ethernet', src: STATION, dst: 'ff:ff:ff:ff:ff:ff' };
  const echoes = [0, 1, 56, 1400].flatMap((bytes, i) => [
    padded(build([ethernet, ipv4, { kind: 'icmp', type: 8, rest: 0x00070000 + i }, data(bytes)])),
    padded(build([ethernet, ipv6, { kind: 'icmp', type: 128, rest: 0x00070000 + i }, data(bytes)])),
  ]);
  const solicited = 'ff02::1:ff00:2';
  return [
    padded(build([broadcast, arp(1, '00:00:00:00:00:00')])),
    build([broadcast, arp(1, '00:00:00:00:00:00')]),
    padded(build([ethernet, arp(2, GUEST)])),
    ...echoes,
    build([
      { kind: 'ethernet', src: STATION, dst: '33:33:ff:00:00:02' },
      { kind: 'ipv6', src: V6.src, dst: solicited, hopLimit: 255 },
      { kind: 'icmp', type: 135 },
      { kind: 'payload', bytes: Uint8Array.of(...parseIpv6(V6.dst), 1, 1, ...parseMac(STATION)) },
    ]),
  ];
}

/** A connection as its client sends it. */
function tcpClient(): Uint8Array[] {
  const ports = { srcPort: 49152, dstPort: 8080 };
  const timestamps = (n: number) => Uint8Array.of(1, 1, 8, 10, 0, 0, 0, n, 0, 0, 0, n);
  const synOptions = Uint8Array.of(2, 4, 5, 0xb4, 4, 2, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0, 1, 3, 3, 7);
  const segment = (seq: number, flags: number, bytes: number, n: number): Uint8Array =>
    build([
      ethernet,
      { ...ipv4, id: n } as Layer,
      { kind: 'tcp', ...ports, seq, ack: 5001, flags, options: timestamps(n) },
      data(bytes, n),
    ]);
  return [
    build([ethernet, ipv4, { kind: 'tcp', ...ports, seq: 1000, flags: 0x02, options: synOptions }]),
    segment(1001, 0x10, 0, 2),
    ...Array.from({ length: 8 }, (_, i) => segment(1001 + i * 1448, i === 7 ? 0x18 : 0x10, 1448, 3 + i)),
    segment(1001 + 8 * 1448, 0x11, 0, 12),
    build([ethernet, ipv4, { kind: 'tcp', ...ports, seq: 0xffffffff, flags: 0x04 }, data(6)]),
  ];
}

/** A datagram cut as a router with an MTU of 1500 does: IPv4, then IPv6. */
function fragments(): Uint8Array[] {
  const frames: Uint8Array[] = [];
  for (const [index, total] of [1473, 3000, 4440].entries()) {
    const plain = { ...V4, id: 0x1000 + index };
    const whole = build([{ kind: 'ipv4', ...plain }, udp(4000 + index), data(total, index)]).subarray(20);
    for (let at = 0; at < whole.length; at += 1480) {
      const bytes = whole.subarray(at, at + 1480);
      const moreFragments = at + 1480 < whole.length;
      const head: Layer = { kind: 'ipv4', ...plain, protocol: 17, fragmentOffset: at, moreFragments };
      frames.push(padded(build([ethernet, head, { kind: 'payload', bytes }])));
    }
    const whole6 = build([{ kind: 'ipv6', ...V6 }, udp(4100 + index), data(total, index)]).subarray(40);
    for (let at = 0; at < whole6.length; at += 1448) {
      const bytes = whole6.subarray(at, at + 1448);
      const moreFragments = at + 1448 < whole6.length;
      const head: Layer = {
        kind: 'ipv6-fragment',
        id: 7 + index,
        fragmentOffset: at,
        moreFragments,
        nextHeader: 17,
      };
      frames.push(build([ethernet, ipv6, head, { kind: 'payload', bytes }]));
    }
  }
  return frames;
}

function extensionHeaders(): Uint8Array[] {
  const routerAlert: Layer = { kind: 'ipv6-extension', protocol: 0, body: Uint8Array.of(5, 2, 0, 0, 1, 0) };
  const destination: Layer = {
    kind: 'ipv6-extension',
    protocol: 60,
    body: Uint8Array.of(1, 12, ...new Array(12).fill(0)),
  };
  const segments = new Uint8Array(22);
  segments.set([4, 0, 0, 0, 0, 0, 0x20, 1, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2]);
  const routing: Layer = { kind: 'ipv6-extension', protocol: 43, body: segments };
  const authentication: Layer = { kind: 'ipv6-extension', protocol: 51, body: new Uint8Array(22).fill(0x5a) };
  const atomic: Layer = { kind: 'ipv6-fragment', id: 99, fragmentOffset: 0, moreFragments: false };
  const chains = [
    [routerAlert],
    [destination],
    [routing],
    [routerAlert, destination],
    [routerAlert, routing, destination],
    [authentication],
    [routerAlert, destination, routing, atomic, authentication],
  ];
  return chains.flatMap((chain, i) => [
    sized(200 + i * 100, [ethernet, ipv6, ...chain, udp(5000 + i)], i),
    sized(300 + i * 150, [ethernet, ipv6, ...chain, { kind: 'tcp', srcPort: 5100 + i, dstPort: 80 }], i),
  ]);
}

function sctp(): Uint8Array[] {
  const head: Layer = { kind: 'sctp', srcPort: 40900, dstPort: 50002, verificationTag: 0x11223344 };
  const init = Uint8Array.of(1, 0, 0, 20, 0, 0, 0, 1, 0, 1, 0, 0, 0, 10, 0, 10, 0, 0, 0, 1);
  const dataChunk = (bytes: number) => {
    const chunk = new Uint8Array(16 + ((bytes + 3) & ~3));
    chunk.set([0, 3, (16 + bytes) >>> 8, (16 + bytes) & 255, 0, 0, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0]);
    return chunk.fill(0xd5, 16, 16 + bytes);
  };
  return [
    padded(
      build([ethernet, ipv4, { ...head, verificationTag: 0 } as Layer, { kind: 'payload', bytes: init }]),
    ),
    ...[1, 100, 1440].flatMap((bytes) => [
      padded(build([ethernet, ipv4, head, { kind: 'payload', bytes: dataChunk(bytes) }])),
      build([ethernet, ipv6, head, { kind: 'payload', bytes: dataChunk(Math.min(bytes, 1420)) }]),
    ]),
  ];
}

function tunnels(): Uint8Array[] {
  const innerEthernet: Layer = { kind: 'ethernet', dst: '02:00:00:00:0a:02', src: '02:00:00:00:0a:01' };
  const inner4: Layer = { kind: 'ipv4', src: '10.1.0.1', dst: '10.1.0.2' };
  const inner6: Layer = { kind: 'ipv6', src: 'fd00::1', dst: 'fd00::2' };
  const option = Uint8Array.of(1, 1, 2, 1, 0xca, 0xfe, 0xbe, 0xef);
  const openers: Layer[][] = [
    [
      ipv4,
      { kind: 'udp', srcPort: 51000, dstPort: 4789, checksum: 0 },
      { kind: 'vxlan', vni: 5001 },
      innerEthernet,
    ],
    [ipv6, udp(11001, 4789), { kind: 'vxlan', vni: 0xfffffe }, innerEthernet, { kind: 'vlan', id: 12 }],
    [ipv4, udp(11002, 6081), { kind: 'geneve', vni: 6001 }, innerEthernet],
    [ipv6, udp(11003, 6081), { kind: 'geneve', vni: 6002, options: option }, innerEthernet],
    [ipv4, { kind: 'gre', key: 0x01020304, sequence: 7, checksum: true }],
    [ipv4, { kind: 'gre' }, innerEthernet],
    [ipv6, { kind: 'gre', key: 0xfffffffe }],
  ];
  return openers.flatMap((opener, i) => [
    sized(150 + i, [ethernet, ...opener, inner4, udp(6000 + i)], i),
    sized(1514 - i, [ethernet, ...opener, inner4, { kind: 'tcp', srcPort: 6100 + i, dstPort: 80 }], i),
    sized(200 + i, [ethernet, ...opener, inner6, udp(6200 + i)], i),
  ]);
}

/** Legal but rare, and two with faults that no data path may "repair": a wrong checksum, a wrong data offset. */
function odd(): Uint8Array[] {
  const routerAlert = Uint8Array.of(0x94, 4, 0, 0);
  const badOffset = sized(80, [ethernet, ipv4, { kind: 'tcp', srcPort: 7005, dstPort: 80 }]);
  badOffset[14 + 20 + 12] = 0x40;
  return [
    sized(90, [ethernet, { ...ipv4, options: routerAlert } as Layer, udp(7000)]),
    sized(150, [ethernet, { ...ipv4, options: new Uint8Array(40).fill(1) } as Layer, udp(7001)]),
    sized(90, [ethernet, ipv4, { ...udp(7002), checksum: 0 } as Layer]),
    sized(90, [ethernet, ipv4, { ...udp(7003), checksum: 0xbeef } as Layer]),
    badOffset,
    sized(90, [
      { kind: 'ethernet', src: STATION, dst: '01:00:5e:01:02:03' },
      { ...ipv4, dst: '239.1.2.3', ttl: 1 } as Layer,
      udp(7004),
    ]),
    padded(build([ethernet, { kind: 'llc', dsap: 0xf0, ssap: 0xf0, control: 3 }, data(40)])),
    build([
      ethernet,
      { kind: 'llc', dsap: 0xaa, ssap: 0xaa, control: 3, snapType: 0x0800 },
      ipv4,
      udp(7006),
      data(60),
    ]),
    sized(1514, [{ ...ethernet, etherType: EXPERIMENTAL } as Layer], 9),
  ];
}

/** All frames, in the order of the file: kinds take turns, so that no part of a run sees one kind only. */
export function mixedFrames(): Uint8Array[] {
  const kinds = [
    runts(),
    standardSizes(),
    vlans(),
    arpAndIcmp(),
    tcpClient(),
    fragments(),
    extensionHeaders(),
    sctp(),
    tunnels(),
    odd(),
  ];
  const total = kinds.reduce((sum, frames) => sum + frames.length, 0);
  const taken = kinds.map(() => 0);
  return Array.from({ length: total }, () => {
    // The kind that lags most behind its share comes next.
    let next = 0;
    kinds.forEach((frames, kind) => {
      if ((taken[kind] + 1) / frames.length < (taken[next] + 1) / kinds[next].length) next = kind;
    });
    return kinds[next][taken[next]++];
  });
}
