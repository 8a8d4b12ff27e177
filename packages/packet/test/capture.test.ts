import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { CaptureReader } from '../src/index.ts';
import { CaptureError, PcapngWriter, PcapWriter, readCapture } from '../src/index.ts';

interface Frame {
  interfaceId: number;
  ns: bigint | undefined;
  bytes: number[];
  originalLength: number;
}

function frameAt(reader: CaptureReader, file: Uint8Array): Frame {
  const bytes = [...file.subarray(reader.offset, reader.offset + reader.capturedLength)];
  const { interfaceId, timestampNs: ns, originalLength } = reader;
  return { interfaceId, ns, bytes, originalLength };
}

/** All frames up to the end or the error. */
function readAll(file: Uint8Array): { frames: Frame[]; error: CaptureError | undefined } {
  const frames: Frame[] = [];
  try {
    const reader = readCapture(file);
    while (reader.next()) frames.push(frameAt(reader, file));
  } catch (error) {
    if (!(error instanceof CaptureError)) throw error;
    return { frames, error };
  }
  return { frames, error: undefined };
}

function hex(text: string): Uint8Array {
  return Uint8Array.from(text.replace(/\s/g, '').match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
}

const bytes = fc.uint8Array({ maxLength: 80 });
const seconds = fc.bigInt({ min: 0n, max: 0xffffffffn });
const frame = fc.record({
  bytes,
  cut: fc.nat(2000),
  seconds,
  fraction: fc.bigInt({ min: 0n, max: 999_999_999n }),
});

describe('pcap', () => {
  it('reads a file written out by hand: big-endian, microseconds, truncated frame', () => {
    const file = hex(`a1b2c3d4 0002 0004 00000000 00000000 00000060 00000001
      00000001 000f423f 00000003 00000003 0a0b0c
      00000002 00000001 00000002 000005ea 0102`);
    const { frames, error } = readAll(file);
    expect(error).toBeUndefined();
    expect(frames).toEqual([
      { interfaceId: 0, ns: 1_999_999_000n, bytes: [10, 11, 12], originalLength: 3 },
      { interfaceId: 0, ns: 2_000_001_000n, bytes: [1, 2], originalLength: 1514 },
    ]);
    const reader = readCapture(file);
    expect(reader.format).toBe('pcap');
    expect(reader.interfaces).toMatchObject([{ linkType: 1, snapLength: 0x60, timestampResolution: 6 }]);
  });

  it('reads the swapped nanosecond magic and a file at an odd place of a larger buffer', () => {
    const file = hex(`4d3cb2a1 0200 0400 00000000 00000000 00000400 01000000
      01000000 01000000 01000000 01000000 ee`);
    const shifted = new Uint8Array(file.length + 7);
    shifted.set(file, 7);
    const inside = shifted.subarray(7);
    expect(readAll(inside).frames).toEqual([
      { interfaceId: 0, ns: 1_000_000_001n, bytes: [0xee], originalLength: 1 },
    ]);
  });

  it('comes back from the writer in every variant', () => {
    const frames = fc.array(frame, { maxLength: 12 });
    fc.assert(
      fc.property(frames, fc.boolean(), fc.boolean(), (list, littleEndian, micro) => {
        const writer = new PcapWriter({ littleEndian, resolution: micro ? 'microseconds' : 'nanoseconds' });
        const expected = list.map((one): Frame => {
          const ns = one.seconds * 1_000_000_000n + one.fraction;
          const originalLength = one.bytes.length + one.cut;
          writer.write({ bytes: one.bytes, timestampNs: ns, originalLength });
          return {
            interfaceId: 0,
            ns: micro ? ns - (ns % 1000n) : ns,
            bytes: [...one.bytes],
            originalLength,
          };
        });
        expect(readAll(writer.take())).toEqual({ frames: expected, error: undefined });
      }),
    );
  });

  it('refuses moments that the format cannot hold', () => {
    const writer = new PcapWriter();
    expect(() => writer.write({ bytes: new Uint8Array(1), timestampNs: -1n })).toThrow('timestamp of -1 ns');
    expect(() => writer.write({ bytes: new Uint8Array(1), timestampNs: 1n << 63n })).toThrow(RangeError);
  });
});

describe('pcapng', () => {
  it('reads a file written out by hand: both byte orders, resolutions, old and simple packets, unknown blocks', () => {
    const file = hex(`
      0a0d0d0a 0000001c 1a2b3c4d 0001 0000 ffffffffffffffff 0000001c
      00000001 0000002c 0001 0000 00000004
        0009 0001 03000000 000e 0008 000000000000000a 0000 0000 0000002c
      00000001 0000001c 0001 0000 00000000 0009 0001 8a000000 0000001c
      00000bad 00000010 01020304 00000010
      00000006 00000028 00000000 00000000 000007d1 00000003 00000003 0a0b0c00 0000 0000 00000028
      00000006 00000024 00000001 00000001 00000400 00000001 00000002 ff000000 00000024
      00000002 00000024 0001 ffff 00000000 00000200 00000002 00000002 abcd0000 00000024
      00000003 00000014 00000009 01020304 00000014
      0a0d0d0a 1c000000 4d3c2b1a 0100 0200 ffffffffffffffff 1c000000
      01000000 14000000 9300 0000 00000000 14000000
      06000000 24000000 00000000 00000000 05000000 01000000 01000000 77000000 24000000`);
    const { frames, error } = readAll(file);
    expect(error).toBeUndefined();
    expect(frames).toEqual([
      // Milliseconds, ten seconds later than stated.
      { interfaceId: 0, ns: 12_001_000_000n, bytes: [10, 11, 12], originalLength: 3 },
      // 2^-10 seconds: 0x1_0000_0400 ticks are 4194304 s and 1 s.
      { interfaceId: 1, ns: 4_194_305_000_000_000n, bytes: [0xff], originalLength: 2 },
      { interfaceId: 1, ns: 500_000_000n, bytes: [0xab, 0xcd], originalLength: 2 },
      { interfaceId: 0, ns: undefined, bytes: [1, 2, 3, 4], originalLength: 9 },
      { interfaceId: 2, ns: 5_000n, bytes: [0x77], originalLength: 1 },
    ]);
    const reader = readCapture(file);
    while (reader.next());
    expect(reader.skippedBlocks).toBe(1);
    expect(reader.interfaces.map((one) => one.linkType)).toEqual([1, 1, 0x93]);
  });

  it('comes back from the writer: interfaces, resolutions, offsets, options, other blocks', () => {
    const described = fc.record({
      name: fc.string({ maxLength: 9 }),
      timestampResolution: fc.constantFrom(3, 6, 9, 12, 0x8a, 0xa0),
      timestampOffsetSeconds: fc.bigInt({ min: -100n, max: 0n }),
      littleEndian: fc.boolean(),
    });
    const option = fc.record({
      code: fc.integer({ min: 2, max: 0xffff }),
      value: fc.uint8Array({ maxLength: 9 }),
    });
    const packet = fc.tuple(
      frame,
      fc.nat(1),
      fc.array(option, { maxLength: 3 }),
      fc.string({ maxLength: 9 }),
    );
    fc.assert(
      fc.property(described, described, fc.array(packet, { maxLength: 8 }), (one, two, packets) => {
        const writer = new PcapngWriter({ littleEndian: one.littleEndian });
        writer.addInterface(one);
        const parts = [writer.take()];
        writer.addInterface(two);
        writer.writeBlock(0x0bad, Uint8Array.of(1, 2, 3));
        for (const [{ bytes: data, cut, seconds: whole }, interfaceId, options, comment] of packets) {
          const timestampNs = (whole >> 8n) * 1_000_000_000n;
          const originalLength = data.length + cut;
          writer.write({ bytes: data, timestampNs, originalLength, interfaceId, options, comment });
          parts.push(writer.take());
        }
        writer.writeSimple(Uint8Array.of(9));
        parts.push(writer.take());
        const file = Uint8Array.from(parts.flatMap((part) => [...part]));
        const reader = readCapture(file);
        for (const [{ bytes: data, cut, seconds: whole }, interfaceId, options, comment] of packets) {
          expect(reader.next()).toBe(true);
          const ns = (whole >> 8n) * 1_000_000_000n;
          const originalLength = data.length + cut;
          expect(frameAt(reader, file)).toEqual({ interfaceId, ns, bytes: [...data], originalLength });
          const commented = comment ? [{ code: 1, value: new TextEncoder().encode(comment) }] : [];
          expect(reader.options).toEqual([...commented, ...options]);
        }
        expect(reader.next()).toBe(true);
        expect(frameAt(reader, file)).toEqual({
          interfaceId: 0,
          ns: undefined,
          bytes: [9],
          originalLength: 1,
        });
        expect(reader.next()).toBe(false);
        expect(reader.skippedBlocks).toBe(1);
        expect(reader.interfaces.map(({ name }) => name)).toEqual([one.name, two.name]);
        expect(reader.interfaces[1].timestampOffsetSeconds).toBe(two.timestampOffsetSeconds);
      }),
    );
  });

  it.each([4068, 4072, 4076, 4080, 4084, 4088, 4092])(
    'has no length at which it cannot grow: %i',
    (length) => {
      const writer = new PcapngWriter();
      writer.addInterface();
      writer.take();
      for (let i = 0; i < 3; i++) writer.write({ bytes: new Uint8Array(length - 32), timestampNs: 0n });
      expect(writer.take()).toHaveLength(3 * length);
    },
  );

  it('keeps 64-bit timestamps exact', () => {
    const writer = new PcapngWriter();
    writer.addInterface();
    writer.write({ bytes: new Uint8Array(0), timestampNs: 1_893_456_000_123_456_789n });
    expect(readAll(writer.take()).frames[0].ns).toBe(1_893_456_000_123_456_789n);
    expect(() => writer.write({ bytes: new Uint8Array(0), timestampNs: 0n, interfaceId: 1 })).toThrow(
      'interface 1 was not described',
    );
    expect(() => writer.write({ bytes: new Uint8Array(0), timestampNs: 1n << 64n })).toThrow(RangeError);
  });
});

describe('damaged files', () => {
  it.each<[string, string]>([
    ['', 'the file is empty (at byte 0)'],
    ['a1b2', 'not a capture file: only 2 bytes (at byte 0)'],
    ['68656c6c6f', 'not a pcap or pcapng file: it begins with 0x68656c6c (at byte 0)'],
    ['1f8b0800', 'the file is compressed: unpack it first (at byte 0)'],
    ['a1b2cd34', 'this is a "modified" pcap file; save it as pcap or pcapng (at byte 0)'],
    ['d4c3b2a1 0200', 'the pcap file header is truncated: 6 of 24 bytes (at byte 0)'],
    [`d4c3b2a1 0300 0400${'00'.repeat(16)}`, 'pcap version 3.4 is not supported, only 2.x (at byte 4)'],
    ['0a0d0d0a 1c000000', 'the file ends inside a block header: 8 of 12 bytes (at byte 0)'],
    ['0a0d0d0a 1c000000 01020304', "the section's byte-order magic is 0x01020304 (at byte 8)"],
    [
      '0a0d0d0a 0000001c 1a2b3c4d 0002 0000 ffffffffffffffff 0000001c',
      'pcapng version 2.0 is not supported, only 1.x (at byte 12)',
    ],
    [
      '0a0d0d0a 0000001c 1a2b3c4d 0001 0000 ffffffffffffffff 0000001d',
      'block of type 0x0a0d0d0a states 28 bytes in front and 29 behind (at byte 0)',
    ],
  ])('%s: %s', (text, message) => {
    const { frames, error } = readAll(hex(text));
    expect(frames).toEqual([]);
    expect(error?.message).toBe(message);
  });

  it.each<[string, string]>([
    ['00000006 00000000 00000000', 'block of type 0x00000006 states a length of 0 bytes (at byte 48)'],
    ['00000006 0000000e 00000000', 'block of type 0x00000006 states a length of 14 bytes (at byte 48)'],
    [
      '00000006 00000100 00000000',
      'block of type 0x00000006 states 256 bytes, but the file ends after 12 (at byte 48)',
    ],
    ['00000006 00000010 00000000 00000010', 'block of type 0x00000006 is too short: 16 bytes (at byte 48)'],
    [
      '00000006 00000020 00000007 0000000000000000 00000000 00000000 00000020',
      'the packet is of interface 7, but the section describes only 1 (at byte 48)',
    ],
    [
      '00000006 00000020 00000000 0000000000000000 00000001 00000001 00000020',
      'the packet states 1 captured bytes in a block with room for 0 (at byte 48)',
    ],
    [
      '00000006 00000024 00000000 0000000000000000 00000000 00000000 00010009 00000024',
      'option 1 states 9 bytes, beyond its block (at byte 76)',
    ],
    [
      '00000003 00000010 00000005 00000010',
      'the simple packet states 5 bytes in a block with room for 0 (at byte 48)',
    ],
    ['00', 'the file ends inside a block header: 1 of 12 bytes (at byte 48)'],
  ])('pcapng block %s: %s', (block, message) => {
    const start =
      '0a0d0d0a 0000001c 1a2b3c4d 0001 0000 ffffffffffffffff 0000001c 00000001 00000014 0001 0000 00000000 00000014';
    expect(readAll(hex(start + block)).error?.message).toBe(message);
  });

  /** Two good frames, then whatever comes. */
  function goodFile(kind: 'pcap' | 'pcapng'): Uint8Array {
    const writer = kind === 'pcap' ? new PcapWriter() : new PcapngWriter();
    if (writer instanceof PcapngWriter) writer.addInterface();
    writer.write({ bytes: new Uint8Array(20).fill(1), timestampNs: 1n });
    writer.write({ bytes: new Uint8Array(21).fill(2), timestampNs: 2n });
    return writer.take();
  }

  it.each(['pcap', 'pcapng'] as const)(
    'cut anywhere, a %s file gives its whole frames and then one error',
    (kind) => {
      const file = goodFile(kind);
      const whole = readAll(file);
      expect(whole).toMatchObject({ frames: [{}, {}], error: undefined });
      const blockEnds = kind === 'pcap' ? [24, 60, 97] : [28, 60, 112, file.length];
      for (let cut = 0; cut < file.length; cut++) {
        const { frames, error } = readAll(file.subarray(0, cut));
        expect(frames).toEqual(whole.frames.slice(0, frames.length));
        expect(error === undefined).toBe(blockEnds.includes(cut));
        if (error) expect(error.offset).toBeLessThanOrEqual(cut);
        const complete = blockEnds.filter((end) => end <= cut).length - (kind === 'pcap' ? 1 : 2);
        expect(frames).toHaveLength(Math.max(0, complete));
      }
    },
  );

  it('ends after an error instead of repeating it', () => {
    const file = goodFile('pcapng').subarray(0, 70);
    const reader = readCapture(file);
    expect(() => reader.next()).toThrow(CaptureError);
    expect(reader.next()).toBe(false);
  });

  it('never does anything but give frames inside the file and one CaptureError', () => {
    const change = fc.tuple(fc.nat(200), fc.nat(255));
    fc.assert(
      fc.property(fc.boolean(), fc.array(change, { minLength: 1, maxLength: 6 }), (ng, changes) => {
        const file = goodFile(ng ? 'pcapng' : 'pcap').slice();
        for (const [at, value] of changes) if (at < file.length) file[at] = value;
        const { frames } = readAll(file);
        expect(frames.length).toBeLessThanOrEqual(file.length / 12);
        for (const one of frames) expect(one.bytes.length).toBeLessThanOrEqual(file.length);
      }),
      { numRuns: 3000 },
    );
  });
});
