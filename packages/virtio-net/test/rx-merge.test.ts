import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  gather,
  MERGE_NEEDS_MORE,
  MERGE_TOO_SMALL,
  type ReceiveChains,
  RxMerge,
  readNumBuffers,
} from '../src/index.ts';

class Memory {
  readonly u8 = new Uint8Array(0x4_0000);
  copy(to: number, from: number, length: number): void {
    this.u8.copyWithin(to, from, from + length);
  }
}

/** Chains whose segments have these lengths, device-writable, with a gap of 3 bytes between segments. */
function chainsOf(lengths: number[][], writable = 1): ReceiveChains & { all: number[] } {
  const flat = lengths.flat();
  const offset: number[] = [];
  let at = 0x1_0000;
  for (const length of flat) {
    offset.push(at);
    at += length + 3;
  }
  const firstSegment: number[] = [];
  let first = 0;
  for (const chain of lengths) {
    firstSegment.push(first);
    first += chain.length;
  }
  return {
    all: flat,
    firstSegment,
    segmentCount: lengths.map((chain) => chain.length),
    writableBytes: lengths.map((chain) => chain.reduce((a, b) => a + b, 0)),
    offset,
    length: flat,
    writable: flat.map(() => writable),
  };
}

describe('RxMerge.plan', () => {
  it('takes one buffer without MRG_RXBUF', () => {
    const merge = new RxMerge(false, 12, 64);
    expect(merge.plan(100, chainsOf([[112]]), 0, 1)).toBe(1);
    expect(merge.written[0]).toBe(112);
    expect(merge.plan(101, chainsOf([[112], [112]]), 0, 2)).toBe(MERGE_TOO_SMALL);
    expect(merge.plan(100, chainsOf([]), 0, 0)).toBe(MERGE_NEEDS_MORE);
  });

  it('takes as many as the frame needs with MRG_RXBUF', () => {
    const merge = new RxMerge(true, 12, 3);
    const chains = chainsOf([[12], [100], [100], [100], [11]]);
    expect(merge.plan(150, chains, 0, 5)).toBe(3);
    expect([...merge.written]).toEqual([12, 100, 50]);
    expect(merge.plan(150, chains, 0, 2)).toBe(MERGE_NEEDS_MORE);
    expect(merge.plan(201, chains, 0, 5)).toBe(MERGE_TOO_SMALL);
    expect(merge.plan(10, chains, 4, 1)).toBe(MERGE_TOO_SMALL);
  });
});

describe('RxMerge.place', () => {
  it('fills every buffer but the last, and the driver finds header and frame in order', () => {
    const segments = fc.array(fc.nat(200), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(
        fc.array(segments, { maxLength: 8 }),
        fc.nat(700),
        fc.nat(2),
        (lengths, frameBytes, first) => {
          const chains = chainsOf([...lengths.slice(0, first), [5, 7], ...lengths.slice(first)]);
          const at = Math.min(first, lengths.length);
          const merge = new RxMerge(true, 12, 100);
          const count = merge.plan(frameBytes, chains, at, chains.writableBytes.length - at);
          if (count <= 0) {
            expect(sum(chains, at)).toBeLessThan(12 + frameBytes);
            return;
          }
          const memory = new Memory();
          memory.u8.fill(0xaa, 0, 12);
          for (let i = 0; i < frameBytes; i++) memory.u8[1000 + i] = i % 251;
          merge.place(memory, chains, at, 0, 1000, frameBytes);
          expect(readNumBuffers(memory.u8, 0)).toBe(count);
          const seen: number[] = [];
          for (let chain = 0; chain < count; chain++) {
            const bytes = collect(memory, chains, at + chain);
            expect(merge.written[chain]).toBe(
              chain < count - 1 ? bytes.length : 12 + frameBytes - seen.length,
            );
            seen.push(...bytes.slice(0, merge.written[chain]));
          }
          const header = [...Array(10).fill(0xaa), count & 0xff, count >>> 8];
          expect(seen).toEqual([...header, ...Array.from({ length: frameBytes }, (_, i) => i % 251)]);
        },
      ),
    );
  });

  it('leaves a legacy header of 10 bytes as it is and never writes to readable segments', () => {
    const chains = { ...chainsOf([[4, 40]]), writable: [0, 1], writableBytes: [40] };
    const memory = new Memory();
    memory.u8.fill(0xaa, 0, 20);
    const merge = new RxMerge(false, 10, 1);
    expect(merge.plan(20, chains, 0, 1)).toBe(1);
    merge.place(memory, chains, 0, 0, 100, 20);
    expect([...memory.u8.subarray(chains.offset[0], chains.offset[0] + 4)]).toEqual([0, 0, 0, 0]);
    expect([...memory.u8.subarray(chains.offset[1], chains.offset[1] + 11)]).toEqual([
      ...Array(10).fill(0xaa),
      0,
    ]);
  });
});

describe('gather', () => {
  it('reads a transmitted buffer however it is cut', () => {
    fc.assert(
      fc.property(
        fc.array(fc.nat(60), { maxLength: 10 }),
        fc.nat(100),
        fc.nat(300),
        (lengths, skip, wanted) => {
          const chains = chainsOf([lengths], 0);
          const memory = new Memory();
          const bytes = lengths.flatMap((length, i) =>
            Array.from({ length }, (_, k) => (memory.u8[chains.offset[i] + k] = (i * 31 + k) & 0xff)),
          );
          const copied = gather(memory, chains, 0, skip, 100, wanted);
          expect([...memory.u8.subarray(100, 100 + copied)]).toEqual(bytes.slice(skip, skip + wanted));
        },
      ),
    );
  });

  it('stops at the device-writable segments', () => {
    const chains = { ...chainsOf([[4, 4]]), writable: [0, 1] };
    expect(gather(new Memory(), chains, 0, 0, 100, 8)).toBe(4);
  });
});

function sum(chains: ReceiveChains, from: number): number {
  return Array.from(chains.writableBytes)
    .slice(from)
    .reduce((a, b) => a + b, 0);
}

function collect(memory: Memory, chains: ReceiveChains, chain: number): number[] {
  const first = chains.firstSegment[chain];
  const bytes: number[] = [];
  for (let s = first; s < first + chains.segmentCount[chain]; s++) {
    bytes.push(...memory.u8.subarray(chains.offset[s], chains.offset[s] + chains.length[s]));
  }
  return bytes;
}
