import { describe, expect, it } from 'vitest';
import {
  VIOLATION_CHAIN_LENGTH,
  VIOLATION_INDIRECT_FEATURE,
  VIOLATION_INDIRECT_LENGTH,
  VIOLATION_INDIRECT_NESTED,
  VIOLATION_INDIRECT_NEXT,
  VIOLATION_NEXT_RANGE,
} from '../src/index.ts';
import { expectBroken } from './kit/expect-broken.ts';
import { AVAIL, GUEST, GUEST_END, INDIRECT, NEXT, RawRing, UNMAPPED, USED, WRITE } from './kit/raw.ts';

describe('indirect tables made by a hostile driver', () => {
  const table = GUEST + 0x100;
  const offer = (ring: RawRing, address: number, length: number, flags: number): void => {
    const packed = ring.format === 'packed' ? AVAIL : 0;
    ring.desc(0, address, length, flags | packed, 0);
    if (ring.format === 'split') ring.avail([0]);
  };

  describe.each(['split', 'packed'] as const)('%s', (format) => {
    it('INDIRECT without the feature', () => {
      const ring = new RawRing(format, 8, { indirect: false });
      offer(ring, table, 16, INDIRECT);
      expect(ring.pop()).toBe(0);
      expectBroken(ring, VIOLATION_INDIRECT_FEATURE);
    });

    it.each([0, 1, 15, 17, 16 * 9, 16 * 65537, 0xffff_fff0])(
      'a table of %i bytes for a queue of 8',
      (length) => {
        const ring = new RawRing(format, 8);
        offer(ring, table, length, INDIRECT);
        expect(ring.pop()).toBe(0);
        expectBroken(ring, VIOLATION_INDIRECT_LENGTH);
      },
    );

    it('INDIRECT and NEXT together', () => {
      const ring = new RawRing(format, 8);
      offer(ring, table, 16, INDIRECT | NEXT);
      expect(ring.pop()).toBe(0);
      expectBroken(ring, VIOLATION_INDIRECT_NEXT);
    });

    it('WRITE on the descriptor that refers to the table is ignored', () => {
      const ring = new RawRing(format, 8);
      ring.descAt(table, GUEST, 10, 0, 0);
      offer(ring, table, 16, INDIRECT | WRITE);
      expect(ring.pop()).toBe(1);
      expect([ring.batch.readableBytes[0], ring.batch.writableBytes[0]]).toEqual([10, 0]);
    });

    it('a table at an address that is no multiple of anything', () => {
      const ring = new RawRing(format, 8);
      ring.descAt(GUEST, GUEST + 64, 10, format === 'split' ? NEXT : 0, format === 'split' ? 1 : 0);
      ring.descAt(GUEST + 16, GUEST + 128, 20, WRITE, 0);
      ring.arena.u8.copyWithin(table + 3, GUEST, GUEST + 32);
      offer(ring, table + 3, 32, INDIRECT);
      expect(ring.pop()).toBe(1);
      expect([...ring.batch.address.slice(0, 2)]).toEqual([GUEST + 64, GUEST + 128]);
      expect([ring.batch.readableBytes[0], ring.batch.writableBytes[0]]).toEqual([10, 20]);
    });

    it('a table outside guest memory or over its end: the chain comes back with the reason', () => {
      for (const address of [0, GUEST - 16, GUEST_END - 16, 2 ** 52]) {
        const ring = new RawRing(format, 8);
        offer(ring, address, 32, INDIRECT);
        if (address === GUEST_END - 16) ring.descAt(address, GUEST, 4, format === 'split' ? NEXT : 0, 1);
        expect(ring.pop()).toBe(1);
        expect(ring.batch.status[0]).toBe(UNMAPPED);
        expect(ring.device.violation).toBe(0);
        expect(ring.device.counters.chainFaults).toBe(1);
        ring.device.pushUsed(0, 0);
        ring.device.publishUsed();
        expect(ring.device.counters.used).toBe(1);
      }
    });

    it('a table over the descriptor ring itself ends', () => {
      const ring = new RawRing(format, 8);
      offer(ring, GUEST, 16 * 8, INDIRECT);
      for (let i = 0; i < 8; i++) ring.descAt(GUEST + 16 * i, GUEST, 4, NEXT, (i + 1) % 8);
      expect(ring.pop()).toBe(format === 'split' ? 0 : 1);
      if (format === 'split') expectBroken(ring, VIOLATION_CHAIN_LENGTH);
      else expect(ring.batch.segmentCount[0]).toBe(8);
    });
  });

  it('split: INDIRECT inside a table', () => {
    const ring = new RawRing('split', 8);
    ring.descAt(table, table, 16, INDIRECT, 0);
    offer(ring, table, 16, INDIRECT);
    expect(ring.pop()).toBe(0);
    expectBroken(ring, VIOLATION_INDIRECT_NESTED);
  });

  it('packed: every flag but WRITE inside a table is ignored', () => {
    const ring = new RawRing('packed', 8);
    ring.descAt(table, GUEST, 10, INDIRECT | NEXT | USED, 0xffff);
    offer(ring, table, 16, INDIRECT);
    expect(ring.pop()).toBe(1);
    expect(ring.batch.slot[0]).toBe(0);
    expect(ring.batch.readableBytes[0]).toBe(10);
  });

  it.each([2, 0xffff])('split: next %i inside a table of 2', (next) => {
    const ring = new RawRing('split', 8);
    ring.descAt(table, GUEST, 4, NEXT, next);
    offer(ring, table, 32, INDIRECT);
    expect(ring.pop()).toBe(0);
    expectBroken(ring, VIOLATION_NEXT_RANGE);
  });

  it('split: normal descriptors followed by one INDIRECT are one chain', () => {
    const ring = new RawRing('split', 8);
    ring.desc(0, GUEST, 10, NEXT, 5);
    ring.desc(5, table, 32, INDIRECT, 0);
    ring.descAt(table, GUEST + 64, 20, NEXT, 1);
    ring.descAt(table + 16, GUEST + 128, 30, WRITE, 0);
    ring.avail([0]);
    expect(ring.pop()).toBe(1);
    expect([...ring.batch.length.slice(0, 3)]).toEqual([10, 20, 30]);
    expect([ring.batch.readableBytes[0], ring.batch.writableBytes[0]]).toEqual([30, 30]);
  });

  it('packed: INDIRECT at the end of a list linked by NEXT', () => {
    const ring = new RawRing('packed', 8);
    ring.desc(0, GUEST, 10, NEXT | AVAIL, 0);
    ring.desc(1, table, 16, INDIRECT | AVAIL, 0);
    expect(ring.pop()).toBe(0);
    expectBroken(ring, VIOLATION_INDIRECT_NEXT);
  });
});
