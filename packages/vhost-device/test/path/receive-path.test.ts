import { build, DecodedHeaders, decodeInto } from '@vhostlab/packet';
import { NO_OFFLOAD, requestSegmentation, transportChecksumOk } from '@vhostlab/virtio-net';
import { SegmentList, UsedBatch } from '@vhostlab/virtqueue';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { HIGH, KINDS, LOW, PathRig, pattern, REGION_BYTES } from './path-rig.ts';

const used = new UsedBatch(64);
const list = new SegmentList(4);

/** One receive buffer as a driver offers it. */
interface Offered {
  kind: 'one' | 'chain' | 'indirect';
  address: number;
  bytes: number;
}

const offered: fc.Arbitrary<Offered> = fc.record({
  kind: fc.constantFrom<Offered['kind'][]>('one', 'one', 'one', 'one', 'chain', 'indirect'),
  address: fc.integer({ min: 0, max: 15 }),
  bytes: fc.oneof(fc.integer({ min: 100, max: 2048 }), fc.constantFrom(12, 13, 1, 72, 76, 80)),
});

const script = fc.array(
  fc.record({
    buffers: fc.array(offered, { maxLength: 12 }),
    frames: fc.array(fc.oneof(fc.constantFrom(14, 60, 64), fc.integer({ min: 14, max: 3000 })), {
      maxLength: 8,
    }),
    skew: fc.integer({ min: 0, max: 7 }),
  }),
  { minLength: 1, maxLength: 25 },
);

/** Offers a buffer with a place of its own, by token; 0xee tells bytes that nobody wrote. */
function offer(rig: PathRig, { kind, address: skew, bytes }: Offered, token: number): boolean {
  const address = addressOf(token, skew);
  const at = rig.placeOf(address);
  rig.arena.u8.fill(0xee, at - 16, at + bytes + 16);
  if (kind === 'one' || bytes === 1) return rig.rx.addOne(address, bytes, true, token) >= 0;
  const first = Math.min(5, bytes - 1);
  list.clear();
  list.push(address, first, true);
  list.push(address + first, bytes - first, true);
  return (kind === 'chain' ? rig.rx.addChain(list, token) : rig.rx.addIndirect(list, token)) >= 0;
}

/** Buffers lie 2112 bytes apart, in the one region and the other. */
function addressOf(token: number, skew: number): number {
  const place = token % 128;
  const base = (place & 1) === 0 ? LOW : HIGH;
  return base + 64 + (place >> 1) * 2112 + skew;
}

function fillBatch(rig: PathRig, lengths: readonly number[], number: number, skew: number): void {
  const { batch, arena } = rig;
  batch.clear();
  for (const [i, length] of lengths.entries()) {
    batch.offset[i] = batch.home(i) + skew;
    batch.length[i] = length;
    arena.u8.set(pattern(number + i, length), batch.offset[i]);
  }
  batch.count = lengths.length;
}

describe.each(KINDS)('enqueue, %s', (_, options) => {
  it.each([true, false])(
    'frames arrive in order, whole, behind their headers; MRG_RXBUF: %s',
    (mergeable) => {
      fc.assert(
        fc.property(script, (turns) => {
          const rig = new PathRig({
            ...options,
            features: [...options.features, ...(mergeable ? (['MRG_RXBUF'] as const) : [])],
          });
          const skews = new Map<number, Offered>();
          let token = 0;
          let number = 0;
          let placed = 0;
          const sent: number[] = [];
          for (const { buffers, frames, skew } of turns) {
            for (const each of buffers) if (offer(rig, each, token)) skews.set(token++, each);
            rig.rx.publish();
            fillBatch(rig, frames, number, skew);
            const before = rig.drops(0);
            const count = rig.receive.enqueue(rig.batch);
            placed += count;
            const after = rig.drops(0);
            const drops = (counts: Record<string, number>): number =>
              Object.values(counts).reduce((sum, n) => sum + n, 0);
            expect(count + drops(after) - drops(before)).toBe(frames.length);
            frames.forEach((length, i) => {
              sent.push(number + i, length);
            });
            number += frames.length;
            read(rig, skews, mergeable, sent);
          }
          expect(rig.counter(0, 'frames')).toBe(placed);
          expect(rig.receive.ring.queue.violation + rig.rx.violation).toBe(0);
        }),
        { numRuns: 25 },
      );
    },
  );

  it('a header that is there already is not written again, and one that is not there is', () => {
    const rig = new PathRig(options);
    for (const bytes of [[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0], Array(12).fill(0xee)]) {
      for (const skew of [0, 1, 4]) {
        const address = LOW + 64 + skew;
        rig.rx.addOne(address, 2048, true, 0);
        rig.rx.publish();
        rig.arena.u8.set(bytes, rig.placeOf(address));
        fillBatch(rig, [60], 7, 0);
        expect(rig.receive.enqueue(rig.batch)).toBe(1);
        const at = rig.placeOf(address);
        expect([...rig.arena.u8.slice(at, at + 12)]).toEqual([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0]);
        expect(rig.rx.popUsed(used, 64)).toBe(1);
      }
    }
  });

  it('an offload that the guest takes stands in its header; a checksum that it does not is completed, and no TCP is no TSO', () => {
    for (const takes of [true, false]) {
      const rig = new PathRig({
        ...options,
        features: [...options.features, ...(takes ? (['GUEST_CSUM', 'GUEST_TSO4'] as const) : [])],
      });
      for (let i = 0; i < 3; i++) rig.rx.addOne(LOW + 0x1000 * i, 2048, true, i);
      rig.rx.publish();
      fillBatch(rig, [200, 200, 200], 0, 0);
      const { batch } = rig;
      batch.flags.set([0, 1, 1]);
      batch.gsoType.set([0, 0, 1]);
      batch.csumStart.fill(34, 0, 3);
      batch.csumOffset.fill(16, 0, 3);
      batch.gsoSize.fill(100, 0, 3);
      expect(rig.receive.enqueue(batch)).toBe(takes ? 3 : 2);
      expect(rig.drops(0)).toEqual(takes ? {} : { drop_offload: 1 });
      const headers = [0, 1, 2].map((i) => [
        ...rig.arena.u8.slice(rig.placeOf(LOW + 0x1000 * i)).subarray(0, 2),
      ]);
      expect(headers.slice(0, 2)).toEqual(
        takes
          ? [
              [0, 0],
              [1, 0],
            ]
          : [
              [0, 0],
              [0, 0],
            ],
      );
      const frame = rig.arena.u8.slice(rig.placeOf(LOW + 0x1000) + 12, rig.placeOf(LOW + 0x1000) + 212);
      expect(Buffer.from(frame).equals(pattern(1, 200))).toBe(takes);
    }
  });

  it.each([false, true])(
    'a frame to be segmented is cut for a guest without TSO; ring too short: %s',
    (short) => {
      const rig = new PathRig({ ...options, features: [...options.features, 'GUEST_CSUM'] });
      const buffers = short ? 2 : 5;
      for (let i = 0; i < buffers; i++) rig.rx.addOne(LOW + 0x1000 * i, 2048, true, i);
      rig.rx.publish();
      const payload = pattern(1, 3500);
      const frame = build([
        { kind: 'ethernet', dst: '52:54:00:00:00:02', src: '52:54:00:00:00:01' },
        { kind: 'ipv4', src: '10.0.0.1', dst: '10.0.0.2', id: 7 },
        { kind: 'tcp', srcPort: 1000, dstPort: 2000, seq: 100, flags: 0x18 },
        { kind: 'payload', bytes: payload },
      ]);
      const { batch, arena } = rig;
      batch.clear();
      arena.u8.set(frame, batch.offset[0]);
      batch.length[0] = frame.length;
      const headers = new DecodedHeaders();
      decodeInto(arena.u8, batch.offset[0], frame.length, headers);
      const fields = { ...NO_OFFLOAD };
      requestSegmentation(arena.u8, batch.offset[0], headers, 1000, fields);
      batch.flags[0] = fields.flags;
      batch.gsoType[0] = fields.gsoType;
      batch.hdrLen[0] = fields.hdrLen;
      batch.gsoSize[0] = fields.gsoSize;
      batch.csumStart[0] = fields.csumStart;
      batch.csumOffset[0] = fields.csumOffset;
      batch.count = 1;
      expect(rig.receive.enqueue(batch)).toBe(short ? 2 : 4);
      expect(rig.drops(0)).toEqual(short ? { drop_no_buffer: 2 } : {});
      const got: Buffer[] = [];
      rig.rx.popUsed(used, 64);
      for (let i = 0; i < used.count; i++) {
        const at = rig.placeOf(LOW + 0x1000 * i) + 12;
        const bytes = used.length[i] - 12;
        expect([...arena.u8.slice(at - 12, at - 10)]).toEqual([0, 0]);
        decodeInto(arena.u8, at, bytes, headers);
        expect(transportChecksumOk(arena.u8, at, headers)).toBe(true);
        got[i] = Buffer.from(arena.u8.slice(at + headers.payloadOffset, at + bytes));
      }
      expect(Buffer.concat(got).equals(payload.subarray(0, short ? 2000 : 3500))).toBe(true);
    },
  );

  it('segments of one byte cost no more than there are buffers', () => {
    const rig = new PathRig(options);
    for (let i = 0; i < 3; i++) rig.rx.addOne(LOW + 0x1000 * i, 2048, true, i);
    rig.rx.publish();
    const { batch, arena } = rig;
    batch.clear();
    const frame = build([
      { kind: 'ethernet', dst: '52:54:00:00:00:02', src: '52:54:00:00:00:01' },
      { kind: 'ipv4', src: '10.0.0.1', dst: '10.0.0.2' },
      { kind: 'tcp', srcPort: 1000, dstPort: 2000 },
      { kind: 'payload', bytes: pattern(1, 3900) },
    ]);
    arena.u8.set(frame, batch.offset[0]);
    batch.length[0] = frame.length;
    batch.flags[0] = 1;
    batch.gsoType[0] = 1;
    batch.gsoSize[0] = 1;
    batch.count = 1;
    expect(rig.receive.enqueue(batch)).toBe(3);
    expect(rig.drops(0)).toEqual({ drop_no_buffer: 3897 });
  });

  it('writes are logged when a log is kept', () => {
    const rig = new PathRig(options);
    const log = { arenaOffset: 0x1_0000, bytes: 0x4_0000, logAll: true };
    rig.memory.setLog(log as never);
    rig.rx.addOne(LOW + 0x5000, 2048, true, 0);
    rig.rx.publish();
    fillBatch(rig, [60], 7, 0);
    expect(rig.receive.enqueue(rig.batch)).toBe(1);
    const page = (LOW + 0x5000) / 4096;
    expect(rig.arena.u8[0x1_0000 + (page >> 3)]).toBe(1 << (page & 7));
  });
});

/** Takes the used buffers, and finds the frames of `sent` (number, length, …) in them, in order, some missing. */
function read(rig: PathRig, offers: Map<number, Offered>, mergeable: boolean, sent: number[]): void {
  const count = rig.rx.popUsed(used, 64);
  for (let i = 0; i < count; ) {
    const parts: Buffer[] = [];
    const buffers = used.length[i] === 0 ? 1 : numBuffers(rig, offers, i);
    expect(buffers === 1 || mergeable).toBe(true);
    for (let b = 0; b < buffers; b++) parts.push(bytesOf(rig, offers, i + b));
    i += buffers;
    const whole = Buffer.concat(parts);
    if (whole.length === 0) continue;
    expect([...whole.subarray(0, 10)]).toEqual([0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    const frame = whole.subarray(12);
    let found = false;
    while (!found && sent.length > 0) {
      const [number, length] = sent.splice(0, 2);
      found = length === frame.length && frame.equals(pattern(number, length));
    }
    expect(found).toBe(true);
  }
  sent.length = 0;
}

function numBuffers(rig: PathRig, offers: Map<number, Offered>, i: number): number {
  const at = rig.placeOf(addressOf(used.token[i], (offers.get(used.token[i]) as Offered).address));
  return rig.arena.u8[at + 10] | (rig.arena.u8[at + 11] << 8);
}

/** What the device says that it wrote into used buffer `i`; nothing else was touched but up to 7 bytes behind it. */
function bytesOf(rig: PathRig, offers: Map<number, Offered>, i: number): Buffer {
  const { address: skew, bytes } = offers.get(used.token[i]) as Offered;
  const at = rig.placeOf(addressOf(used.token[i], skew));
  const length = used.length[i];
  expect(length).toBeLessThanOrEqual(bytes);
  const rest = rig.arena.u8.slice(at + Math.min(bytes, length + 7), at + bytes + 16);
  expect([...rig.arena.u8.slice(at - 16, at), ...rest].every((byte) => byte === 0xee)).toBe(true);
  return Buffer.from(rig.arena.u8.slice(at, at + length));
}

it('the regions of the rig hold all its buffers', () => {
  expect(addressOf(126, 15) + 2064 - LOW).toBeLessThan(REGION_BYTES);
});
