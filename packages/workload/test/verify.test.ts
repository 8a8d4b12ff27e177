import { build, crc32c, internetChecksum, pseudoHeaderSum4 } from '@vhostlab/packet';
import { describe, expect, it } from 'vitest';
import {
  createVerifySource,
  flowCounts,
  mergeTallies,
  readSequence,
  reflect,
  swapMacs,
  type TrafficSpec,
  totalCounts,
  VERIFY_BEYOND,
  VERIFY_CORRUPTED,
  VERIFY_DUPLICATED,
  VERIFY_FOREIGN,
  VERIFY_IN_ORDER,
  VERIFY_MIN_BYTES,
  VERIFY_REORDERED,
  VERIFY_STAMPED_MIN_BYTES,
  VerifyChecker,
  type VerifySourceOptions,
} from '../src/index.ts';

const BASE: TrafficSpec = { kind: 'udp', packets: 100, lineBps: 25e9, seed: 9 };
const STREAM = { streamId: BASE.seed, flows: 4 };

interface Sent {
  flow: number;
  bytes: Uint8Array;
}

/** All frames of a source. The memory around them stays as it is. */
function framesOf(traffic: Partial<TrafficSpec> = {}, options: VerifySourceOptions = {}): Sent[] {
  const source = createVerifySource({ ...BASE, ...traffic }, options);
  const memory = new Uint8Array(20_000);
  const frames: Sent[] = [];
  while (source.next()) {
    memory.fill(0xa5);
    source.stamp.setNs(source.packet);
    const length = source.write(memory, 5);
    expect(length).toBe(source.length);
    expect([memory[4], memory[5 + length]]).toEqual([0xa5, 0xa5]);
    frames.push({ flow: source.flow, bytes: memory.slice(5, 5 + length) });
  }
  return frames;
}

function check(checker: VerifyChecker, bytes: Uint8Array): number {
  return checker.check(bytes, 0, bytes.length);
}

/** A copy with one byte changed. */
function changed(bytes: Uint8Array, at: number, bits = 1): Uint8Array {
  const copy = bytes.slice();
  copy[at] ^= bits;
  return copy;
}

describe('a verify source', () => {
  it.each([
    { size: '64' },
    { size: 'imix', sizeOrder: 'random' as const },
    { size: '9018' },
    { size: '16000' },
  ])('makes valid UDP frames whose CRC is that of their bytes: $size', (traffic) => {
    for (const isStamped of traffic.size.includes('0') ? [false, true] : [false]) {
      for (const { bytes } of framesOf({ ...traffic, packets: 40, flows: 3 }, { isStamped })) {
        expect(internetChecksum(bytes, 14, 20)).toBe(0xffff);
        const pseudo = pseudoHeaderSum4(bytes, 26, 17, bytes.length - 34);
        expect(internetChecksum(bytes, 34, bytes.length - 34, pseudo)).toBe(0xffff);
        const view = new DataView(bytes.buffer);
        expect(view.getUint16(16)).toBe(bytes.length - 14);
        expect(view.getUint16(38)).toBe(bytes.length - 34);
        const crc = crc32c(bytes, 60, bytes.length - 60, crc32c(bytes, 42, 14));
        expect(view.getUint32(56)).toBe(crc);
      }
    }
  });

  it('numbers each flow from 0, where every UDP frame has its number', () => {
    const frames = framesOf({ packets: 9, flows: 3 });
    expect(frames.map(({ flow }) => flow)).toEqual([0, 1, 2, 0, 1, 2, 0, 1, 2]);
    expect(frames.map(({ bytes }) => readSequence(bytes, 0, bytes.length))).toEqual([
      0, 0, 0, 1, 1, 1, 2, 2, 2,
    ]);
  });

  it('gives every payload bytes of its own', () => {
    const payloads = framesOf({ packets: 2000, flows: 2, size: '128' }).map(({ bytes }) =>
      bytes.slice(60).join(),
    );
    expect(new Set(payloads).size).toBeGreaterThan(1800);
    expect(framesOf({ packets: 1 })).toEqual(framesOf({ packets: 1 }));
  });

  it('draws any size between two, the same for the same seed', () => {
    const between = { minBytes: 64, maxBytes: 70 };
    const lengths = framesOf({ packets: 500 }, { between }).map(({ bytes }) => bytes.length);
    expect([...new Set(lengths)].sort()).toEqual([60, 61, 62, 63, 64, 65, 66]);
    expect(framesOf({ packets: 500 }, { between }).map(({ bytes }) => bytes.length)).toEqual(lengths);
  });

  it('counts what it gave by flow, and shards give what the whole stream has', () => {
    const whole = framesOf({ packets: 50, flows: 5, size: 'imix' });
    const shards = [0, 1].map((shard) =>
      framesOf({ packets: 50, flows: 5, size: 'imix' }, { shard, shards: 2 }),
    );
    for (const shard of [0, 1]) expect(shards[shard]).toEqual(whole.filter(({ flow }) => flow % 2 === shard));
    const source = createVerifySource({ ...BASE, packets: 50, flows: 5 }, { shard: 1, shards: 2 });
    while (source.next());
    expect([...source.sent]).toEqual([0, 10, 0, 10, 0]);
    expect(createVerifySource({ ...BASE, flows: 1 }, { shard: 1, shards: 2 }).next()).toBe(false);
  });

  it('refuses what cannot be, by name', () => {
    const refused = (traffic: Partial<TrafficSpec>, options: VerifySourceOptions = {}) =>
      expect(() => createVerifySource({ ...BASE, ...traffic }, options));
    refused({ ipVersion: 6 }).toThrow('UDP over IPv4 without a VLAN tag');
    refused({ vlan: 4 }).toThrow('without a VLAN tag');
    refused({ kind: 'tcp-stream' }).toThrow('UDP over IPv4');
    refused({ flows: 0 }).toThrow('0 flows');
    refused({ packets: 0 }).toThrow('0 packets');
    refused({ size: '71' }, { isStamped: true }).toThrow(
      'frames of 71 bytes cannot verify themselves with a time',
    );
    refused({}, { between: { minBytes: 63, maxBytes: 80 } }).toThrow('frames of 63 bytes');
    refused({}, { between: { minBytes: 64, maxBytes: 16_001 } }).toThrow('frames of 16001 bytes');
    refused({}, { between: { minBytes: 90, maxBytes: 80 } }).toThrow('the smaller first');
    refused({}, { shard: 2, shards: 2 }).toThrow('shard 2 of 2');
    expect([VERIFY_MIN_BYTES, VERIFY_STAMPED_MIN_BYTES]).toEqual([60, 68]);
  });
});

describe('a verify checker', () => {
  it('finds nothing where nothing happened', () => {
    const checker = new VerifyChecker(STREAM);
    const frames = framesOf({ flows: 4, size: 'imix' });
    for (const { bytes, flow } of frames) {
      expect(check(checker, bytes)).toBe(VERIFY_IN_ORDER);
      expect(checker.flow).toBe(flow);
    }
    expect(checker.counts([25, 25, 25, 25])).toEqual({
      received: 100,
      lost: 0,
      duplicated: 0,
      reordered: 0,
      beyond: 0,
      corrupted: 0,
      foreign: 0,
      furthestBehind: 0,
    });
  });

  it('tells what a frame is, and counts it for its flow', () => {
    const checker = new VerifyChecker({ ...STREAM, window: 32 });
    const frames = framesOf({ flows: 2 })
      .filter(({ flow }) => flow === 1)
      .map(({ bytes }) => bytes);
    expect([0, 2, 1, 2, 1].map((i) => check(checker, frames[i]))).toEqual([
      VERIFY_IN_ORDER,
      VERIFY_IN_ORDER,
      VERIFY_REORDERED,
      VERIFY_DUPLICATED,
      VERIFY_DUPLICATED,
    ]);
    expect([34, 3, 2].map((i) => check(checker, frames[i]))).toEqual([
      VERIFY_IN_ORDER,
      VERIFY_REORDERED,
      VERIFY_BEYOND,
    ]);
    expect(check(checker, changed(frames[5], 59))).toBe(VERIFY_CORRUPTED);
    expect(check(checker, changed(frames[5], 50))).toBe(VERIFY_CORRUPTED);
    expect(check(checker, new Uint8Array(60))).toBe(VERIFY_FOREIGN);
    const tally = checker.tally();
    // 0 to 34, of which 0, 1, 2, 3 and 34 have come
    const ofFlow = {
      received: 8,
      lost: 30,
      duplicated: 2,
      reordered: 2,
      beyond: 1,
      corrupted: 1,
      foreign: 0,
      furthestBehind: 32,
    };
    expect(flowCounts(tally, 1)).toEqual(ofFlow);
    expect(flowCounts(tally, 1, [0, 50]).lost).toBe(45);
    expect(totalCounts(tally)).toEqual({ ...ofFlow, corrupted: 2, foreign: 1 });
    expect(checker.counts([50, 50])).toEqual({ ...ofFlow, corrupted: 2, foreign: 1, lost: 95 });
  });

  /** MAC addresses, type of service, identification, time to live, checksums of IP and UDP. */
  const UNCOVERED = new Set([...Array(12).keys(), 15, 18, 19, 22, 24, 25, 40, 41]);

  it.each([false, true])(
    'finds every changed bit but those that forwarders change; with a time: %s',
    (isStamped) => {
      const [{ bytes }] = framesOf({ size: '160' }, { isStamped });
      for (let at = 0; at < bytes.length; at++) {
        for (let bit = 0; bit < 8; bit++) {
          const checker = new VerifyChecker(STREAM);
          const found = check(checker, changed(bytes, at, 1 << bit));
          expect([at, bit, found]).toEqual([at, bit, UNCOVERED.has(at) ? VERIFY_IN_ORDER : VERIFY_CORRUPTED]);
        }
      }
    },
  );

  it('knows frames again whose MAC addresses or whole tuple were exchanged', () => {
    const checker = new VerifyChecker(STREAM);
    for (const [i, { bytes }] of framesOf({ flows: 4, size: '600' }).entries()) {
      if (i % 2 === 0) swapMacs(bytes, 0);
      else expect(reflect(bytes, 0, bytes.length)).toBe(true);
      bytes.fill(0, 24, 26);
      bytes.fill(0xff, 40, 42);
      expect(check(checker, bytes)).toBe(VERIFY_IN_ORDER);
    }
  });

  it('finds frames that are cut, padded, or longer than any', () => {
    const [{ bytes }] = framesOf({ size: '1518' });
    for (const length of [34, 41, 59, 60, 67, 68, 1000, 1513]) {
      expect([length, check(new VerifyChecker(STREAM), bytes.subarray(0, length))]).toEqual([
        length,
        VERIFY_CORRUPTED,
      ]);
    }
    // without its addresses nobody can tell whose it was
    for (const length of [0, 1, 33])
      expect(check(new VerifyChecker(STREAM), bytes.subarray(0, length))).toBe(VERIFY_FOREIGN);
    const longer = new Uint8Array(66_000);
    longer.set(bytes);
    for (const length of [1515, 15_996, 15_997, 65_549, 66_000])
      expect(check(new VerifyChecker(STREAM), longer.subarray(0, length))).toBe(VERIFY_CORRUPTED);
  });

  it('takes no frame of others for its own', () => {
    const checker = new VerifyChecker(STREAM);
    const other = framesOf({ endpoints: { srcIpv4: '10.1.0.0', dstIpv4: '10.2.0.0' } }, { streamId: 77 });
    const broadcast = build([
      { kind: 'ethernet', dst: 'ff:ff:ff:ff:ff:ff', src: '02:00:00:00:00:01' },
      { kind: 'payload', bytes: new Uint8Array(46) },
    ]);
    const sameNetworks = framesOf({}, { streamId: 77 });
    const others = [...other, ...sameNetworks].map(({ bytes }) => bytes);
    for (const bytes of [...others, broadcast, new Uint8Array(1514).fill(0xff)])
      expect(check(checker, bytes)).toBe(VERIFY_FOREIGN);
    // ours, but of flows and sequences that the stream does not have
    for (const { flow, bytes } of framesOf({ flows: 8, packets: 8 }))
      expect(check(checker, bytes)).toBe(flow < 4 ? VERIFY_IN_ORDER : VERIFY_FOREIGN);
  });

  it('reads nothing outside a frame, at any offset', () => {
    const [first, second] = framesOf({ size: '80', packets: 2 });
    const memory = new Uint8Array(512).fill(0x5a);
    memory.set(first.bytes, 101);
    memory.set(second.bytes, 101 + first.bytes.length);
    const checker = new VerifyChecker(STREAM);
    checker.checkBurst(memory, [101, 101 + first.bytes.length], [first.bytes.length, second.bytes.length], 2);
    expect(checker.counts()).toMatchObject({ received: 2, corrupted: 0 });
  });

  it('gives the time that a frame carries, exact to the nanosecond', () => {
    const source = createVerifySource({ ...BASE, size: '72' }, { isStamped: true });
    const checker = new VerifyChecker(STREAM);
    const memory = new Uint8Array(128);
    for (const ns of [0, 1, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 123_456_789_012_345, Number.MAX_SAFE_INTEGER]) {
      source.next();
      source.stamp.setNs(ns);
      expect(checker.check(memory, 3, source.write(memory, 3))).toBe(VERIFY_IN_ORDER);
      expect(checker.isStamped).toBe(true);
      for (const later of [0, 1, 4_000_000_000, 2 ** 33]) {
        if (ns + later > Number.MAX_SAFE_INTEGER) continue;
        const now = source.stamp;
        now.setNs(ns + later);
        expect(checker.stamp.elapsedNs(now)).toBe(later);
      }
    }
    expect(check(checker, framesOf({ packets: 9 }).at(-1)?.bytes as Uint8Array)).toBe(VERIFY_IN_ORDER);
    expect(checker.isStamped).toBe(false);
  });

  it('refuses numbers out of range, and windows that need too much memory', () => {
    const refused = (options: { flows?: number; window?: number }) =>
      expect(() => new VerifyChecker({ ...STREAM, ...options }));
    refused({ flows: 0 }).toThrow('0 flows');
    refused({ window: 100 }).toThrow('a window of 100 sequences: a power of two');
    refused({ window: 16 }).toThrow('from 32');
    refused({ flows: 1_000_000, window: 4096 }).toThrow('at most 256 MiB');
  });
});

describe('tallies of several checkers', () => {
  it('together are what one checker counts, if each flow kept to one', () => {
    const frames = framesOf({ flows: 4 }).filter((_, i) => i % 9 !== 4);
    frames.splice(30, 0, frames[10], { flow: 0, bytes: new Uint8Array(64) });
    const one = new VerifyChecker(STREAM);
    const several = [0, 1].map(() => new VerifyChecker(STREAM));
    for (const { flow, bytes } of frames) {
      check(one, bytes);
      check(several[flow % 2], bytes);
    }
    const merged = mergeTallies(several.map((checker) => checker.tally()));
    expect(merged).toEqual(one.tally());
    expect(totalCounts(merged).lost).toBeGreaterThan(5);
    expect(() => mergeTallies([])).toThrow('no tally');
    const other = new VerifyChecker({ ...STREAM, flows: 5 });
    expect(() => mergeTallies([one.tally(), other.tally()])).toThrow('4 and 5 flows');
  });

  it('lose nothing where a flow was spread over them', () => {
    const several = [0, 1].map(() => new VerifyChecker(STREAM));
    for (const [i, { bytes }] of framesOf({ flows: 1 }).entries()) check(several[i % 2], bytes);
    expect(totalCounts(mergeTallies(several.map((checker) => checker.tally())), [100])).toMatchObject({
      received: 100,
      lost: 0,
    });
  });
});
