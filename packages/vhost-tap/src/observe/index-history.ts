/** How often an index has to be seen at rest before a step back counts. */
const CONFIRMATIONS = 2;

/**
 * Tells a free-running 16-bit index that went back from one that went almost once around. While the other side's index
 * rests, an index that comes closer to it by going "forward" has either gone back or brought 2^16 buffers through the
 * ring; the second needs the resting index to come to the very same value, so rest over several samples decides.
 */
export class StepBack {
  #anchor = -1;
  #from = 0;
  #to = 0;
  #seen = 0;

  /**
   * `anchor`: the other side's index. `distance` and `before`: how far the index is from it, now and in the sample
   * before, when the anchor had the same value (`rested`). Answers true once when a step back is certain.
   */
  look(anchor: number, rested: boolean, before: number, distance: number): boolean {
    if (!rested) {
      this.#anchor = -1;
      return false;
    }
    if (distance < before) {
      this.#anchor = anchor;
      this.#from = before;
      this.#to = distance;
      this.#seen = 0;
      return false;
    }
    if (this.#anchor !== anchor) return false;
    if (++this.#seen < CONFIRMATIONS) return false;
    this.#anchor = -1;
    return true;
  }

  /** True while a step back is possible and not certain. */
  get isSuspected(): boolean {
    return this.#anchor >= 0;
  }

  /** Steps that it went back. */
  get steps(): number {
    return this.#from - this.#to;
  }
}
