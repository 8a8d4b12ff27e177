/** What became of frames. Every frame that came is one of `received`, `corrupted` and `foreign`. */
export interface VerifyCounts {
  /** Frames that are as they were sent; those that came again included. */
  received: number;
  /** Sequences that never came intact; where frames were `beyond`, up to as many of them may not be lost after all. */
  lost: number;
  /** Came again. */
  duplicated: number;
  /** Came, for the first time, after a higher sequence of the same flow (RFC 4737, type-P-reordered). */
  reordered: number;
  /** As far behind as the window or further: late or duplicated, which cannot be said. */
  beyond: number;
  /** Frames of the stream that are not as they were sent; their sequences are missing, so they are lost as well. */
  corrupted: number;
  /** Frames of nobody's, or of another stream's; 0 for a flow, which has none. */
  foreign: number;
  /** Furthest that a frame lay behind the highest of its flow, in sequences: what the window should exceed. */
  furthestBehind: number;
}

/** Counts of a checker as plain data that a worker thread can post; arrays are by flow. */
export interface VerifyTally {
  window: number;
  foreign: number;
  /** Damaged frames whose flow cannot be believed; not in `flows`. */
  corruptedOfNoFlow: number;
  /** Per flow: one above the highest sequence, and counts as in `VerifyCounts`. `distinct`: first comings. */
  next: Float64Array;
  distinct: Float64Array;
  duplicated: Float64Array;
  reordered: Float64Array;
  beyond: Float64Array;
  corrupted: Float64Array;
  furthestBehind: Float64Array;
}

const SUMMED = ['distinct', 'duplicated', 'reordered', 'beyond', 'corrupted'] as const;
const HIGHEST = ['next', 'furthestBehind'] as const;

/**
 * The tallies of several checkers of one stream together. Exact if each flow went to one of them; where a flow was
 * spread over several, `reordered` is within each and a frame that came again at another one goes unnoticed. Throws
 * a RangeError when their numbers of flows differ, or there is none.
 */
export function mergeTallies(tallies: readonly VerifyTally[]): VerifyTally {
  const [first, ...others] = tallies;
  if (first === undefined) throw new RangeError('there is no tally to merge');
  const merged = structuredClone(first);
  for (const other of others) {
    if (other.next.length !== merged.next.length)
      throw new RangeError(
        `tallies of ${merged.next.length} and ${other.next.length} flows do not go together`,
      );
    merged.window = Math.min(merged.window, other.window);
    merged.foreign += other.foreign;
    merged.corruptedOfNoFlow += other.corruptedOfNoFlow;
    for (let flow = 0; flow < merged.next.length; flow++) {
      for (const name of SUMMED) merged[name][flow] += other[name][flow];
      for (const name of HIGHEST) merged[name][flow] = Math.max(merged[name][flow], other[name][flow]);
    }
  }
  return merged;
}

/**
 * The counts of one flow. `sent`: frames of each flow that were sent; without it a flow is taken to have ended with the
 * highest sequence that came.
 */
export function flowCounts(tally: VerifyTally, flow: number, sent?: ArrayLike<number>): VerifyCounts {
  const distinct = tally.distinct[flow];
  const expected = Math.max(tally.next[flow], sent?.[flow] ?? 0);
  return {
    received: distinct + tally.duplicated[flow] + tally.beyond[flow],
    lost: Math.max(0, expected - distinct),
    duplicated: tally.duplicated[flow],
    reordered: tally.reordered[flow],
    beyond: tally.beyond[flow],
    corrupted: tally.corrupted[flow],
    foreign: 0,
    furthestBehind: tally.furthestBehind[flow],
  };
}

/** The counts of all flows together, and what belongs to none. `sent` as for `flowCounts`. */
export function totalCounts(tally: VerifyTally, sent?: ArrayLike<number>): VerifyCounts {
  const total: VerifyCounts = {
    received: 0,
    lost: 0,
    duplicated: 0,
    reordered: 0,
    beyond: 0,
    corrupted: tally.corruptedOfNoFlow,
    foreign: tally.foreign,
    furthestBehind: 0,
  };
  for (let flow = 0; flow < tally.next.length; flow++) {
    const counts = flowCounts(tally, flow, sent);
    for (const name of ['received', 'lost', 'duplicated', 'reordered', 'beyond', 'corrupted'] as const)
      total[name] += counts[name];
    total.furthestBehind = Math.max(total.furthestBehind, counts.furthestBehind);
  }
  return total;
}
