import { createArena } from '@vhostlab/memory';
import { describe, expect, it } from 'vitest';
import {
  ChainBatch,
  DirectPublisher,
  PackedDevice,
  PackedDriver,
  ringLayout,
  SegmentList,
  SplitDevice,
  SplitDriver,
  UsedBatch,
} from '../src/index.ts';

const identity = { translate: (address: number) => address };

describe.each(['split', 'packed'] as const)('%s ring', (format) => {
  it.each([false, true])('takes chains of every kind round several laps (in order: %s)', (inOrder) => {
    const arena = createArena(1 << 20);
    const publisher = new DirectPublisher(arena);
    const layout = ringLayout(format, 8, true);
    const ring = arena.alloc(layout.bytes, 16);
    const tables = arena.alloc(8 * 4 * 16, 16);
    const place = {
      size: 8,
      index: 3,
      descOffset: ring + layout.desc.offset,
      driverOffset: ring + layout.driver.offset,
      deviceOffset: ring + layout.device.offset,
      features: { eventIdx: true, indirect: true, inOrder },
      tables: { offset: tables, address: tables, entries: 4 },
    };
    const driver =
      format === 'split'
        ? new SplitDriver(arena, publisher, place)
        : new PackedDriver(arena, publisher, place);
    const device =
      format === 'split'
        ? new SplitDevice(arena, publisher, identity, place)
        : new PackedDevice(arena, publisher, identity, place);
    const segments = new SegmentList(4);
    segments.push(0x1000, 10, false);
    segments.push(0x2000, 20, false);
    segments.push(0x3000, 30, true);
    const chains = new ChainBatch(8);
    const used = new UsedBatch(8);
    for (let lap = 0; lap < 50; lap++) {
      driver.addOne(0x8000, 64, true, lap);
      driver.addChain(segments, 1000 + lap);
      driver.addIndirect(segments, 2000 + lap);
      driver.publish();
      expect(device.pop(chains, 8)).toBe(3);
      expect([...chains.segmentCount.slice(0, 3)]).toEqual([1, 3, 3]);
      expect([...chains.readableBytes.slice(0, 3)]).toEqual([0, 30, 30]);
      expect([...chains.writableBytes.slice(0, 3)]).toEqual([64, 30, 30]);
      expect([...chains.address.slice(chains.firstSegment[1], chains.firstSegment[1] + 3)]).toEqual([
        0x1000, 0x2000, 0x3000,
      ]);
      for (let c = 0; c < 3; c++) device.pushUsed(chains.slot[c], 5 + c);
      device.publishUsed();
      expect(driver.popUsed(used, 8)).toBe(3);
      expect([...used.token.slice(0, 3)]).toEqual([lap, 1000 + lap, 2000 + lap]);
      expect([...used.length.slice(0, 3)]).toEqual([5, 6, 7]);
      expect(driver.freeSlots).toBe(8);
    }
  });
});
