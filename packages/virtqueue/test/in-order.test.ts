import { describe, expect, it } from 'vitest';
import { SegmentList } from '../src/index.ts';
import { AVAIL, GUEST, RawRing, RING, USED, WRITE } from './kit/raw.ts';

const makeRing = (format: 'split' | 'packed') => new RawRing(format, 8, { inOrder: true });

/** Four buffers in flight on the device: two to read, one to write (100 bytes), one of two descriptors to read. */
function offered(ring: RawRing): RawRing {
  const segments = new SegmentList(2);
  segments.push(GUEST, 10, false);
  segments.push(GUEST, 20, false);
  ring.driver.addOne(GUEST, 60, false, 0);
  ring.driver.addOne(GUEST, 60, false, 1);
  ring.driver.addOne(GUEST, 100, true, 2);
  ring.driver.addChain(segments, 3);
  ring.driver.publish();
  expect(ring.pop()).toBe(4);
  return ring;
}

/** id and length of the used entry at place `at`, and the used index. */
function entry(ring: RawRing, at: number): number[] {
  const w = (ring.deviceOffset + 4 + 8 * at) >>> 2;
  return [ring.arena.u32[w], ring.arena.u32[w + 1], ring.arena.u16[(ring.deviceOffset + 2) >>> 1]];
}

describe('split, IN_ORDER (virtio 1.3, 2.7.9)', () => {
  it('one used entry for a batch: id of its last buffer, at the place of its first', () => {
    const ring = offered(makeRing('split'));
    ring.device.pushUsed(0, 0);
    ring.device.pushUsed(1, 0);
    ring.device.pushUsed(2, 100);
    ring.device.pushUsed(3, 0);
    ring.device.publishUsed();
    expect(entry(ring, 0)).toEqual([3, 0, 4]);
    expect(ring.device.counters).toMatchObject({ used: 4, usedEntries: 1, usedPublications: 1 });
    expect(ring.popUsed()).toBe(4);
    expect([...ring.used.length.slice(0, 4)]).toEqual([0, 0, 100, 0]);
  });

  it('a buffer that was not filled ends its entry, for a driver takes the ones skipped for complete', () => {
    const ring = offered(makeRing('split'));
    for (const [slot, length] of [
      [0, 0],
      [1, 0],
      [2, 99],
      [3, 0],
    ]) {
      ring.device.pushUsed(slot, length);
    }
    ring.device.publishUsed();
    expect(entry(ring, 0)).toEqual([2, 99, 4]);
    expect(entry(ring, 3)).toEqual([3, 0, 4]);
    expect(ring.device.counters).toMatchObject({ used: 4, usedEntries: 2, usedPublications: 1 });
    expect(ring.popUsed()).toBe(4);
    expect([...ring.used.length.slice(0, 4)]).toEqual([0, 0, 99, 0]);
  });

  it('a buffer completed early waits for the ones before it', () => {
    const ring = offered(makeRing('split'));
    ring.device.pushUsed(1, 0);
    ring.device.publishUsed();
    expect(ring.arena.u16[(ring.deviceOffset + 2) >>> 1]).toBe(0);
    ring.device.pushUsed(0, 0);
    ring.device.publishUsed();
    expect(entry(ring, 0)).toEqual([1, 0, 2]);
    expect(ring.device.inFlight).toBe(2);
  });

  it('the driver takes descriptors in ring order, chains too', () => {
    const ring = makeRing('split');
    const segments = new SegmentList(3);
    for (let i = 0; i < 3; i++) segments.push(GUEST, 4, false);
    const heads: number[] = [];
    for (let lap = 0; lap < 8; lap++) {
      heads.push(ring.driver.addChain(segments, lap));
      ring.driver.publish();
      ring.pop();
      ring.device.pushUsed(ring.batch.slot[0], 0);
      ring.device.publishUsed();
      ring.popUsed();
    }
    expect(heads).toEqual([0, 3, 6, 1, 4, 7, 2, 5]);
    const next = (slot: number) => ring.arena.u16[(RING + 16 * slot + 14) >>> 1];
    expect(next(5)).toBe(6);
    expect(next(6)).toBe(7);
  });
});

describe('packed, IN_ORDER (virtio 1.3, 2.8.9)', () => {
  const descriptor = (ring: RawRing, slot: number): number[] => {
    const w = (RING + 16 * slot) >>> 2;
    const { u16, u32 } = ring.arena;
    return [u16[(w + 3) << 1], u32[w + 2], u16[((w + 3) << 1) + 1]];
  };

  it('one used descriptor for a batch, the next one behind all of its descriptors', () => {
    const ring = offered(makeRing('packed'));
    ring.device.pushUsed(0, 0);
    ring.device.pushUsed(1, 0);
    ring.device.pushUsed(2, 100);
    ring.device.publishUsed();
    expect(descriptor(ring, 0)).toEqual([2, 100, AVAIL | USED | WRITE]);
    expect(descriptor(ring, 1)[2]).toBe(AVAIL);
    ring.device.pushUsed(3, 0);
    ring.device.publishUsed();
    expect(descriptor(ring, 3)).toEqual([3, 0, AVAIL | USED]);
    expect(ring.device.saveBase()).toBe(0x8005_8005);
    expect(ring.device.counters).toMatchObject({ used: 4, usedEntries: 2, usedPublications: 2 });
    expect(ring.popUsed()).toBe(4);
    expect([...ring.used.length.slice(0, 4)]).toEqual([0, 0, 100, 0]);
  });

  it('a buffer that was not filled ends its used descriptor', () => {
    const ring = offered(makeRing('packed'));
    for (const [id, length] of [
      [0, 0],
      [1, 0],
      [2, 7],
      [3, 0],
    ]) {
      ring.device.pushUsed(id, length);
    }
    ring.device.publishUsed();
    expect(descriptor(ring, 0)).toEqual([2, 7, AVAIL | USED | WRITE]);
    expect(descriptor(ring, 3)).toEqual([3, 0, AVAIL | USED]);
    expect(ring.popUsed()).toBe(4);
    expect([...ring.used.length.slice(0, 4)]).toEqual([0, 0, 7, 0]);
  });
});
