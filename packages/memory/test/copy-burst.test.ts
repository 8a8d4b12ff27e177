import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { copyAligned, copyFrames, createArena } from '../src/index.ts';

const arena = createArena(1 << 16);
const FROM = 0x100;
const TO = 0x8000;
const STRIDE = 1024;

const range = fc.record({
  skip: fc.integer({ min: 0, max: 15 }),
  length: fc.oneof(fc.integer({ min: 1, max: 130 }), fc.integer({ min: 380, max: 390 }), fc.constant(900)),
  apart: fc.integer({ min: 0, max: 15 }),
});

function fill(): void {
  for (let i = 0; i < arena.sizeBytes; i++) arena.u8[i] = (i * 40503) >>> 3;
}

/** Compares the whole arena: outside of the ranges, and `slack` bytes behind and before them, nothing changed. */
function check(
  to: Uint32Array,
  from: Uint32Array,
  length: Uint32Array,
  before: number,
  behind: number,
): void {
  const found = arena.u8.slice();
  fill();
  const expected = arena.u8;
  for (let i = 0; i < to.length; i++) {
    expected.copyWithin(to[i], from[i], from[i] + length[i]);
    for (let at = to[i] - before; at < to[i]; at++) expected[at] = found[at];
    for (let at = to[i] + length[i]; at < to[i] + length[i] + behind; at++) expected[at] = found[at];
  }
  expect(Buffer.compare(found, expected)).toBe(0);
}

describe('copies of bursts', () => {
  it('copyAligned copies ranges that agree modulo 8, and up to 7 bytes around them', () => {
    fc.assert(
      fc.property(fc.array(range, { maxLength: 12 }), (ranges) => {
        fill();
        const from = Uint32Array.from(ranges, ({ skip }, i) => FROM + i * STRIDE + skip);
        const to = Uint32Array.from(ranges, ({ skip }, i) => TO + i * STRIDE + (skip & 7));
        const length = Uint32Array.from(ranges, (each) => each.length);
        copyAligned(arena, to, from, length, ranges.length);
        check(to, from, length, 7, 7);
      }),
    );
  });

  it('copyFrames copies ranges of any distance, and up to 7 bytes behind them', () => {
    fc.assert(
      fc.property(fc.array(range, { maxLength: 12 }), (ranges) => {
        fill();
        const from = Uint32Array.from(ranges, ({ skip }, i) => FROM + i * STRIDE + skip);
        const to = Uint32Array.from(ranges, ({ apart }, i) => TO + i * STRIDE + apart);
        const length = Uint32Array.from(ranges, (each) => each.length);
        copyFrames(arena, to, from, length, ranges.length);
        check(to, from, length, 0, 7);
      }),
    );
  });
});
