import { describe, expect, it } from 'vitest';
import {
  CHAIN_OK,
  CHAIN_READ_AFTER_WRITE,
  CHAIN_SEGMENTS,
  ChainBatch,
  VIOLATION_AVAIL_JUMP,
  VIOLATION_BUFFER_BUSY,
  VIOLATION_CHAIN_BYTES,
  VIOLATION_CHAIN_LENGTH,
  VIOLATION_CHAIN_TORN,
  VIOLATION_HEAD_RANGE,
  VIOLATION_ID_RANGE,
  VIOLATION_INDIRECT_FEATURE,
  VIOLATION_INDIRECT_LENGTH,
  VIOLATION_INDIRECT_NESTED,
  VIOLATION_INDIRECT_NEXT,
  VIOLATION_NEXT_RANGE,
  violationName,
} from '../src/index.ts';
import { AVAIL, GUEST, GUEST_END, INDIRECT, NEXT, RawRing, UNMAPPED, USED, WRITE } from './kit/raw.ts';

/** The queue is broken for this reason, stays so, says so once, and touches nothing any more. */
function expectBroken(ring: RawRing, code: number): void {
  const { device } = ring;
  expect(violationName(device.violation)).toBe(violationName(code));
  expect(device.counters.violations).toBe(1);
  expect(ring.pop()).toBe(0);
  expect(device.available()).toBe(0);
  expect(device.hasAvailable()).toBe(false);
  expect(device.shouldCall()).toBe(false);
  const before = ring.arena.u8.slice();
  device.pushUsed(0, 0);
  device.publishUsed();
  expect(ring.arena.u8).toEqual(before);
  expect(device.counters.violations).toBe(1);
  device.reset();
  expect(device.violation).toBe(0);
}

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
