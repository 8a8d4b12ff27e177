const WORD = 4294967296;
/** Sequences that a number holds exactly have fewer bits than this in their upper word. */
const HIGH_LIMIT = 2 ** 21;

/** What a sequence is to those that came before it in its flow. */
export const SEQUENCE_NEW = 0;
/** It came after a higher one, for the first time. */
export const SEQUENCE_LATE = 1;
export const SEQUENCE_AGAIN = 2;
/** So far behind the highest that it cannot be said whether it came before. */
export const SEQUENCE_BEYOND = 3;

/**
 * Which of the last `window` sequences of each flow have come, a bit each. The answer is exact for a sequence that is
 * less than `window` behind the highest of its flow.
 */
export class SequenceWindows {
  readonly window: number;
  /** By flow: one above the highest sequence that has come. */
  readonly next: Float64Array;
  /** How far the sequence taken last lay behind the highest of its flow; 0 for a new one. */
  behind = 0;
  /** One bit per sequence, at the sequence modulo the window; those not yet reached are of no meaning. */
  readonly #bits: Int32Array;
  readonly #mask: number;

  /** `window`: a power of two, at least 32. */
  constructor(flows: number, window: number) {
    this.window = window;
    this.next = new Float64Array(flows);
    this.#bits = new Int32Array((flows * window) / 32);
    this.#mask = window - 1;
  }

  /** Takes a sequence of two words and answers a `SEQUENCE_` value; the upper word is below 2^21. */
  take(flow: number, high: number, low: number): number {
    const next = this.next[flow];
    const sequence = high * WORD + (low >>> 0);
    const base = flow * this.window;
    const at = base + (low & this.#mask);
    const bit = 1 << (at & 31);
    this.behind = 0;
    if (sequence >= next) {
      if (sequence > next) this.#skip(base, next, sequence - next);
      this.#bits[at >>> 5] |= bit;
      this.next[flow] = sequence + 1;
      return SEQUENCE_NEW;
    }
    const behind = next - 1 - sequence;
    this.behind = behind;
    if (behind >= this.window) return SEQUENCE_BEYOND;
    if ((this.#bits[at >>> 5] & bit) !== 0) return SEQUENCE_AGAIN;
    this.#bits[at >>> 5] |= bit;
    return SEQUENCE_LATE;
  }

  /** Marks `count` sequences from `first` as not come; at most the whole window. */
  #skip(base: number, first: number, count: number): void {
    const bits = this.#bits;
    if (count >= this.window) {
      bits.fill(0, base >>> 5, (base + this.window) >>> 5);
      return;
    }
    let index = first & this.#mask;
    for (let left = count; left > 0; ) {
      const at = base + index;
      if ((index & 31) === 0 && left >= 32) {
        bits[at >>> 5] = 0;
        index += 32;
        left -= 32;
      } else {
        bits[at >>> 5] &= ~(1 << (at & 31));
        index++;
        left--;
      }
      index &= this.#mask;
    }
  }
}

/** Whether two words make a sequence that `SequenceWindows` can take. */
export function isSequence(high: number): boolean {
  return high >= 0 && high < HIGH_LIMIT;
}
