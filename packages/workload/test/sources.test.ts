import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Layer } from '@vhostlab/packet';
import {
  build,
  CaptureError,
  findLayer,
  internetChecksum,
  PcapngWriter,
  PcapWriter,
  parse,
  pseudoHeaderSum4,
  pseudoHeaderSum6,
  readCapture,
} from '@vhostlab/packet';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { FrameSource, TrafficSpec } from '../src/index.ts';
import {
  combineFrameHashes,
  createSource,
  FrameHasher,
  hashSource,
  PcapSource,
  readSequence,
  reflect,
  swapMacs,
  type TcpStreamSource,
} from '../src/index.ts';

const BASE: TrafficSpec = { kind: 'udp', packets: 100, lineBps: 10e9, seed: 1 };

interface Sent {
  packet: number;
  flow: number;
  atPs: number;
  gapPs: number;
  bytes: Uint8Array;
}

function drain(source: FrameSource, limit = 10_000): Sent[] {
  const sent: Sent[] = [];
  const memory = new Uint8Array(70_000).fill(0xa5);
  while (sent.length < limit && source.next()) {
    const { packet, flow, atPs, gapPs, length } = source;
    expect(source.write(memory, 1003)).toBe(length);
    expect(length).toBeLessThanOrEqual(source.maxLength);
    expect(memory[1002]).toBe(0xa5);
    expect(memory[1003 + length]).toBe(0xa5);
    sent.push({ packet, flow, atPs, gapPs, bytes: memory.slice(1003, 1003 + length) });
    memory.fill(0xa5, 1003, 1003 + length);
  }
  return sent;
}

/** Sum over pseudo header and segment, which is all ones when the checksum is right. */
function transportSum(frame: Uint8Array, l3: number): number {
  const version4 = frame[l3] >>> 4 === 4;
  const l4 = l3 + (version4 ? 20 : 40);
  const length = frame.length - l4;
  const pseudo = version4
    ? pseudoHeaderSum4(frame, l3 + 12, frame[l3 + 9], length)
    : pseudoHeaderSum6(frame, l3 + 8, frame[l3 + 6], length);
  return internetChecksum(frame, l4, length, pseudo);
}

describe('UDP source', () => {
  it('sends valid frames of every shape: sizes, checksums, sequence numbers', () => {
    const shape = fc.record({
      size: fc.constantFrom('82', '100', '512', '1518', 'imix-ipv6', 'bcA, A=9018'),
      ipVersion: fc.constantFrom(4 as const, 6 as const),
      flows: fc.constantFrom(0, 1, 3, 100_000),
      vlan: fc.option(fc.nat(4094), { nil: undefined }),
      sizeOrder: fc.constantFrom('sequence' as const, 'random' as const),
    });
    fc.assert(
      fc.property(shape, ({ vlan, ...rest }) => {
        fc.pre(!(vlan !== undefined && rest.ipVersion === 6 && rest.size === 'imix-ipv6'));
        const spec = { ...BASE, ...rest, packets: 20, ...(vlan === undefined ? {} : { vlan }) };
        const sent = drain(createSource(spec));
        expect(sent.map(({ packet }) => packet)).toEqual(Array.from({ length: 20 }, (_, i) => i));
        for (const { bytes, packet } of sent) {
          const parsed = parse(bytes);
          expect(parsed.error).toBeUndefined();
          expect(parsed.paddingBytes).toBe(0);
          expect(findLayer(parsed, 'vlan')?.id).toBe(vlan);
          const l3 = vlan === undefined ? 14 : 18;
          expect(transportSum(bytes, l3)).toBe(0xffff);
          if (spec.ipVersion === 4) expect(internetChecksum(bytes, l3, 20)).toBe(0xffff);
          expect(readSequence(bytes, 0, bytes.length)).toBe(packet);
        }
      }),
      { numRuns: 40 },
    );
  });

  it('has 60 bytes in memory for size 64, and departs at line rate', () => {
    const sent = drain(createSource({ ...BASE, packets: 3, size: '64' }));
    expect(sent.map(({ bytes }) => bytes.length)).toEqual([60, 60, 60]);
    expect(sent.map(({ atPs }) => atPs)).toEqual([0, 67_200, 134_400]);
    expect(sent.map(({ gapPs }) => gapPs)).toEqual([0, 67_200, 67_200]);
  });

  it('lets flows take turns with 5-tuples that all differ; 0 flows is a new one each time', () => {
    const tuple = ({ bytes }: Sent) => [...bytes.subarray(26, 38)].join();
    const three = drain(createSource({ ...BASE, packets: 9, flows: 3 }));
    expect(three.map(({ flow }) => flow)).toEqual([0, 1, 2, 0, 1, 2, 0, 1, 2]);
    expect(new Set(three.map(tuple)).size).toBe(3);
    const fresh = drain(createSource({ ...BASE, packets: 5000, flows: 0 }));
    expect(new Set(fresh.map(tuple)).size).toBe(5000);
    const ports = new Set(fresh.map(({ bytes }) => (bytes[36] << 8) | bytes[37]));
    expect(ports.size).toBeGreaterThan(1000);
  });

  it('repeats by seed, and shards of a stream are the stream', () => {
    const spec: TrafficSpec = {
      ...BASE,
      size: 'imix',
      sizeOrder: 'random',
      flows: 7,
      arrival: { kind: 'poisson' },
    };
    const whole = drain(createSource(spec));
    expect(drain(createSource(spec))).toEqual(whole);
    expect(drain(createSource({ ...spec, seed: 2 }))).not.toEqual(whole);
    const parts = [0, 1, 2].map((shard) => drain(createSource(spec, { shard, shards: 3 })));
    for (const [shard, part] of parts.entries()) {
      expect(part.length).toBeGreaterThan(20);
      expect(part.every(({ flow }) => flow % 3 === shard)).toBe(true);
    }
    const strip = ({ gapPs: _, ...sent }: Sent) => sent;
    const merged = parts.flat().sort((a, b) => a.packet - b.packet);
    expect(merged.map(strip)).toEqual(whole.map(strip));
    expect(drain(createSource({ ...spec, flows: 1 }, { shard: 1, shards: 2 }))).toEqual([]);
  });

  it.each<[Partial<TrafficSpec>, string]>([
    [{ packets: 0 }, '0 packets'],
    [{ packets: 2 ** 31 }, '2147483648 packets'],
    [{ packets: 1.5 }, '1.5 packets'],
    [{ flows: -1 }, '-1 flows'],
    [{ flows: 2 ** 31 }, '2147483648 flows'],
    [{ size: '64', ipVersion: 6 }, 'too small for UDP over IPv6: 74 (FCS included) are needed'],
    [{ rate: 'quick' }, 'rate "quick"'],
    [{ kind: 'pcap' }, 'needs the bytes of a capture'],
    [{ kind: 'tcp-stream', flows: 0 }, '0 connections'],
    [{ kind: 'tcp-stream', mssBytes: 70_000 }, 'MSS of 70000 bytes'],
  ])('refuses %j', (change, message) => {
    expect(() => createSource({ ...BASE, ...change })).toThrow(message);
  });

  it('refuses a stream without a number of packets and a shard that does not exist', () => {
    const { packets: _, ...endless } = BASE;
    expect(() => createSource(endless)).toThrow('needs a number of packets');
    expect(() => createSource(BASE, { shard: 2, shards: 2 })).toThrow('shard 2 of 2 does not exist');
  });
});

describe('TCP stream source', () => {
  it.each([4, 6] as const)('sends whole segments with complete checksums over IPv%i', (ipVersion) => {
    const sent = drain(createSource({ ...BASE, kind: 'tcp-stream', ipVersion, packets: 4, flows: 2 }));
    expect(sent.map(({ flow }) => flow)).toEqual([0, 1, 0, 1]);
    expect(sent.map(({ bytes }) => findLayer(parse(bytes), 'tcp')?.seq)).toEqual([0, 0, 1448, 1448]);
    expect(sent[0].bytes.length).toBe(ipVersion === 4 ? 1514 : 1534);
    for (const { bytes } of sent) expect(transportSum(bytes, 14)).toBe(0xffff);
  });

  it.each([4, 6] as const)(
    'leaves GSO frames to the device: pseudo-header sum and offload fields, IPv%i',
    (ipVersion) => {
      const source = createSource({
        ...BASE,
        kind: 'tcp-stream',
        ipVersion,
        packets: 3,
        gso: true,
      }) as TcpStreamSource;
      const headerBytes = ipVersion === 4 ? 66 : 86;
      expect(source.offload).toEqual({
        flags: 1,
        gsoType: ipVersion === 4 ? 1 : 4,
        gsoSize: 1448,
        hdrLen: headerBytes,
        csumStart: headerBytes - 32,
        csumOffset: 16,
      });
      expect(source).toMatchObject({ segments: 45, payloadBytes: 65160, length: headerBytes + 65160 });
      const [, second] = drain(source);
      expect(findLayer(parse(second.bytes), 'tcp')?.seq).toBe(65160);
      // What the device does: ones' complement from csum_start over the rest, with the pseudo header already in place.
      const l4 = headerBytes - 32;
      const checksum = ~internetChecksum(second.bytes, l4, second.bytes.length - l4) & 0xffff;
      second.bytes[l4 + 16] = checksum >>> 8;
      second.bytes[l4 + 17] = checksum & 0xff;
      expect(transportSum(second.bytes, 14)).toBe(0xffff);
    },
  );

  it('carries sequence numbers past 2^32', () => {
    const source = createSource({ ...BASE, kind: 'tcp-stream', packets: 70_000, gso: true });
    for (let i = 0; i < 66_000; i++) source.next();
    const memory = new Uint8Array(66_000);
    source.write(memory, 0);
    const expected = Number((65_999n * 65_160n) % 4_294_967_296n);
    expect(findLayer(parse(memory.subarray(0, source.length)), 'tcp')?.seq).toBe(expected);
  });

  it('offers checksum offload without segmentation', () => {
    const source = createSource({ ...BASE, kind: 'tcp-stream', packets: 1, checksumOffload: true });
    expect(source.offload).toMatchObject({ flags: 1, gsoType: 0, gsoSize: 0, csumStart: 34 });
  });
});

describe('pcap source', () => {
  const ETHERNET: Layer = { kind: 'ethernet', dst: '02:00:00:00:00:02', src: '02:00:00:00:00:01' };
  const frames = [1, 2, 1, 3].map((port) =>
    build([
      ETHERNET,
      { kind: 'ipv4', src: '192.0.2.1', dst: '192.0.2.2' },
      { kind: 'udp', srcPort: port, dstPort: 9 },
      { kind: 'payload', bytes: new Uint8Array(port * 70) },
    ]),
  );

  function capture(timesNs: bigint[]): Uint8Array {
    const writer = new PcapngWriter();
    writer.addInterface();
    timesNs.forEach((ns, i) => {
      writer.write({ bytes: frames[i % frames.length], timestampNs: 1_700_000_000_000_000_000n + ns });
    });
    return writer.take();
  }

  const NONE = { shard: 0, shards: 1 };

  it('replays bytes and moments as captured, again when more packets are asked', () => {
    const source = createSource(
      { kind: 'pcap', packets: 6, lineBps: 10e9, seed: 1 },
      { capture: capture([0n, 10n, 20n, 90n]) },
    );
    const sent = drain(source);
    expect(sent.map(({ bytes }) => bytes)).toEqual([...frames, frames[0], frames[1]]);
    expect(sent.map(({ atPs }) => atPs)).toEqual([0, 10_000, 20_000, 90_000, 120_000, 130_000]);
    expect(sent.map(({ flow }) => flow)).toEqual([0, 1, 0, 2, 0, 1]);
  });

  it('replays faster, or at a rate', () => {
    const times = (spec: Partial<TrafficSpec>) =>
      drain(
        createSource(
          { kind: 'pcap', lineBps: 10e9, seed: 1, ...spec },
          { capture: capture([0n, 10n, 20n, 90n]) },
        ),
      ).map(({ atPs }) => atPs);
    expect(times({ speed: 10 })).toEqual([0, 1000, 2000, 9000]);
    expect(times({ rate: '1Mpps' })).toEqual([0, 1e6, 2e6, 3e6]);
    expect(() => times({ speed: 0 })).toThrow('replay speed 0');
  });

  it('counts what it cannot keep: unsorted, truncated, too short and too long frames', () => {
    const writer = new PcapWriter();
    writer.write({ bytes: frames[0], timestampNs: 50n, originalLength: 9000 });
    writer.write({ bytes: frames[1], timestampNs: 40n });
    writer.write({ bytes: new Uint8Array(13), timestampNs: 60n });
    writer.write({ bytes: new Uint8Array(300), timestampNs: 70n });
    const source = new PcapSource(writer.take(), {
      maxFrameBytes: 299,
      timing: { kind: 'captured', speed: 1 },
      sharing: NONE,
    });
    expect(source).toMatchObject({
      framesInFile: 2,
      truncatedFrames: 1,
      unsortedFrames: 1,
      skippedTooShort: 1,
      skippedTooLong: 1,
      maxLength: frames[1].length,
    });
    expect(drain(source).map(({ atPs }) => atPs)).toEqual([0, 0]);
  });

  it('refuses damaged, empty and foreign captures', () => {
    const open = (bytes: Uint8Array) =>
      new PcapSource(bytes, { timing: { kind: 'captured', speed: 1 }, sharing: NONE });
    expect(() => open(new Uint8Array(0))).toThrow(CaptureError);
    expect(() => open(capture([0n]).subarray(0, 80))).toThrow(CaptureError);
    expect(() => open(new PcapWriter().take())).toThrow('no frames to replay');
    const other = new PcapWriter({ linkType: 113 });
    other.write({ bytes: frames[0], timestampNs: 0n });
    expect(() => open(other.take())).toThrow('link type 113');
    const long = new PcapWriter();
    long.write({ bytes: frames[0], timestampNs: 0n });
    long.write({ bytes: frames[0], timestampNs: 10_000n * 1_000_000_000n });
    expect(() => open(long.take())).toThrow('2.5 hours');
  });
});

describe('the example capture', () => {
  const file = new Uint8Array(
    readFileSync(new URL('../../../examples/traffic/mixed.pcapng', import.meta.url)),
  );

  it('is replayed whole: the hash of what is written is that of the frames in the file', () => {
    const naive = createHash('sha256');
    const reader = readCapture(file);
    let count = 0;
    while (reader.next()) {
      naive.update(Uint8Array.of(reader.capturedLength, reader.capturedLength >>> 8, 0, 0));
      naive.update(file.subarray(reader.offset, reader.offset + reader.capturedLength));
      count++;
    }
    const source = createSource({ kind: 'pcap', lineBps: 10e9, seed: 1 }, { capture: file });
    expect(source).toMatchObject({ packets: count, maxLength: 1518, skippedTooShort: 0, skippedTooLong: 0 });
    expect(hashSource(source)).toBe(naive.digest('hex'));
  });
});

describe('frame hashes', () => {
  it('are SHA-256 over length and bytes, wherever the frames lie and however long they are', () => {
    const lengths = fc.array(
      fc.oneof(fc.nat(200), fc.nat(2000), fc.constantFrom(65531, 65532, 65533, 70000)),
      {
        maxLength: 80,
      },
    );
    const memory = Uint8Array.from({ length: 80_000 }, (_, i) => (i * 31) ^ (i >>> 8));
    fc.assert(
      fc.property(lengths, fc.nat(9000), (list, start) => {
        const hasher = new FrameHasher();
        const naive = createHash('sha256');
        for (const length of list) {
          hasher.add(memory, start, length);
          naive.update(Uint8Array.of(length, length >>> 8, length >>> 16, 0));
          naive.update(memory.subarray(start, start + length));
        }
        expect(hasher.digest()).toBe(naive.copy().digest('hex'));
        expect(hasher.frames).toBe(list.length);
        hasher.add(memory, 0, 1);
        naive.update(Uint8Array.of(1, 0, 0, 0)).update(memory.subarray(0, 1));
        expect(hasher.digest()).toBe(naive.digest('hex'));
      }),
    );
  });

  it('combine in queue order; one queue is itself', () => {
    const [one, two] = ['aa', 'bb'].map((byte) => byte.repeat(32));
    expect(combineFrameHashes([one])).toBe(one);
    const both = createHash('sha256')
      .update(Buffer.from(one + two, 'hex'))
      .digest('hex');
    expect(combineFrameHashes([one, two])).toBe(both);
    expect(combineFrameHashes([two, one])).not.toBe(both);
  });
});

describe('replies', () => {
  it.each([4, 6] as const)('turn a request round and keep its checksum valid, IPv%i', (ipVersion) => {
    const [{ bytes }] = drain(createSource({ ...BASE, packets: 1, size: '128', ipVersion }));
    const request = parse(bytes);
    expect(reflect(bytes, 0, bytes.length)).toBe(true);
    const response = parse(bytes);
    const kind = ipVersion === 4 ? 'ipv4' : 'ipv6';
    expect(findLayer(response, 'ethernet')?.dst).toBe(findLayer(request, 'ethernet')?.src);
    expect(findLayer(response, kind)?.dst).toBe(findLayer(request, kind)?.src);
    expect(findLayer(response, kind)?.src).toBe(findLayer(request, kind)?.dst);
    expect(findLayer(response, 'udp')?.dstPort).toBe(findLayer(request, 'udp')?.srcPort);
    expect(transportSum(bytes, 14)).toBe(0xffff);
    reflect(bytes, 0, bytes.length);
    expect(parse(bytes)).toEqual(request);
  });

  it('swap only the MACs of other frames', () => {
    const frame = Uint8Array.from({ length: 60 }, (_, i) => i);
    expect(reflect(frame, 0, 60)).toBe(false);
    expect([...frame.subarray(0, 14)]).toEqual([6, 7, 8, 9, 10, 11, 0, 1, 2, 3, 4, 5, 12, 13]);
    swapMacs(frame, 0);
    expect(frame).toEqual(Uint8Array.from({ length: 60 }, (_, i) => i));
    expect(readSequence(frame, 0, 60)).toBe(-1);
  });
});
