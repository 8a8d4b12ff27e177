import { Arena, createArena } from '@vhostlab/memory';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FrameRing, RECORD_HEADER_BYTES, recordBytes } from '../../src/link/frame-ring.ts';

const CAPACITY = 4096;

describe('a ring of frames', () => {
  it('gives what was put in, in order, at any length and place; what does not fit is refused', () => {
    const step = fc.record({
      put: fc.array(fc.integer({ min: 14, max: 1500 }), { maxLength: 6 }),
      take: fc.nat(8),
      at: fc.nat(7),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const writer = new FrameRing(CAPACITY);
        const reader = new FrameRing(CAPACITY, writer.buffer);
        const arena = createArena(16_384);
        const model: number[][] = [];
        let next = 0;
        for (const { put, take, at } of steps) {
          for (const length of put) {
            const bytes = Array.from({ length }, () => next++ & 0xff);
            arena.u8.set(bytes, 64 + at);
            if (writer.put(arena, 64 + at, length, 7)) model.push(bytes);
            else {
              writer.publish();
              expect(writer.usedBytes + recordBytes(length)).toBeGreaterThan(CAPACITY / 2);
            }
          }
          writer.publish();
          reader.look();
          for (let i = 0; i < take; i++) {
            const place = reader.next();
            const expected = model[0];
            if (place < 0) {
              expect(expected).toBeUndefined();
              break;
            }
            const length = reader.arena.u32[place >>> 2];
            const from = place + RECORD_HEADER_BYTES;
            expect([...reader.arena.u8.subarray(from, from + length)]).toEqual(expected);
            // nothing of earlier frames goes with it
            const end = place + recordBytes(length);
            expect(reader.arena.u8.subarray(from + length, end).every((byte) => byte === 0)).toBe(true);
            reader.pass(length);
            model.shift();
          }
          reader.release();
        }
      }),
      { numRuns: 60 },
    );
  });

  it('takes records as they are', () => {
    const [from, to] = [new FrameRing(CAPACITY), new FrameRing(CAPACITY)];
    const arena = createArena(4096);
    arena.u8.fill(9, 64, 164);
    from.put(arena, 64, 100, 1);
    from.put(arena, 64, 60, 2);
    from.publish();
    from.look();
    const reader = new FrameRing(CAPACITY, from.buffer);
    reader.look();
    const start = reader.next();
    const records = new Arena(from.buffer).u8.slice(start, start + recordBytes(100) + recordBytes(60));
    expect(to.putRecords(records, 0, records.length)).toBe(records.length);
    to.publish();
    const out = new FrameRing(CAPACITY, to.buffer);
    out.look();
    const lengths: number[] = [];
    for (let at = out.next(); at >= 0; at = out.next()) {
      lengths.push(out.arena.u32[at >>> 2]);
      out.pass(lengths.at(-1) as number);
    }
    expect(lengths).toEqual([100, 60]);
    expect(to.putRecords(new Uint8Array(CAPACITY + 8), 0, CAPACITY + 8)).toBe(0);
  });

  it('tells a writer once that its reader wants a signal', () => {
    const writer = new FrameRing(CAPACITY);
    const reader = new FrameRing(CAPACITY, writer.buffer);
    expect(writer.publish()).toBe(false);
    reader.wantSignal();
    expect([writer.publish(), writer.publish()]).toEqual([true, false]);
  });
});
