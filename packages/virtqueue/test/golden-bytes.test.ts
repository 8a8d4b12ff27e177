import { type Arena, createArena } from '@vhostlab/memory';
import { describe, expect, it } from 'vitest';
import {
  ChainBatch,
  DirectPublisher,
  notificationData,
  PackedDevice,
  PackedDriver,
  ringLayout,
  SegmentList,
  SplitDevice,
  SplitDriver,
  UsedBatch,
} from '../src/index.ts';

const RING = 4096;
const TABLES = 8192;
const features = { eventIdx: true, indirect: true, inOrder: false };

function place(format: 'split' | 'packed', size: number) {
  const layout = ringLayout(format, size, true);
  return {
    size,
    index: 5,
    descOffset: RING + layout.desc.offset,
    driverOffset: RING + layout.driver.offset,
    deviceOffset: RING + layout.device.offset,
    features,
    tables: { offset: TABLES, address: 0x2_0000_2000, entries: 2 },
  };
}

function hex(arena: Arena, offset: number, bytes: number): string {
  return Buffer.from(arena.buffer as ArrayBuffer, offset, bytes)
    .toString('hex')
    .replace(/(.{32})/g, '$1 ')
    .trim();
}

/** The fields of one line, as they follow each other in memory. */
function row(...fields: string[]): string {
  return fields.join('');
}

const segments = new SegmentList(2);
segments.push(0x1122_3344_5566, 0x0a0b, false);
segments.push(0x10_0000_0000, 2048, true);

describe('split ring bytes (virtio 1.3, 2.7.5 to 2.7.8)', () => {
  const arena = createArena(16384);
  const publisher = new DirectPublisher(arena);
  const driver = new SplitDriver(arena, publisher, place('split', 4));
  const table = {
    translate: (address: number) => (address >= 0x2_0000_0000 ? TABLES + address - 0x2_0000_2000 : 64),
  };
  const device = new SplitDevice(arena, publisher, table, place('split', 4));

  it('descriptor table: addr, len, flags, next', () => {
    expect(driver.addOne(0x8000_0001, 60, false, 1)).toBe(0);
    expect(driver.addChain(segments, 2)).toBe(1);
    expect(driver.addIndirect(segments, 3)).toBe(3);
    driver.publish();
    expect(hex(arena, RING, 64)).toBe(
      [
        row('0100008000000000', '3c000000', '0000', '0000'),
        row('6655443322110000', '0b0a0000', '0100', '0200'),
        row('0000000010000000', '00080000', '0200', '0000'),
        row('6020000002000000', '20000000', '0400', '0000'),
      ].join(' '),
    );
  });

  it('indirect table: linked from entry 0', () => {
    expect(hex(arena, TABLES + 3 * 32, 32)).toBe(
      [
        row('6655443322110000', '0b0a0000', '0100', '0100'),
        row('0000000010000000', '00080000', '0200', '0000'),
      ].join(' '),
    );
  });

  it('available ring: flags, idx, ring, used_event', () => {
    expect(hex(arena, RING + 64, 14)).toBe(row('0000', '0300', '0000', '0100', '0300', '0000', '0000'));
    driver.enableInterruptsAfter(3);
    expect(hex(arena, RING + 64 + 12, 2)).toBe('0200');
  });

  it('used ring: flags, idx, id and len of each entry, avail_event', () => {
    const chains = new ChainBatch(4);
    expect(device.pop(chains, 4)).toBe(3);
    device.pushUsed(3, 2048);
    device.pushUsed(0, 0);
    device.publishUsed();
    device.enableNotifications();
    expect(hex(arena, RING + 80, 38).replaceAll(' ', '')).toBe(
      row('0000', '0200', '03000000', '00080000', '00000000', '00000000', '0'.repeat(32), '0300'),
    );
  });
});

describe('packed ring bytes (virtio 1.3, 2.8.13 and 2.8.14)', () => {
  const arena = createArena(16384);
  const publisher = new DirectPublisher(arena);
  const driver = new PackedDriver(arena, publisher, place('packed', 5));
  const table = {
    translate: (address: number) => (address >= 0x2_0000_0000 ? TABLES + address - 0x2_0000_2000 : 64),
  };
  const device = new PackedDevice(arena, publisher, table, place('packed', 5));
  const chains = new ChainBatch(5);

  it('descriptors of the first lap: addr, len, id, flags with AVAIL set and USED clear', () => {
    expect(driver.addOne(0x8000_0001, 60, true, 1)).toBe(0);
    expect(driver.addChain(segments, 2)).toBe(1);
    expect(driver.addIndirect(segments, 3)).toBe(2);
    driver.publish();
    expect(hex(arena, RING, 80)).toBe(
      [
        row('0100008000000000', '3c000000', '0000', '8200'),
        row('6655443322110000', '0b0a0000', '0100', '8100'),
        row('0000000010000000', '00080000', '0100', '8200'),
        row('4020000002000000', '20000000', '0200', '8400'),
        row('0000000000000000', '00000000', '0000', '0000'),
      ].join(' '),
    );
  });

  it('indirect table: WRITE is the only flag', () => {
    expect(hex(arena, TABLES + 2 * 32, 32)).toBe(
      [
        row('6655443322110000', '0b0a0000', '0000', '0000'),
        row('0000000010000000', '00080000', '0000', '0200'),
      ].join(' '),
    );
  });

  it('used descriptors: id of the buffer, AVAIL and USED equal the wrap counter, WRITE when bytes were written', () => {
    expect(device.pop(chains, 5)).toBe(3);
    device.pushUsed(1, 2048);
    device.pushUsed(0, 0);
    device.pushUsed(2, 16);
    device.publishUsed();
    expect(hex(arena, RING, 64)).toBe(
      [
        row('0100008000000000', '00080000', '0100', '8280'),
        row('6655443322110000', '0b0a0000', '0100', '8100'),
        row('0000000010000000', '00000000', '0000', '8080'),
        row('4020000002000000', '10000000', '0200', '8280'),
      ].join(' '),
    );
  });

  it('second lap: a chain over the end of the ring carries both senses of AVAIL and USED', () => {
    const used = new UsedBatch(5);
    expect(driver.popUsed(used, 5)).toBe(3);
    expect([...used.slot.slice(0, 3)]).toEqual([1, 0, 2]);
    expect(driver.addChain(segments, 4)).toBe(3);
    driver.publish();
    expect(hex(arena, RING + 64, 16)).toBe(row('6655443322110000', '0b0a0000', '0300', '8100'));
    expect(hex(arena, RING, 16)).toBe(row('0000000010000000', '00080000', '0300', '0280'));
    expect(device.pop(chains, 5)).toBe(1);
    device.pushUsed(3, 7);
    device.publishUsed();
    expect(hex(arena, RING + 64, 16)).toBe(row('6655443322110000', '07000000', '0300', '8280'));
    expect(driver.addOne(64, 1, false, 5)).toBe(4);
    driver.publish();
    expect(hex(arena, RING + 16, 16)).toBe(row('4000000000000000', '01000000', '0400', '0080'));
  });

  it('event structures: off_wrap, flags', () => {
    driver.enableInterrupts();
    expect(hex(arena, RING + 80, 8)).toBe(row('0480', '0200', '0000', '0000'));
    driver.disableInterrupts();
    device.enableNotifications();
    expect(hex(arena, RING + 80, 8)).toBe(row('0000', '0100', '0100', '0200'));
  });
});

describe('areas (virtio 1.3, 2.7 and 2.8.10.1)', () => {
  it('split: event words exist with EVENT_IDX only', () => {
    expect(ringLayout('split', 256, false).driver.bytes).toBe(516);
    expect(ringLayout('split', 256, false).device.bytes).toBe(2052);
    expect(ringLayout('split', 256, true).driver).toEqual({ offset: 4096, bytes: 518, align: 2 });
    expect(ringLayout('split', 256, true).device).toEqual({ offset: 4616, bytes: 2054, align: 4 });
  });

  it('packed: 16 bytes per descriptor and two event structures', () => {
    expect(ringLayout('packed', 100, true)).toMatchObject({
      desc: { offset: 0, bytes: 1600, align: 16 },
      driver: { offset: 1600, bytes: 4, align: 4 },
      device: { offset: 1604, bytes: 4, align: 4 },
      bytes: 1608,
    });
  });

  it('sizes: powers of two from 2 on a split ring, any on a packed one, up to 32768', () => {
    for (const size of [2, 4, 256, 32768]) expect(ringLayout('split', size, true).desc.bytes).toBe(16 * size);
    for (const size of [1, 3, 100, 32768])
      expect(ringLayout('packed', size, true).desc.bytes).toBe(16 * size);
    for (const size of [0, 1, -2, 2.5, 32769, 65536, Number.NaN]) {
      expect(() => ringLayout('split', size, true), `${size}`).toThrow(RangeError);
    }
    for (const size of [0, -1, 1.5, 32769])
      expect(() => ringLayout('packed', size, true)).toThrow(RangeError);
    expect(() => ringLayout('split', 3, true)).toThrow(
      'queue size 3 is not a power of two from 2 to 32768 as a split ring needs; choose one, or a packed ring.',
    );
    expect(() => ringLayout('packed', 0, true)).toThrow(
      'queue size 0 is not between 1 and 32768; choose one that is.',
    );
  });
});

describe('notification data (virtio 1.3, 2.9)', () => {
  it('is the queue, the next offset and the wrap bit', () => {
    expect(notificationData(3, 0x1234, 1)).toBe(0x9234_0003);
    expect(notificationData(0xffff, 0x7fff, 0)).toBe(0x7fff_ffff);
  });
});
