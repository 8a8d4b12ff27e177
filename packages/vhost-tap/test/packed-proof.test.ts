import { Arena } from '@vhostlab/memory';
import { FeatureSet } from '@vhostlab/virtio-net';
import { describe, expect, it } from 'vitest';
import { PackedProof } from '../src/observe/packed-proof.ts';
import { PackedScan } from '../src/observe/packed-scan.ts';
import type { RingToObserve } from '../src/observe/ring-to-observe.ts';
import { AVAIL, USED } from './kit/raw-ring.ts';

const SIZE = 256;
const PLACE = 3;
const ring: RingToObserve = {
  queue: 1,
  format: 'packed',
  size: SIZE,
  descOffset: 0,
  driverOffset: 16 * SIZE,
  deviceOffset: 16 * SIZE + 4,
  direction: 'tx',
  features: FeatureSet.fromNames(['VERSION_1', 'RING_PACKED']),
  knowsAllMemory: true,
};

/** Asks whose the length 11 was. The device takes its next step whenever the clock is read, every `tickNs`. */
function ask(tickNs: number, ...steps: ((arena: Arena) => void)[]): boolean {
  const arena = new Arena(new ArrayBuffer(1 << 16));
  put(arena, 11, AVAIL);
  let nowNs = 0;
  const clock = () => {
    nowNs += tickNs;
    steps.shift()?.(arena);
    return nowNs;
  };
  const scan = new PackedScan(arena, ring);
  return new PackedProof(arena, ring, scan, clock).isDriversLength(PLACE, 11, 0);
}

function put(arena: Arena, length: number, flags: number): void {
  arena.u32[4 * PLACE + 2] = length;
  arena.u32[4 * PLACE + 3] = (flags << 16) | 7;
}

const nothing = () => undefined;

describe('whose the length of an available descriptor was', () => {
  it('the driver’s, when the device publishes another one', () => {
    const publish = (arena: Arena) => put(arena, 0, AVAIL | USED);
    expect(ask(100, publish)).toBe(true);
    expect(ask(100, nothing, (arena) => put(arena, 0, AVAIL), publish)).toBe(true);
  });

  it.each([
    ['the device publishes the same', [(arena: Arena) => put(arena, 11, AVAIL | USED)]],
    ['the device publishes nothing', []],
    ['the device only prepares another one', [(arena: Arena) => put(arena, 0, AVAIL)]],
    ['the driver is in its next lap already', [(arena: Arena) => put(arena, 0, USED)]],
  ])('not known: %s', (_what, steps) => {
    expect(ask(100, ...steps)).toBe(false);
  });

  it('not known, when the ring may have gone around meanwhile', () => {
    expect(ask(20_000, (arena) => put(arena, 0, AVAIL | USED))).toBe(false);
  });
});
