import { type Arena, createArena } from '@vhostlab/memory';
import {
  ChainBatch,
  type DeviceQueue,
  DirectPublisher,
  type DriverQueue,
  PackedDevice,
  PackedDriver,
  type RingFeatures,
  type RingFormat,
  ringLayout,
  SplitDevice,
  SplitDriver,
  UsedBatch,
} from '../../src/index.ts';

export const RING = 4096;
/** Guest memory of these tests: `[0x10000, 0x20000)`, at the same place of the arena. */
export const GUEST = 0x1_0000;
export const GUEST_END = 0x2_0000;
/** What the translator of these tests says about other addresses. */
export const UNMAPPED = -1;

export const NEXT = 1;
export const WRITE = 2;
export const INDIRECT = 4;
export const AVAIL = 0x80;
export const USED = 0x8000;

export const translator = {
  translate(address: number, length: number): number {
    return address >= GUEST && address + length <= GUEST_END ? address : UNMAPPED;
  },
};

/** One side of a queue whose other side is played by the test, which writes ring words itself. */
export class RawRing {
  readonly format: RingFormat;
  readonly size: number;
  readonly arena: Arena = createArena(GUEST_END);
  readonly batch = new ChainBatch(64, 128);
  readonly used = new UsedBatch(64);
  readonly device: DeviceQueue;
  readonly driver: DriverQueue;
  readonly driverOffset: number;
  readonly deviceOffset: number;

  constructor(format: RingFormat, size: number, features: Partial<RingFeatures> = {}) {
    const layout = ringLayout(format, size, true);
    const place = {
      size,
      index: 0,
      descOffset: RING,
      driverOffset: RING + layout.driver.offset,
      deviceOffset: RING + layout.device.offset,
      features: { eventIdx: false, indirect: true, inOrder: false, ...features },
    };
    this.format = format;
    this.size = size;
    this.driverOffset = place.driverOffset;
    this.deviceOffset = place.deviceOffset;
    const publisher = new DirectPublisher(this.arena);
    const split = format === 'split';
    this.device = split
      ? new SplitDevice(this.arena, publisher, translator, place)
      : new PackedDevice(this.arena, publisher, translator, place);
    this.driver = split
      ? new SplitDriver(this.arena, publisher, place)
      : new PackedDriver(this.arena, publisher, place);
  }

  u16(offset: number, value: number): void {
    this.arena.u16[offset >>> 1] = value;
  }

  /** Descriptor at byte offset `at`: `last` is next on a split ring; packed rings have id and flags the other way round. */
  descAt(at: number, address: number, length: number, flags: number, last: number): void {
    const u32 = this.arena.u32;
    u32[at >>> 2] = address;
    u32[(at >>> 2) + 1] = address / 2 ** 32;
    u32[(at >>> 2) + 2] = length;
    this.u16(at + 12, this.format === 'split' ? flags : last);
    this.u16(at + 14, this.format === 'split' ? last : flags);
  }

  desc(slot: number, address: number, length: number, flags: number, last: number): void {
    this.descAt(RING + 16 * slot, address, length, flags, last);
  }

  /** Split: puts heads into the available ring from place `from` on and stores the index behind them. */
  avail(heads: readonly number[], from = 0): void {
    heads.forEach((head, i) => {
      this.u16(this.driverOffset + 4 + 2 * ((from + i) % this.size), head);
    });
    this.u16(this.driverOffset + 2, (from + heads.length) & 0xffff);
  }

  /** Split: the used entries from place 0 on, and the index. */
  usedEntries(entries: readonly (readonly [id: number, length: number])[], index = entries.length): void {
    entries.forEach(([id, length], i) => {
      const w = (this.deviceOffset + 4 + 8 * i) >>> 2;
      this.arena.u32[w] = id;
      this.arena.u32[w + 1] = length;
    });
    this.u16(this.deviceOffset + 2, index);
  }

  pop(max = 64): number {
    return this.device.pop(this.batch, max);
  }

  popUsed(max = 64): number {
    return this.driver.popUsed(this.used, max);
  }
}
