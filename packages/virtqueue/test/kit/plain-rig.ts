import { AddressSpace, type Arena, createArena, PERMISSION_RO, PERMISSION_RW } from '@vhostlab/memory';
import {
  DirectPublisher,
  PackedDevice,
  PackedDriver,
  PackedPlain,
  type PlainRing,
  type RingFeatures,
  type RingFormat,
  ringLayout,
  SplitDevice,
  SplitDriver,
  SplitPlain,
} from '../../src/index.ts';

/** Two regions of guest memory, one of which crosses 4 GiB, and one that may only be read. */
export const LOW = 0x1000;
export const HIGH = 2 ** 32 - 0x4000;
export const READ_ONLY = 2 ** 40;
export const REGION_BYTES = 0x8000;
const LOW_AT = 0x2_0000;
const HIGH_AT = 0x3_0000;
const READ_ONLY_AT = 0x4_0000;
/** Guest address of the indirect tables; they lie in the low region's last part. */
const TABLES = LOW + 0x6000;

export const MIN_BYTES = 26;
export const MAX_BYTES = 2000;

/** A driver, its device and the plain side of that device, over one memory. */
export class PlainRig {
  readonly arena: Arena = createArena(0x5_0000);
  readonly space = new AddressSpace(this.arena);
  readonly driver: SplitDriver | PackedDriver;
  readonly device: SplitDevice | PackedDevice;
  readonly plain: PlainRing;
  readonly descOffset: number;
  readonly driverOffset: number;
  readonly deviceOffset: number;

  constructor(format: RingFormat, size: number, features: RingFeatures, writable: boolean, patience = 0) {
    const { arena, space } = this;
    space.map(LOW, REGION_BYTES, LOW_AT, PERMISSION_RW);
    space.map(HIGH, REGION_BYTES, HIGH_AT, PERMISSION_RW);
    space.map(READ_ONLY, REGION_BYTES, READ_ONLY_AT, PERMISSION_RO);
    const layout = ringLayout(format, size, features.eventIdx);
    this.descOffset = 4096;
    this.driverOffset = this.descOffset + layout.driver.offset;
    this.deviceOffset = this.descOffset + layout.device.offset;
    const { descOffset, driverOffset, deviceOffset } = this;
    const place = { size, index: 1, descOffset, driverOffset, deviceOffset, features };
    const tables = { offset: LOW_AT + TABLES - LOW, address: TABLES, entries: 4 };
    const publisher = new DirectPublisher(arena);
    const rules = { writable, minBytes: MIN_BYTES, maxBytes: MAX_BYTES, patience };
    if (format === 'split') {
      this.driver = new SplitDriver(arena, publisher, { ...place, tables });
      this.device = new SplitDevice(arena, publisher, space, place);
      this.plain = new SplitPlain(arena, this.device, space, place, rules);
    } else {
      this.driver = new PackedDriver(arena, publisher, { ...place, tables });
      this.device = new PackedDevice(arena, publisher, space, place);
      this.plain = new PackedPlain(arena, this.device, space, place, rules);
    }
  }

  /** Where a guest address lies in the arena. */
  placeOf(address: number): number {
    if (address >= READ_ONLY) return READ_ONLY_AT + address - READ_ONLY;
    return address >= HIGH ? HIGH_AT + address - HIGH : LOW_AT + address - LOW;
  }
}
