import { NO_U16, NO_U32 } from './no-arrays.ts';

/** Buffers that `PlainRing.peek` found: struct of arrays in 32-bit numbers, filled again by every call. */
export class PlainBurst {
  readonly capacity: number = 0;
  count = 0;
  /**
   * Buffers that were visible in the ring, plain or not: 0 when there was none, or too few for a patient reader. Split rings count all of them, packed
   * rings no more than they looked at.
   */
  visible = 0;
  /** Head descriptor (split) or buffer id (packed). */
  readonly slot: Uint16Array = NO_U16;
  /** Arena offset and length of the buffer. */
  readonly offset: Uint32Array = NO_U32;
  readonly length: Uint32Array = NO_U32;

  constructor(capacity: number) {
    this.capacity = capacity;
    this.slot = new Uint16Array(capacity);
    this.offset = new Uint32Array(capacity);
    this.length = new Uint32Array(capacity);
  }
}

/** Which buffers a `PlainRing` takes for plain. */
export interface PlainRules {
  /** True: device-writable buffers (the guest's RX); false: device-readable ones. */
  readonly writable: boolean;
  /** Shortest and longest buffer, in bytes. */
  readonly minBytes: number;
  readonly maxBytes: number;
  /**
   * How often `peek` answers that nothing is there while fewer than asked for are: for a reader that polls without end.
   * In a packed ring the driver still writes the cache lines that hold its newest descriptors; a reader that takes each at
   * once makes both wait for the line. A split ring has an index to read instead, and ignores this. Default 0.
   */
  readonly patience?: number;
}

/**
 * The fast side of a device queue in memory that both sides share (a DirectPublisher): buffers of one descriptor that
 * lie in one region, looked at and completed within one step of the device, so that nothing is ever in flight. What is
 * not plain ends a burst untouched; `pop` and `publishUsed` of the device then read it from the start, with all their
 * checks. Both work on the device's position, so they may take turns, each with everything completed and published.
 */
export interface PlainRing {
  /**
   * Looks at up to `max` buffers from the position on, and stops at the first that is not plain, or names a slot twice.
   * Nothing is taken. Every word is read once. @hot
   */
  peek(burst: PlainBurst, max: number): number;
  /** Completes the first `count` buffers of the last peek with nothing written, and publishes. @hot */
  finishRead(burst: PlainBurst, count: number): void;
  /** The same with `written[i]` bytes, at least 1, written into buffer `i`. @hot */
  finishWritten(burst: PlainBurst, count: number, written: Uint32Array): void;
}
