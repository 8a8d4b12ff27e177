import { describe, expect, it } from 'vitest';
import {
  VIOLATION_AVAIL_JUMP,
  VIOLATION_BUFFER_BUSY,
  VIOLATION_CHAIN_BYTES,
  VIOLATION_CHAIN_LENGTH,
  VIOLATION_CHAIN_TORN,
  VIOLATION_HEAD_RANGE,
  VIOLATION_ID_RANGE,
  VIOLATION_NEXT_RANGE,
} from '../src/index.ts';
import { expectBroken } from './kit/expect-broken.ts';
import { AVAIL, GUEST, GUEST_END, NEXT, RawRing, USED, WRITE } from './kit/raw.ts';

describe('split ring made by a hostile driver', () => {
  it.each([9, 0x8000, 0xffff])('available index jumps to %i of a ring of 8', (index) => {
    const ring = new RawRing('split', 8);
    ring.u16(ring.driverOffset + 2, index);
    expect(ring.pop()).toBe(0);
    expectBroken(ring, VIOLATION_AVAIL_JUMP);
  });

  it('available index goes back', () => {
    const ring = new RawRing('split', 8);
    ring.desc(0, GUEST, 4, 0, 0);
    ring.desc(1, GUEST, 4, 0, 0);
    ring.avail([0, 1]);
    expect(ring.pop()).toBe(2);
    ring.u16(ring.driverOffset + 2, 1);
    expect(ring.device.available()).toBe(0);
    expectBroken(ring, VIOLATION_AVAIL_JUMP);
  });

  it('available index stays while kicks flood: nothing happens', () => {
    const ring = new RawRing('split', 8);
    for (let kick = 0; kick < 1000; kick++) expect(ring.pop()).toBe(0);
    expect(ring.device.violation).toBe(0);
  });

  it.each([8, 0xffff])('head %i of a table of 8; the sound chain before it is still given', (head) => {
    const ring = new RawRing('split', 8);
    ring.desc(0, GUEST, 4, 0, 0);
    ring.avail([0, head, 1]);
    expect(ring.pop()).toBe(1);
    expect(ring.batch.count).toBe(1);
    expectBroken(ring, VIOLATION_HEAD_RANGE);
  });

  it.each([8, 0xffff])('next %i of a table of 8', (next) => {
    const ring = new RawRing('split', 8);
    ring.desc(0, GUEST, 4, NEXT, next);
    ring.avail([0]);
    expect(ring.pop()).toBe(0);
    expectBroken(ring, VIOLATION_NEXT_RANGE);
  });

  it.each([0, 4])('a loop of descriptors of %i bytes', (length) => {
    const ring = new RawRing('split', 8);
    for (let i = 0; i < 8; i++) ring.desc(i, GUEST, length, NEXT, (i + 1) % 8);
    ring.avail([3]);
    expect(ring.pop()).toBe(0);
    expectBroken(ring, VIOLATION_CHAIN_LENGTH);
  });

  it('a descriptor that is its own next', () => {
    const ring = new RawRing('split', 2048);
    ring.desc(0, GUEST, 0, NEXT, 0);
    ring.avail([0]);
    expect(ring.pop()).toBe(0);
    expectBroken(ring, VIOLATION_CHAIN_LENGTH);
  });

  it('a chain of as many descriptors as the queue has is sound', () => {
    const ring = new RawRing('split', 8);
    for (let i = 0; i < 8; i++) ring.desc(i, GUEST, 4, i < 7 ? NEXT : 0, i + 1);
    ring.avail([0]);
    expect(ring.pop()).toBe(1);
    expect(ring.batch.segmentCount[0]).toBe(8);
  });

  it('a chain of more than 2^32 bytes; exactly 2^32 is sound', () => {
    for (const [last, ok] of [
      [1, true],
      [2, false],
    ] as const) {
      const ring = new RawRing('split', 8);
      ring.desc(0, GUEST, 0xffff_ffff, NEXT, 1);
      ring.desc(1, GUEST, last, 0, 0);
      ring.avail([0]);
      expect(ring.pop()).toBe(ok ? 1 : 0);
      if (ok) expect(ring.batch.readableBytes[0]).toBe(2 ** 32);
      else expectBroken(ring, VIOLATION_CHAIN_BYTES);
    }
  });

  it('a head that is outstanding already, in one batch and in the next', () => {
    const ring = new RawRing('split', 8);
    ring.desc(2, GUEST, 4, 0, 0);
    ring.avail([2, 2]);
    expect(ring.pop()).toBe(1);
    expectBroken(ring, VIOLATION_BUFFER_BUSY);
    const later = new RawRing('split', 8);
    later.desc(2, GUEST, 4, 0, 0);
    later.avail([2]);
    expect(later.pop()).toBe(1);
    later.avail([2], 1);
    expect(later.pop()).toBe(0);
    expectBroken(later, VIOLATION_BUFFER_BUSY);
  });

  it('descriptors rewritten after the pop change nothing that was popped', () => {
    const ring = new RawRing('split', 8);
    ring.desc(0, GUEST, 60, 0, 0);
    ring.avail([0]);
    expect(ring.pop()).toBe(1);
    ring.desc(0, GUEST_END, 0xffff, WRITE | NEXT, 7);
    ring.avail([5]);
    expect(ring.batch.offset[0]).toBe(GUEST);
    expect(ring.batch.length[0]).toBe(60);
    ring.device.pushUsed(0, 0);
    ring.device.publishUsed();
    expect([
      ...ring.arena.u32.subarray((ring.deviceOffset + 4) >>> 2, (ring.deviceOffset + 12) >>> 2),
    ]).toEqual([0, 0]);
  });

  it('used ring and its index written by the driver: the device goes on with its own', () => {
    const ring = new RawRing('split', 8);
    ring.desc(0, GUEST, 4, 0, 0);
    ring.avail([0, 0, 0, 0]);
    ring.u16(ring.driverOffset + 2, 1);
    expect(ring.pop()).toBe(1);
    ring.arena.u8.fill(0xff, ring.deviceOffset, ring.deviceOffset + 4 + 64);
    ring.device.pushUsed(0, 0);
    ring.device.publishUsed();
    expect(ring.arena.u16[(ring.deviceOffset + 2) >>> 1]).toBe(1);
    ring.u16(ring.driverOffset + 2, 2);
    expect(ring.pop()).toBe(1);
    expect(ring.device.violation).toBe(0);
  });

  it('used_event of every value: one decision each, never a fault', () => {
    const ring = new RawRing('split', 8, { eventIdx: true });
    ring.desc(0, GUEST, 4, 0, 0);
    const calls: number[] = [];
    const expected: number[] = [];
    for (let used = 0; used < 0x10000; used++) {
      const event = (used * 40503 + 8) & 0xffff;
      ring.avail([0], used);
      ring.pop();
      ring.device.pushUsed(0, 0);
      ring.device.publishUsed();
      ring.u16(ring.driverOffset + 4 + 16, event);
      if (ring.device.shouldCall()) calls.push(used);
      if (event === used) expected.push(used);
    }
    expect(expected.length).toBeGreaterThan(0);
    expect(calls).toEqual(expected);
    expect(ring.device.violation).toBe(0);
  });
});

describe('packed ring made by a hostile driver', () => {
  it.each([0, AVAIL | USED])('wrap bits both equal (%i) mean not available', (flags) => {
    const ring = new RawRing('packed', 8);
    ring.desc(0, GUEST, 4, flags, 0);
    expect(ring.device.hasAvailable()).toBe(false);
    expect(ring.pop()).toBe(0);
    expect(ring.device.violation).toBe(0);
  });

  it('the wrap bits of the other lap mean not available', () => {
    const ring = new RawRing('packed', 8);
    ring.desc(0, GUEST, 4, USED, 0);
    expect(ring.pop()).toBe(0);
    expect(ring.device.violation).toBe(0);
  });

  it('an id that is outstanding already', () => {
    const ring = new RawRing('packed', 8);
    ring.desc(0, GUEST, 4, AVAIL, 3);
    ring.desc(1, GUEST, 4, AVAIL, 3);
    expect(ring.pop()).toBe(1);
    expectBroken(ring, VIOLATION_BUFFER_BUSY);
  });

  it.each([8, 0xffff])('id %i of a queue of 8, alone and in a list', (id) => {
    const ring = new RawRing('packed', 8);
    ring.desc(0, GUEST, 4, AVAIL, id);
    expect(ring.pop()).toBe(0);
    expectBroken(ring, VIOLATION_ID_RANGE);
    const list = new RawRing('packed', 8);
    list.desc(0, GUEST, 4, AVAIL | NEXT, 0);
    list.desc(1, GUEST, 4, AVAIL, id);
    expect(list.pop()).toBe(0);
    expectBroken(list, VIOLATION_ID_RANGE);
  });

  it('NEXT for ever', () => {
    const ring = new RawRing('packed', 7);
    for (let i = 0; i < 7; i++) ring.desc(i, GUEST, 0, AVAIL | NEXT, i);
    expect(ring.device.available()).toBe(0);
    expect(ring.pop()).toBe(0);
    expectBroken(ring, VIOLATION_CHAIN_LENGTH);
  });

  it.each([0, USED, AVAIL | USED])('a later descriptor of a list with flags %i', (flags) => {
    const ring = new RawRing('packed', 8);
    ring.desc(0, GUEST, 4, AVAIL | NEXT, 0);
    ring.desc(1, GUEST, 4, flags, 0);
    expect(ring.pop()).toBe(0);
    expectBroken(ring, VIOLATION_CHAIN_TORN);
  });

  it('a list of more than 2^32 bytes', () => {
    const ring = new RawRing('packed', 8);
    ring.desc(0, GUEST, 0xffff_ffff, AVAIL | NEXT, 0);
    ring.desc(1, GUEST, 2, AVAIL, 0);
    expect(ring.pop()).toBe(0);
    expectBroken(ring, VIOLATION_CHAIN_BYTES);
  });

  it('event structure of every kind: offset beyond the ring and flags 3 call, DISABLE does not', () => {
    for (const eventIdx of [false, true]) {
      for (let flags = 0; flags < 4; flags++) {
        for (const event of [0, 1, 7, 8, 0x7fff, 0x8000, 0x8007, 0xffff]) {
          const ring = new RawRing('packed', 8, { eventIdx });
          ring.desc(0, GUEST, 4, AVAIL, 0);
          ring.pop();
          ring.device.pushUsed(0, 0);
          ring.device.publishUsed();
          ring.u16(ring.driverOffset, event);
          ring.u16(ring.driverOffset + 2, flags | 0xfff0);
          const isOutside = (event & 0x7fff) >= 8;
          const isCrossed = event === 0x8000;
          const wanted = flags !== 1 && (flags !== 2 || !eventIdx || isOutside || isCrossed);
          expect(ring.device.shouldCall(), `${eventIdx} ${flags} ${event}`).toBe(wanted);
        }
      }
    }
  });

  it('used descriptors rewritten by the driver: the device goes on with its own place', () => {
    const ring = new RawRing('packed', 4);
    ring.desc(0, GUEST, 4, AVAIL, 0);
    ring.pop();
    ring.device.pushUsed(0, 0);
    ring.device.publishUsed();
    ring.arena.u8.fill(0, 4096, 4096 + 64);
    ring.desc(1, GUEST, 4, AVAIL, 0);
    expect(ring.pop()).toBe(1);
    ring.device.pushUsed(0, 0);
    ring.device.publishUsed();
    expect(ring.arena.u16[(4096 + 16 + 14) >>> 1]).toBe(AVAIL | USED);
  });
});
