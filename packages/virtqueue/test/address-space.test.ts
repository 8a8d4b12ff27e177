import {
  AddressSpace,
  createArena,
  FAULT_PERMISSION,
  FAULT_UNMAPPED,
  PERMISSION_RO,
  PERMISSION_RW,
} from '@vhostlab/memory';
import { describe, expect, it } from 'vitest';
import {
  CHAIN_OK,
  CHAIN_SEGMENTS,
  ChainBatch,
  DirectPublisher,
  ringLayout,
  SegmentList,
  SplitDevice,
  SplitDriver,
} from '../src/index.ts';

/** Guest memory `[0, 0x3000)` in three regions: the second is elsewhere in the arena, the third read-only. */
function rig() {
  const arena = createArena(1 << 17);
  const space = new AddressSpace(arena);
  space.map(0, 0x1000, 0x8000, PERMISSION_RW);
  space.map(0x1000, 0x1000, 0xc000, PERMISSION_RW);
  space.map(0x2000, 0x1000, 0xd000, PERMISSION_RO);
  const layout = ringLayout('split', 8, false);
  const place = {
    size: 8,
    index: 0,
    descOffset: 0x1_0000,
    driverOffset: 0x1_0000 + layout.driver.offset,
    deviceOffset: 0x1_0000 + layout.device.offset,
    features: { eventIdx: false, indirect: true, inOrder: false },
    tables: { offset: 0xc000 - 0x40, address: 0x1000 - 0x40, entries: 8 },
  };
  const publisher = new DirectPublisher(arena);
  const driver = new SplitDriver(arena, publisher, place);
  const device = new SplitDevice(arena, publisher, space, place);
  return { arena, space, driver, device };
}

describe('chains over an AddressSpace', () => {
  it('a segment over a border between regions becomes one segment per place', () => {
    const { driver, device } = rig();
    const list = new SegmentList(2);
    list.push(0x100, 12, false);
    list.push(0xff0, 0x40, false);
    driver.addOne(0x10, 4, false, 0);
    driver.addChain(list, 1);
    driver.addOne(0x20, 4, false, 2);
    driver.publish();
    const batch = new ChainBatch(4, 8);
    expect(device.pop(batch, 4)).toBe(3);
    expect([...batch.segmentCount.slice(0, 3)]).toEqual([1, 3, 1]);
    expect([...batch.firstSegment.slice(0, 3)]).toEqual([0, 1, 4]);
    expect([...batch.address.slice(0, 5)]).toEqual([0x10, 0x100, 0xff0, 0x1000, 0x20]);
    expect([...batch.length.slice(0, 5)]).toEqual([4, 12, 0x10, 0x30, 4]);
    expect([...batch.offset.slice(0, 5)]).toEqual([0x8010, 0x8100, 0x8ff0, 0xc000, 0x8020]);
    expect([...batch.status.slice(0, 3)]).toEqual([CHAIN_OK, CHAIN_OK, CHAIN_OK]);
    expect(batch.readableBytes[1]).toBe(12 + 0x40);
  });

  it('single descriptors over a border, with others around', () => {
    const { driver, device } = rig();
    for (const address of [0x10, 0xff8, 0x20]) driver.addOne(address, 16, true, address);
    driver.publish();
    const batch = new ChainBatch(4, 8);
    expect(device.pop(batch, 4)).toBe(3);
    expect([...batch.segmentCount.slice(0, 3)]).toEqual([1, 2, 1]);
    expect([...batch.offset.slice(0, 4)]).toEqual([0x8010, 0x8ff8, 0xc000, 0x8020]);
    expect([...batch.writable.slice(0, 4)]).toEqual([1, 1, 1, 1]);
    expect(device.counters.chainFaults).toBe(0);
  });

  it('no room for the pieces: the chain says so', () => {
    const { driver, device } = rig();
    driver.addOne(0xff8, 16, false, 0);
    driver.publish();
    const batch = new ChainBatch(1, 1);
    expect(device.pop(batch, 1)).toBe(1);
    expect(batch.status[0]).toBe(CHAIN_SEGMENTS);
    expect(batch.offset[0]).toBeLessThan(0);
  });

  it('reasons of the address space reach the status', () => {
    const { driver, device, space } = rig();
    driver.addOne(0x2000, 16, true, 0);
    driver.addOne(0x2ff8, 16, false, 1);
    driver.addOne(0x2000, 16, false, 2);
    driver.publish();
    const batch = new ChainBatch(4);
    expect(device.pop(batch, 4)).toBe(3);
    expect([...batch.status.slice(0, 3)]).toEqual([FAULT_PERMISSION, FAULT_UNMAPPED, CHAIN_OK]);
    expect(device.counters.chainFaults).toBe(2);
    space.clear();
    driver.addOne(0x10, 4, false, 3);
    driver.publish();
    expect(device.pop(batch, 4)).toBe(1);
    expect(batch.status[0]).toBe(FAULT_UNMAPPED);
  });

  it('an indirect table over a border is read entry by entry', () => {
    const { arena, driver, device } = rig();
    const list = new SegmentList(8);
    for (let i = 0; i < 8; i++) list.push(0x10 * i, 4 + i, i > 5);
    driver.addIndirect(list, 0);
    driver.publish();
    arena.u8.copyWithin(0x8fc0, 0xbfc0, 0xc000);
    const batch = new ChainBatch(4);
    expect(device.pop(batch, 4)).toBe(1);
    expect(batch.status[0]).toBe(CHAIN_OK);
    expect([...batch.length.slice(0, 8)]).toEqual([4, 5, 6, 7, 8, 9, 10, 11]);
  });
});
