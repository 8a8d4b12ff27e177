import type { RingViolation } from './rules.ts';

/** What one look at a ring has shown. One object per observer, filled again by every sample. */
export interface RingSample {
  readonly isPacked: boolean;
  /**
   * Place of the driver and of the device. Split: the two indices, 0 to 65535. Packed: bits 0 to 14 the next descriptor,
   * bit 15 its wrap counter; the device's is -1 while it cannot be told.
   */
  avail: number;
  used: number;
  /**
   * Steps since the last sample: buffers of a split ring (modulo 2^16), descriptors of a packed one (modulo twice its
   * size; -1 where the place is unknown).
   */
  availSteps: number;
  usedSteps: number;
  /** How many of the steps went by without being looked at. */
  availMissed: number;
  usedMissed: number;
  /**
   * Flags of both sides; split: 0 or 1, packed: 0 to 3. Event words: split `used_event` and `avail_event`, packed
   * `off_wrap`; -1 where the ring has none.
   */
  driverFlags: number;
  driverEvent: number;
  deviceFlags: number;
  deviceEvent: number;
  /** True when anything above differs from the sample before. */
  changed: boolean;
  /** Rules found broken in this sample; a condition that lasts is reported once. */
  violations: RingViolation[];
}

/** A sample of nothing. */
export function emptySample(isPacked: boolean): RingSample {
  return {
    isPacked,
    avail: -1,
    used: -1,
    availSteps: 0,
    usedSteps: 0,
    availMissed: 0,
    usedMissed: 0,
    driverFlags: -1,
    driverEvent: -1,
    deviceFlags: -1,
    deviceEvent: -1,
    changed: false,
    violations: [],
  };
}

/** What an observer has seen since it was made. */
export interface ObserverTotals {
  samples: number;
  availSteps: number;
  availMissed: number;
  usedSteps: number;
  usedMissed: number;
  /**
   * Samples with steps, so long after the one before that the places may have come around meanwhile: when there are
   * any, the ring has gone at least so many steps.
   */
  longIntervals: number;
  /** Chains followed and checked. */
  chains: number;
  /** Suspicions that could not be told from a race, so nothing was said. */
  unproven: number;
  violations: number;
}

/** Looks at one ring without changing anything. */
export interface RingObserver {
  readonly sampleNow: RingSample;
  readonly totals: ObserverTotals;
  /** One look; `nowNs`: monotonic time. Returns `sampleNow`. @hot */
  sample(nowNs: number): RingSample;
}
