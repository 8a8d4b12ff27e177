import { SegmentList, UsedBatch } from '@vhostlab/virtqueue';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BATCH_FRAMES } from '../../src/frames/frame-batch.ts';
import { FRAME_BYTES, HIGH, KINDS, LOW, PathRig, pattern, REGION_BYTES } from './path-rig.ts';

const used = new UsedBatch(64);
const list = new SegmentList(4);

/** One buffer as a driver sends it: where, how long, how it is cut. */
interface Sent {
  kind: 'one' | 'chain' | 'indirect';
  address: number;
  frameBytes: number;
  cut: number;
}

const sent: fc.Arbitrary<Sent> = fc.record({
  kind: fc.constantFrom<Sent['kind'][]>('one', 'one', 'one', 'one', 'chain', 'indirect'),
  address: fc.oneof(
    fc.integer({ min: LOW, max: LOW + REGION_BYTES - 0x8000 }),
    fc.integer({ min: HIGH, max: HIGH + REGION_BYTES - 0x2000 }),
    fc.constant(2 ** 32 - 40),
  ),
  frameBytes: fc.oneof(
    fc.constantFrom(0, 1, 13, 14, 60, 64, 1500, FRAME_BYTES, FRAME_BYTES + 1),
    fc.integer({ min: 14, max: FRAME_BYTES }),
  ),
  cut: fc.integer({ min: 1, max: 60 }),
});

const turns = fc.array(
  fc.record({ frames: fc.array(sent, { maxLength: 8 }), max: fc.integer({ min: 1, max: 64 }) }),
  {
    minLength: 1,
    maxLength: 25,
  },
);

function send(rig: PathRig, { kind, address, frameBytes, cut }: Sent, number: number): boolean {
  const { arena, header } = rig;
  const bytes = header + frameBytes;
  const buffer = Buffer.concat([Buffer.alloc(header), pattern(number, frameBytes)]);
  if (kind === 'one') {
    if (rig.tx.addOne(address, bytes, false, number) < 0) return false;
  } else {
    const first = Math.min(cut, bytes - 1);
    list.clear();
    list.push(address, first, false);
    list.push(address + first, bytes - first, false);
    const slot = kind === 'chain' ? rig.tx.addChain(list, number) : rig.tx.addIndirect(list, number);
    if (slot < 0) return false;
  }
  arena.u8.set(buffer, rig.placeOf(address));
  return true;
}

describe.each(KINDS)('dequeue, %s', (_, options) => {
  it('every frame arrives once, in order and byte for byte; what is none is counted', () => {
    fc.assert(
      fc.property(turns, (script) => {
        const rig = new PathRig(options);
        let number = 0;
        let returned = 0;
        const counts = { frames: 0, bytes: 0, short: 0, long: 0 };
        for (const { frames, max } of script) {
          // one buffer at a time: they may share memory
          for (const each of frames) {
            if (!send(rig, each, number)) continue;
            rig.tx.publish();
            expect(rig.transmit.dequeue(rig.batch, max)).toBe(1);
            const { frameBytes } = each;
            if (frameBytes >= 14 && frameBytes <= FRAME_BYTES) {
              expect(rig.batch.count).toBe(1);
              expect(rig.frame(0).equals(pattern(number, frameBytes))).toBe(true);
              expect(rig.batch.flags[0] | rig.batch.gsoType[0]).toBe(0);
              counts.frames++;
              counts.bytes += frameBytes;
            } else {
              expect(rig.batch.count).toBe(0);
              counts[frameBytes < 14 ? 'short' : 'long']++;
            }
            number++;
          }
          returned += rig.tx.popUsed(used, 64);
        }
        expect(returned).toBe(number);
        expect(rig.transmit.dequeue(rig.batch, 64)).toBe(0);
        expect(rig.counter(1, 'frames')).toBe(counts.frames);
        expect(rig.counter(1, 'bytes')).toBe(counts.bytes);
        expect(rig.counter(1, 'drop_too_short')).toBe(counts.short);
        expect(rig.counter(1, 'drop_too_long')).toBe(counts.long);
        expect(rig.transmit.ring.queue.violation).toBe(0);
      }),
      { numRuns: 25 },
    );
  });

  it('bursts of all sizes, round the ring again and again', () => {
    const rig = new PathRig(options);
    let number = 0;
    let expected = 0;
    for (let turn = 0; turn < 200; turn++) {
      for (let i = 0; i < (turn * 7) % 30; i++) {
        // places of their own, one in four of another kind or size
        const address = (i & 1) === 0 ? LOW + i * 0x800 + (turn & 15) : HIGH + i * 0x800 + (turn & 7);
        const kind = (turn + i) % 4 === 0 ? 'chain' : 'one';
        if (!send(rig, { kind, address, frameBytes: 60 + ((turn * i) % 500), cut: 12 }, number)) break;
        number++;
      }
      rig.tx.publish();
      while (rig.transmit.dequeue(rig.batch, 1 + (turn % BATCH_FRAMES)) > 0) {
        for (let i = 0; i < rig.batch.count; i++, expected++) {
          expect(rig.frame(i).equals(pattern(expected, rig.batch.length[i]))).toBe(true);
        }
      }
      const back = rig.tx.popUsed(used, 64);
      for (let i = 0; i < back; i++) expect(used.length[i]).toBe(0);
    }
    expect(number).toBeGreaterThan(2000);
    expect(expected).toBe(number);
    expect(rig.tx.inFlight).toBe(0);
    const batches = ['batch_1', 'batch_2_3', 'batch_4_7', 'batch_8_15', 'batch_16_31'] as const;
    expect(batches.filter((name) => rig.counter(1, name) === 0)).toEqual([]);
  });

  it('a header with an offload comes along; one that makes no sense costs its frame', () => {
    const rig = new PathRig({ ...options, features: [...options.features, 'CSUM', 'HOST_TSO4'] });
    const fields = [
      [0, 0, 0, 0, 0, 0],
      [1, 0, 0, 0, 34, 6],
      [1, 1, 54, 1000, 34, 16],
      [1, 4, 54, 1000, 34, 16],
      [1, 0, 0, 0, 34, 2000],
      [1, 1, 54, 0, 34, 16],
      [0xfe, 0, 0, 0, 0, 0],
    ];
    for (const [i, [flags, gsoType, hdrLen, gsoSize, csumStart, csumOffset]] of fields.entries()) {
      const address = LOW + 0x1000 * i;
      send(rig, { kind: 'one', address, frameBytes: 1500, cut: 0 }, i);
      const at = rig.placeOf(address);
      rig.arena.u8.set([flags, gsoType], at);
      const words = [hdrLen, gsoSize, csumStart, csumOffset];
      words.forEach((word, w) => {
        rig.arena.u8.set([word & 0xff, word >> 8], at + 2 + 2 * w);
      });
    }
    rig.tx.publish();
    const got: number[][] = [];
    for (let taken = 0; taken < fields.length; ) {
      taken += rig.transmit.dequeue(rig.batch, 64);
      const { batch } = rig;
      for (let i = 0; i < batch.count; i++) {
        const plain = (batch.flags[i] | batch.gsoType[i]) === 0;
        const rest = [batch.hdrLen[i], batch.gsoSize[i], batch.csumStart[i], batch.csumOffset[i]];
        got.push([batch.flags[i], batch.gsoType[i], ...(plain ? [0, 0, 0, 0] : rest)]);
      }
    }
    expect(got.slice(0, 3)).toEqual(fields.slice(0, 3));
    expect(rig.counter(1, 'drop_header')).toBe(3);
    expect(got.length).toBe(4);
    expect(rig.tx.popUsed(used, 64)).toBe(fields.length);
  });

  it('headers are not read when no offload was negotiated', () => {
    const rig = new PathRig(options);
    rig.batch.flags.fill(1);
    send(rig, { kind: 'one', address: LOW, frameBytes: 100, cut: 0 }, 0);
    rig.arena.u8.fill(0xff, rig.placeOf(LOW), rig.placeOf(LOW) + 12);
    rig.tx.publish();
    expect(rig.transmit.dequeue(rig.batch, 64)).toBe(1);
    expect([rig.batch.count, rig.batch.flags[0], rig.batch.gsoType[0]]).toEqual([1, 0, 0]);
  });

  it('a disabled ring loses its frames, a ring whose memory is away keeps them', () => {
    const rig = new PathRig(options);
    const { ring } = rig.transmit;
    ring.enabled = false;
    send(rig, { kind: 'one', address: LOW, frameBytes: 100, cut: 0 }, 0);
    rig.tx.publish();
    expect(rig.transmit.dequeue(rig.batch, 64)).toBe(1);
    expect([rig.batch.count, rig.counter(1, 'drop_disabled')]).toEqual([0, 1]);
    ring.enabled = true;
    ring.isPlaced = false;
    send(rig, { kind: 'one', address: LOW, frameBytes: 100, cut: 0 }, 1);
    rig.tx.publish();
    expect(rig.transmit.dequeue(rig.batch, 64)).toBe(0);
    ring.isPlaced = true;
    expect(rig.transmit.dequeue(rig.batch, 64)).toBe(1);
    expect(rig.frame(0).equals(pattern(1, 100))).toBe(true);
  });
});
