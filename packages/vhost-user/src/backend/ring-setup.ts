import type { Fd } from '../fd.ts';
import type { Mapping } from './memory-mapper.ts';
import type { RingBase } from './ring-base.ts';

/** A region of guest memory that is mapped into the arena. */
export interface MappedRegion {
  /** Guest-physical address, in bytes: below 2^53. */
  readonly gpa: number;
  /** Length in bytes. */
  readonly bytes: number;
  /** The front end's virtual address of the same memory; up to 2^64. */
  readonly userAddress: bigint;
  /** Where in its file it begins, in bytes. */
  readonly fileOffset: number;
  readonly mapping: Mapping;
}

/** Offsets in the arena of the three areas of a ring, each in one piece. */
export interface RingAreas {
  /** Descriptor table, or the packed ring. */
  readonly descriptor: number;
  /** Available ring, or the driver event suppression structure of a packed ring. */
  readonly driver: number;
  /** Used ring, or the device event suppression structure of a packed ring. */
  readonly device: number;
}

/** Where a started ring is from now on; null: its memory is gone, it pauses until a later change places it again. */
export interface RingPlacement {
  readonly index: number;
  readonly areas: RingAreas | null;
}

/** All that a ring starts with. */
export interface RingSetup {
  /** 0 is the first receiveq, 1 the first transmitq, and so on. */
  readonly index: number;
  /** Descriptors. */
  readonly size: number;
  readonly format: 'split' | 'packed';
  readonly areas: RingAreas;
  readonly base: RingBase;
  readonly enabled: boolean;
  /** Null: no eventfd (bit 8 of the message): the device polls. */
  readonly kick: Fd | null;
  /** Null: never call. */
  readonly call: Fd | null;
  readonly err: Fd | null;
  /** Guest-physical address of the used ring in the dirty log; null: the ring is not logged. */
  readonly usedLogGpa: number | null;
}

/** The dirty log of vhost: bit `page % 8` of byte `page / 8`, pages of 4096 bytes. */
export interface LogArea {
  readonly arenaOffset: number;
  readonly bytes: number;
  /** VHOST_F_LOG_ALL: every write to guest memory is logged. */
  readonly logAll: boolean;
}

/** The region that outlives a back end, for descriptors in flight (vhost-user, "Inflight I/O tracking"). */
export interface InflightArea {
  readonly arenaOffset: number;
  readonly bytes: number;
  readonly queues: number;
  readonly queueSize: number;
  /** Distance of one queue's part from the next, in bytes. */
  readonly bytesPerQueue: number;
  /** True when this device made it just now; false when a front end gave it back. */
  readonly fresh: boolean;
}

/** One range of I/O virtual addresses. */
export interface IotlbRange {
  /** I/O virtual address, below 2^53. */
  readonly iova: number;
  readonly bytes: number;
  /** Where it is in the arena; -1 in an invalidation. */
  readonly arenaOffset: number;
  /** Guest-physical address of the same bytes, for the dirty log; -1 in an invalidation. */
  readonly gpa: number;
  /** 1 read-only, 2 write-only, 3 both; 0 in an invalidation. */
  readonly permission: number;
}
