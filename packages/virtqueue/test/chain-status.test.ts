import { describe, expect, it } from 'vitest';
import { CHAIN_OK, CHAIN_READ_AFTER_WRITE, CHAIN_SEGMENTS, ChainBatch } from '../src/index.ts';
import { AVAIL, GUEST, GUEST_END, NEXT, RawRing, UNMAPPED, WRITE } from './kit/raw.ts';

describe('chains that cannot be carried out come back with a status', () => {
  describe.each(['split', 'packed'] as const)('%s', (format) => {
    const flag = format === 'packed' ? AVAIL : 0;
    const offer = (ring: RawRing, descriptors: readonly (readonly [number, number, number])[]): void => {
      descriptors.forEach(([address, length, flags], i) => {
        const next = i + 1 < descriptors.length ? NEXT : 0;
        ring.desc(i, address, length, flags | next | flag, format === 'split' ? i + 1 : 0);
      });
      if (format === 'split') ring.avail([0]);
    };

    it.each([
      ['address 0', 0],
      ['a hole', GUEST - 8],
      ['over the end', GUEST_END - 2],
      ['2^64 - 1', 2 ** 64 - 1],
    ])('%s: the reason of the translation, in the segment too', (_name, address) => {
      const ring = new RawRing(format, 8);
      offer(ring, [[address, 4, 0]]);
      expect(ring.pop()).toBe(1);
      expect(ring.batch.status[0]).toBe(UNMAPPED);
      expect(ring.batch.offset[0]).toBe(UNMAPPED);
      expect(ring.device.counters.chainFaults).toBe(1);
      expect(ring.device.violation).toBe(0);
      ring.device.pushUsed(ring.batch.slot[0], 0);
      ring.device.publishUsed();
      expect(ring.device.inFlight).toBe(0);
    });

    it('one bad segment among good ones; the chain after it is not touched', () => {
      const ring = new RawRing(format, 8);
      offer(ring, [
        [GUEST, 4, 0],
        [0, 4, WRITE],
        [GUEST + 8, 4, WRITE],
      ]);
      ring.desc(3, GUEST + 16, 5, flag, format === 'split' ? 0 : 1);
      if (format === 'split') ring.avail([0, 3]);
      expect(ring.pop()).toBe(2);
      expect([...ring.batch.status.slice(0, 2)]).toEqual([UNMAPPED, CHAIN_OK]);
      expect([...ring.batch.offset.slice(0, 4)]).toEqual([GUEST, UNMAPPED, GUEST + 8, GUEST + 16]);
      expect(ring.pop()).toBe(0);
    });

    it('a readable descriptor after a writable one', () => {
      const ring = new RawRing(format, 8);
      offer(ring, [
        [GUEST, 4, WRITE],
        [GUEST + 8, 4, 0],
      ]);
      expect(ring.pop()).toBe(1);
      expect(ring.batch.status[0]).toBe(CHAIN_READ_AFTER_WRITE);
    });

    it('buffers of 0 bytes are sound wherever they are', () => {
      const ring = new RawRing(format, 8);
      offer(ring, [
        [0, 0, 0],
        [GUEST, 4, 0],
        [2 ** 63, 0, WRITE],
      ]);
      expect(ring.pop()).toBe(1);
      expect(ring.batch.status[0]).toBe(CHAIN_OK);
      expect(ring.batch.segmentCount[0]).toBe(3);
      const alone = new RawRing(format, 8);
      offer(alone, [[0, 0, 0]]);
      expect(alone.pop()).toBe(1);
      expect(alone.batch.status[0]).toBe(CHAIN_OK);
      expect(alone.batch.offset[0]).toBeGreaterThanOrEqual(0);
    });

    it('more segments than the batch holds: waits for an empty batch, then says so', () => {
      const ring = new RawRing(format, 8);
      ring.desc(0, GUEST, 4, flag, 0);
      for (let i = 1; i < 6; i++) {
        ring.desc(i, GUEST, 4, (i < 5 ? NEXT : 0) | flag, format === 'split' ? i + 1 : 1);
      }
      ring.desc(6, GUEST, 4, flag, format === 'split' ? 0 : 2);
      if (format === 'split') ring.avail([0, 1, 6]);
      const batch = new ChainBatch(4, 4);
      expect(ring.device.pop(batch, 4)).toBe(1);
      expect(ring.device.pop(batch, 4)).toBe(1);
      expect(batch.status[0]).toBe(CHAIN_SEGMENTS);
      expect(batch.readableBytes[0]).toBe(20);
      expect(ring.device.pop(batch, 4)).toBe(1);
      expect(batch.status[0]).toBe(CHAIN_OK);
    });
  });
});
