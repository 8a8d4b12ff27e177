import type { Publisher } from '@vhostlab/memory';
import type { SegmentList } from './segment-list.ts';
import type { UsedBatch } from './used-batch.ts';

/** Ring features that were negotiated (virtio 1.3, 6). */
export interface RingFeatures {
  /** VIRTIO_F_EVENT_IDX. */
  readonly eventIdx: boolean;
  /** VIRTIO_F_INDIRECT_DESC. */
  readonly indirect: boolean;
  /** VIRTIO_F_IN_ORDER. */
  readonly inOrder: boolean;
}

/** Where a queue lives in this side's arena; the memory is zero when the queue is made. */
export interface RingPlace {
  readonly size: number;
  /** Number of the queue on its device. */
  readonly index: number;
  readonly descOffset: number;
  readonly driverOffset: number;
  readonly deviceOffset: number;
  readonly features: RingFeatures;
}

/** Memory for indirect tables: `size` tables of `entries` descriptors each, one per slot. */
export interface IndirectTables {
  /** Arena offset of the first table, 16-aligned. */
  readonly offset: number;
  /** Guest address of the same byte. */
  readonly address: number;
  readonly entries: number;
}

export interface DriverPlace extends RingPlace {
  /** Needed by `addIndirect` only. */
  readonly tables?: IndirectTables;
}

/** A buffer that the device has not given back. */
export interface OutstandingBuffer {
  readonly slot: number;
  readonly token: number;
}

/**
 * The driver side of a virtqueue, split or packed.
 *
 * `publish` and `shouldKick` are two steps with a full barrier between them, and so are `enableInterrupts` and the
 * `hasUsed` that re-checks (virtio 1.3, 2.7.13.4.1, 2.7.14): call the second one in a later run than the first.
 */
export interface DriverQueue {
  readonly size: number;
  readonly index: number;
  /** Descriptors that are free now. */
  readonly freeSlots: number;
  /** 0, or the VIOLATION_… that broke the queue; a broken queue takes and gives nothing. */
  readonly violation: number;
  /** Buffers added and not popped yet. */
  readonly inFlight: number;

  /**
   * Adds a buffer of one descriptor: `length` bytes at guest address `address`. The caller covers the bytes of a
   * readable buffer before `publish`. Returns the slot (head descriptor or buffer id), -1 when full or broken. @hot
   */
  addOne(address: number, length: number, writable: boolean, token: number): number;
  /**
   * Adds a buffer of several descriptors. -1 when they do not all fit now. Throws for an empty list, one that is
   * longer than the queue, or one with a readable segment after a writable one.
   */
  addChain(segments: SegmentList, token: number): number;
  /** The same through one descriptor and an indirect table; throws without VIRTIO_F_INDIRECT_DESC or tables. */
  addIndirect(segments: SegmentList, token: number): number;
  /** Makes everything added since the last call available: at most one published word. @hot */
  publish(): void;
  /** True when the device wants a kick for what was published since the last call. In a later run than `publish`. */
  shouldKick(): boolean;

  /** True when `popUsed` would return something (a broken ring included: popping finds out). */
  hasUsed(): boolean;
  /** Takes back at most `max` used buffers into `out`, whose old contents go; returns how many. @hot */
  popUsed(out: UsedBatch, max: number): number;

  /** Asks for an interrupt at the next used buffer. Re-check `hasUsed` in a later run. */
  enableInterrupts(): void;
  /**
   * Asks for an interrupt once `n` more buffers are used (packed: once that many descriptors are), at most all that
   * are in flight. Without VIRTIO_F_EVENT_IDX the same as `enableInterrupts`.
   */
  enableInterruptsAfter(n: number): void;
  disableInterrupts(): void;

  /** The word for a kick with VIRTIO_F_NOTIFICATION_DATA. */
  notificationData(): number;
  /** Buffers not given back, oldest first, for resubmission; allocates. */
  outstanding(): OutstandingBuffer[];
  /**
   * Starts over after a queue reset (virtio 1.3, 2.6.1) once the device has confirmed it: all buffers are
   * forgotten, the areas are zeroed and published.
   */
  reset(): void;
  /**
   * Ring position. Split: available index, used index in the high half. Packed: bits 0-14 available slot, 15 its
   * wrap counter, 16-30 used slot, 31 its wrap counter.
   */
  saveBase(): number;
  /**
   * Goes to a saved position. Throws while buffers are in flight, and for a position at which some were. The next
   * `shouldKick` with work says yes.
   */
  restoreBase(base: number): void;

  /**
   * The driver goes on with a copy of its memory: every area lies `byBytes` (a multiple of 4096, may be negative) further
   * in the same arena, and `publisher` publishes there. Nothing may be added and not published; a kick that is due is
   * still due. Throws otherwise.
   */
  moveTo(publisher: Publisher, byBytes: number): void;
}
