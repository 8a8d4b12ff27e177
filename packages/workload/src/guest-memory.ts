import { migrationOf } from './events/migrate-event.ts';
import { sendsFrames } from './guest-roles.ts';
import { usesFailover } from './instances.ts';
import { longestFrameBytes } from './longest-frame.ts';
import { PAGE_SIZES, type ScenarioConfig } from './scenario.ts';

/** Bytes in front of a frame in its buffer: what a DPDK mbuf has (structure and headroom). */
export const FRAME_OFFSET = 256;
/** Bytes that an ordinary buffer has for the frame. */
const ROOM_BYTES = 2048;
/** Most descriptors of a frame: 64 KiB in merged receive buffers of ROOM_BYTES, or in pieces of SEGMENT_BYTES. */
export const TABLE_ENTRIES = 36;
/** Piece of a large frame that one descriptor names. */
export const SEGMENT_BYTES = 4096;
const LARGE_BUFFERS = 64;
const LARGE_BYTES = 68 * 1024;
/** Entries of the control queue. */
export const CONTROL_SIZE = 64;
const LEAST_POOL = 4096;
const PAGE_BYTES = 4096;

/** A run of equal buffers in guest memory. */
export interface BufferArea {
  gpa: number;
  count: number;
  /** Bytes from one buffer to the next. */
  stride: number;
}

/** A buffer on pages that nothing else uses, for a packet whose page is to leave the device's map. */
export interface FaultBuffer {
  packet: number;
  gpa: number;
  bytes: number;
}

/** Where one queue pair lives in guest memory; addresses are guest physical, and offsets in the guest's window. */
export interface PairLayout {
  rxRing: number;
  txRing: number;
  /** Indirect tables of the transmit queue: `ringSize` tables of TABLE_ENTRIES descriptors. */
  tables: number;
  /** Buffers of one frame each, for both directions. */
  small: BufferArea;
  /** Buffers of 64 KiB frames; count 0 unless the workload makes such frames. */
  large: BufferArea;
  faultBuffers: FaultBuffer[];
  /**
   * Boundary on which device areas begin, as DPDK's driver has it (VIRTIO_VRING_ALIGN); absent: right behind the driver
   * area. A guest that migrates has used rings on pages of their own, so that a missed one shows.
   */
  deviceAlign?: number;
}

/** A range of guest memory that the back end is given. */
export interface GuestRegion {
  gpa: number;
  bytes: number;
}

/** The memory of one guest. */
export interface GuestLayout {
  bytes: number;
  pageBytes: number;
  /** Ring of the control queue, and the page of its commands and answers. */
  controlRing: number;
  controlPage: number;
  pairs: PairLayout[];
  /** What goes into the memory table: everything but the pages of `unmap` faults. */
  regions: GuestRegion[];
  /**
   * Rings of the VMM's own, behind the guest's memory and no part of it: one of `ringBytes` per queue, for a vDPA device
   * that is migrated behind shadow virtqueues.
   */
  shadow?: { at: number; bytes: number; ringBytes: number };
}

/** Bytes of a window that holds a guest's memory, and what the VMM has behind it. */
export function guestWindowBytes({ bytes, shadow }: Pick<GuestLayout, 'bytes' | 'shadow'>): number {
  return bytes + (shadow?.bytes ?? 0);
}

/** Lays out the memory of guest `g`: pure, the same for everybody who asks. Address 0 is left out. */
export function guestLayout(config: ScenarioConfig, g: number): GuestLayout {
  const pageBytes = PAGE_SIZES[config.pages];
  const faults = config.faults.filter(({ action }) => action === 'unmap' && sendsFrames(config, g));
  let next = 4096;
  const take = (bytes: number, align: number): number => {
    const at = Math.ceil(next / align) * align;
    next = at + bytes;
    return at;
  };
  const controlRing = take(ringBytes(CONTROL_SIZE), 4096);
  const controlPage = take(4096, 4096);
  const stride = FRAME_OFFSET + Math.max(ROOM_BYTES, Math.ceil(longestFrameBytes(config) / 256) * 256);
  const count = Math.max(LEAST_POOL, 4 * config.ringSize);
  const largeFrames = config.traffic.kind === 'tcp-stream' || config.workload === 'stream';
  const deviceAlign = migrationOf(config) === undefined ? undefined : PAGE_BYTES;
  const roomBytes = ringBytes(config.ringSize) + (deviceAlign ?? 0);
  const pairs = Array.from({ length: config.queues }, (): PairLayout => {
    const rxRing = take(roomBytes, 4096);
    const txRing = take(roomBytes, 4096);
    const tables = take(config.ringSize * TABLE_ENTRIES * 16, 4096);
    const small = { gpa: take(count * stride, 4096), count, stride };
    const largeCount = largeFrames && sendsFrames(config, g) ? LARGE_BUFFERS : 0;
    const large = { gpa: take(largeCount * LARGE_BYTES, 4096), count: largeCount, stride: LARGE_BYTES };
    return {
      rxRing,
      txRing,
      tables,
      small,
      large,
      faultBuffers: [],
      ...(deviceAlign === undefined ? {} : { deviceAlign }),
    };
  });
  const holes: GuestRegion[] = [];
  for (const pair of pairs) {
    const needs = pair.large.count > 0 ? LARGE_BYTES : stride;
    for (const { packet } of faults) {
      const bytes = Math.ceil(needs / pageBytes) * pageBytes;
      const gpa = take(bytes, pageBytes);
      pair.faultBuffers.push({ packet, gpa, bytes: needs });
      holes.push({ gpa, bytes });
    }
  }
  const bytes = Math.ceil(next / pageBytes) * pageBytes;
  const layout = { bytes, pageBytes, controlRing, controlPage, pairs, regions: without(bytes, holes) };
  if (config.backend !== 'vdpa' || deviceAlign === undefined) return layout;
  const shadowRing = Math.ceil(ringBytes(config.ringSize) / PAGE_BYTES) * PAGE_BYTES;
  return { ...layout, shadow: { at: bytes, bytes: 2 * config.queues * shadowRing, ringBytes: shadowRing } };
}

/**
 * What a VMM hands to the back end of guest `g`: its memory without the pages of `unmap` faults, by rising address.
 * Offsets in the guest's window are its addresses.
 */
export function guestMemoryRegions(config: ScenarioConfig, g: number): GuestRegion[] {
  const { bytes, regions } = guestLayout(config, g);
  // the devices of net_failover have rings and buffers of their own
  return usesFailover(config) ? [{ gpa: 0, bytes: 3 * bytes }] : regions;
}

/**
 * Room for a ring of either format with event words (virtio 1.3, 2.7 and 2.8.10.1): which one it becomes is known
 * after the negotiation.
 */
function ringBytes(size: number): number {
  const descriptors = 16 * size;
  const packed = descriptors + 4 + 4;
  const available = 6 + 2 * size;
  const used = 6 + 8 * size;
  const split = ((descriptors + available + 3) & ~3) + used;
  return (size & (size - 1)) === 0 && size > 1 ? Math.max(packed, split) : packed;
}

/** `[0, bytes)` without the holes, which are in rising order. */
function without(bytes: number, holes: readonly GuestRegion[]): GuestRegion[] {
  const regions: GuestRegion[] = [];
  let from = 0;
  for (const hole of [...holes, { gpa: bytes, bytes: 0 }]) {
    if (hole.gpa > from) regions.push({ gpa: from, bytes: hole.gpa - from });
    from = hole.gpa + hole.bytes;
  }
  return regions;
}
