import type { Meter } from '../api.ts';
import { OPS } from '../ops.ts';

/** The real clock's meter: counts operations and bytes. What they cost is measured, not charged. */
export class CountingMeter implements Meter {
  readonly counts = new Float64Array(OPS.length);
  readonly bytes = new Float64Array(OPS.length);

  charge(op: number, count: number, bytes: number): void {
    this.counts[op] += count;
    this.bytes[op] += bytes;
  }

  book(op: number, count: number, bytes: number): void {
    this.charge(op, count, bytes);
  }

  /** What was counted so far, by the name of the operation. */
  totals(): Record<string, { count: number; bytes: number }> {
    const totals: Record<string, { count: number; bytes: number }> = {};
    OPS.forEach(({ op }, i) => {
      if (this.counts[i] > 0) totals[op] = { count: this.counts[i], bytes: this.bytes[i] };
    });
    return totals;
  }
}
