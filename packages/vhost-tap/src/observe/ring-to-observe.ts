import type { FeatureSet } from '@vhostlab/virtio-net';
import type { RingFormat } from '@vhostlab/virtqueue';

/** Guest addresses as an observer needs them; an `AddressSpace` of package memory is one. */
export interface ObservedMemory {
  /** Arena offset of a range in one piece, or a number below 0. */
  translate(address: number, length: number, access: number): number;
  /** 0 when all of the range is mapped, in however many pieces, or a number below 0. */
  check(address: number, length: number, access: number): number;
}

/** Whose frames a queue carries. */
export type Direction = 'rx' | 'tx';

/** A ring and what was negotiated about it. */
export interface RingToObserve {
  /** Number of the queue on its device. */
  readonly queue: number;
  readonly format: RingFormat;
  /** Descriptors. */
  readonly size: number;
  /** Arena offsets of the three areas, aligned as the format needs it. */
  readonly descOffset: number;
  readonly driverOffset: number;
  readonly deviceOffset: number;
  readonly direction: Direction;
  /** Features that the driver has acknowledged. */
  readonly features: FeatureSet;
  /**
   * Number of SET_VRING_BASE with which the device has just started; undefined when the ring has been running for an
   * unknown time.
   */
  readonly base?: number;
  /**
   * False: not all of guest memory is known (I/O addresses whose translations the observer has not seen), so an
   * address without translation says nothing.
   */
  readonly knowsAllMemory: boolean;
}

/** What becomes of a frame that an observer has copied out of a ring. */
export interface FrameSink {
  /**
   * `bytes` of the frame without its virtio_net_hdr, valid during the call; `length`: of the whole frame, which
   * may be more than the copy has room for.
   */
  frame(queue: number, direction: Direction, bytes: Uint8Array, length: number): void;
}

/** How much work one sample may do. */
export interface ObserverLimits {
  /** Chains looked at per sample. */
  readonly maxChains: number;
  /** Entries of the available and the used ring read per sample to know exactly what is outstanding. */
  readonly maxEntries: number;
}

/** Limits that cost a few microseconds per sample. */
export const DEFAULT_LIMITS: ObserverLimits = { maxChains: 256, maxEntries: 1024 };
