import { DEFAULT_ENDPOINTS, type Endpoints } from '../endpoints.ts';
import { MAX_FLOWS } from '../flows.ts';
import { INSPECTED_FOREIGN, INSPECTED_INTACT, VerifyFormat } from './frame-format.ts';
import { LatencyStamp } from './latency-stamp.ts';
import {
  isSequence,
  SEQUENCE_AGAIN,
  SEQUENCE_BEYOND,
  SEQUENCE_LATE,
  SequenceWindows,
} from './sequence-windows.ts';
import { totalCounts, type VerifyCounts, type VerifyTally } from './verify-counts.ts';

/** What a frame was found to be. The first two came for the first time. */
export const VERIFY_IN_ORDER = 0;
export const VERIFY_REORDERED = 1;
export const VERIFY_DUPLICATED = 2;
/** Behind the window: late or duplicated. */
export const VERIFY_BEYOND = 3;
export const VERIFY_CORRUPTED = 4;
export const VERIFY_FOREIGN = 5;

const DEFAULT_WINDOW = 4096;
const MOST_WINDOW_BYTES = 2 ** 28;

/** Which frames a `VerifyChecker` expects. */
export interface VerifyCheckerOptions {
  /** As the source has it. */
  streamId: number;
  /** Flows of the stream; intact frames of others are foreign. */
  flows: number;
  endpoints?: Partial<Endpoints>;
  /** Sequences of a flow that are remembered: a power of two, at least 32. Default 4096. */
  window?: number;
}

/**
 * Counts what became of the frames of a `VerifySource`: lost, duplicated, reordered, corrupted, and frames that are not
 * of the stream. Memory is one bit per flow and sequence of the window, and does not grow. No frame that a peer can
 * make throws, and none costs more than its length and the window.
 */
export class VerifyChecker {
  /** Of the frame checked last, if it was intact: its flow, and whether it carries a time. */
  flow = 0;
  isStamped = false;
  /** The time that the last intact frame with one carries. */
  readonly stamp = new LatencyStamp();
  readonly #format: VerifyFormat;
  readonly #windows: SequenceWindows;
  readonly #distinct: Float64Array;
  readonly #duplicated: Float64Array;
  readonly #reordered: Float64Array;
  readonly #beyond: Float64Array;
  readonly #corrupted: Float64Array;
  readonly #furthestBehind: Float64Array;
  /** Frames of no flow: damaged ones, foreign ones. */
  readonly #others = new Float64Array(2);

  /** Throws a RangeError for numbers out of range, and for windows that need more than 256 MiB together. */
  constructor({ streamId, flows, endpoints, window = DEFAULT_WINDOW }: VerifyCheckerOptions) {
    if (!Number.isSafeInteger(flows) || flows < 1 || flows > MAX_FLOWS)
      throw new RangeError(`${flows} flows: a whole number from 1 to ${MAX_FLOWS} is needed`);
    if (!Number.isSafeInteger(window) || window < 32 || window > 2 ** 30 || (window & (window - 1)) !== 0)
      throw new RangeError(`a window of ${window} sequences: a power of two from 32 to 2^30 is needed`);
    if ((flows * window) / 8 > MOST_WINDOW_BYTES) {
      throw new RangeError(
        `${flows} flows with a window of ${window} sequences need ${(flows * window) / 8} bytes; at most 256 MiB go, choose fewer flows or a smaller window`,
      );
    }
    this.#format = new VerifyFormat({ endpoints: { ...DEFAULT_ENDPOINTS, ...endpoints }, streamId });
    this.#windows = new SequenceWindows(flows, window);
    this.#distinct = new Float64Array(flows);
    this.#duplicated = new Float64Array(flows);
    this.#reordered = new Float64Array(flows);
    this.#beyond = new Float64Array(flows);
    this.#corrupted = new Float64Array(flows);
    this.#furthestBehind = new Float64Array(flows);
  }

  /** Checks the frame of `length` bytes at `offset`, counts it, and answers a `VERIFY_` value. */
  check(u8: Uint8Array, offset: number, length: number): number {
    const format = this.#format;
    const found = format.inspect(u8, offset, length);
    if (found === INSPECTED_FOREIGN) return this.#foreign();
    const flow = format.flow;
    const isOurFlow = flow >= 0 && flow < this.#distinct.length;
    if (found !== INSPECTED_INTACT) {
      if (format.isFlowConfirmed && isOurFlow) this.#corrupted[flow]++;
      else this.#others[0]++;
      return VERIFY_CORRUPTED;
    }
    if (!isOurFlow || !isSequence(format.high)) return this.#foreign();
    this.flow = flow;
    this.isStamped = format.isStamped;
    if (format.isStamped) {
      this.stamp.high = format.timeHigh;
      this.stamp.low = format.timeLow;
    }
    return this.#place(flow, this.#windows.take(flow, format.high, format.low));
  }

  /** Checks `count` frames, whose offsets and lengths stand in two arrays. */
  checkBurst(u8: Uint8Array, offsets: ArrayLike<number>, lengths: ArrayLike<number>, count: number): void {
    for (let i = 0; i < count; i++) this.check(u8, offsets[i], lengths[i]);
  }

  /** The counts so far. `sent`: `VerifySource.sent`, without which frames lost at the end go unnoticed. */
  counts(sent?: ArrayLike<number>): VerifyCounts {
    return totalCounts(this.tally(), sent);
  }

  /** The counts so far by flow, as plain data; for `mergeTallies`, `flowCounts` and `totalCounts`. */
  tally(): VerifyTally {
    return {
      window: this.#windows.window,
      foreign: this.#others[1],
      corruptedOfNoFlow: this.#others[0],
      next: this.#windows.next.slice(),
      distinct: this.#distinct.slice(),
      duplicated: this.#duplicated.slice(),
      reordered: this.#reordered.slice(),
      beyond: this.#beyond.slice(),
      corrupted: this.#corrupted.slice(),
      furthestBehind: this.#furthestBehind.slice(),
    };
  }

  #place(flow: number, place: number): number {
    const { behind } = this.#windows;
    if (behind > this.#furthestBehind[flow]) this.#furthestBehind[flow] = behind;
    if (place === SEQUENCE_AGAIN) {
      this.#duplicated[flow]++;
      return VERIFY_DUPLICATED;
    }
    if (place === SEQUENCE_BEYOND) {
      this.#beyond[flow]++;
      return VERIFY_BEYOND;
    }
    this.#distinct[flow]++;
    if (place !== SEQUENCE_LATE) return VERIFY_IN_ORDER;
    this.#reordered[flow]++;
    return VERIFY_REORDERED;
  }

  #foreign(): number {
    this.#others[1]++;
    return VERIFY_FOREIGN;
  }
}
