const WORD = 4294967296;

/**
 * A moment of the sender's monotonic clock in nanoseconds, as two words of 32 bits: what a frame carries so that its
 * round trip can be told. No comparison between clocks of different machines means anything.
 */
export class LatencyStamp {
  /** Upper and lower 32 bits; either sign, only the bits count. */
  high = 0;
  low = 0;

  /** Takes a moment: whole nanoseconds, 0 to 2^53. */
  setNs(ns: number): void {
    this.high = Math.floor(ns / WORD) | 0;
    this.low = ns | 0;
  }

  /** Nanoseconds from this moment to `now`, negative when `now` lies before it; exact below 2^53. */
  elapsedNs(now: LatencyStamp): number {
    return ((now.high >>> 0) - (this.high >>> 0)) * WORD + (now.low >>> 0) - (this.low >>> 0);
  }
}
