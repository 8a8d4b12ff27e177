import { type RingFormat, ringLayout } from '@vhostlab/virtqueue';

/** Where the test guest's memory starts, as it sees it and as its VMM does. */
export const GPA_BASE = 0x4000_0000;
export const USER_BASE = 0x7f00_0000_0000;
/** A guest address that no region holds. */
export const UNMAPPED_GPA = 0x10_0000;

const BUFFER_BYTES = 4096;
const TABLE_ENTRIES = 8;

/** Areas of one ring: offsets in the guest's window. */
export interface RingAreas {
  desc: number;
  driver: number;
  device: number;
  tables: number;
  buffers: number;
}

/** The layout of a test guest's window: two rings, tables for indirect descriptors, one 4 KiB buffer per slot. */
export interface GuestLayout {
  bytes: number;
  rings: [RingAreas, RingAreas];
  bufferBytes: number;
  tableEntries: number;
}

/** Lays out both rings of a pair, one after the other. */
export function guestLayout(format: RingFormat, size: number): GuestLayout {
  const { desc, driver, device, bytes } = ringLayout(format, size, true);
  let next = 4096;
  const take = (count: number): number => {
    const at = next;
    next = Math.ceil((next + count) / 4096) * 4096;
    return at;
  };
  const ring = (): RingAreas => {
    const at = take(bytes);
    return {
      desc: at + desc.offset,
      driver: at + driver.offset,
      device: at + device.offset,
      tables: take(size * TABLE_ENTRIES * 16),
      buffers: take(size * BUFFER_BYTES),
    };
  };
  const rings: [RingAreas, RingAreas] = [ring(), ring()];
  return { bytes: next, rings, bufferBytes: BUFFER_BYTES, tableEntries: TABLE_ENTRIES };
}
