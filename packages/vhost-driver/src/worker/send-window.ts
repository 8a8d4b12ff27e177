import { monotonicMs } from '@vhostlab/host';
import { COUNTER, countersOf } from './counters.ts';

const PACKETS = COUNTER.packets;

/**
 * How many frames may be on their way at once, all queue pairs together: what was sent and has not come back, on whichever
 * queue. Frames that do not come back are given up after a while, so that a loss costs time and stops nothing.
 */
export class SendWindow {
  readonly #frames: number;
  readonly #patienceMs: number;
  /** Counters of all queues, receive queues at even places. */
  readonly #counters: readonly Float64Array[];
  /** Frames that are not waited for any more. */
  #givenUp = 0;
  #underWay = 0;
  #stuckSinceMs = -1;

  constructor(frames: number, patienceMs: number, counters: SharedArrayBuffer, pairs: number) {
    this.#frames = frames;
    this.#patienceMs = patienceMs;
    this.#counters = Array.from({ length: 2 * pairs }, (_, queue) => countersOf(counters, queue));
  }

  /** Frames that may be sent now. */
  room(): number {
    let sent = 0;
    let received = 0;
    const counters = this.#counters;
    for (let queue = 0; queue < counters.length; queue += 2) {
      received += counters[queue][PACKETS];
      sent += counters[queue + 1][PACKETS];
    }
    const underWay = sent - received - this.#givenUp;
    if (underWay < this.#frames) this.#stuckSinceMs = -1;
    else this.#wait(underWay);
    return Math.max(0, this.#frames - Math.max(0, sent - received - this.#givenUp));
  }

  /** Nothing fits: since when does nothing come? */
  #wait(underWay: number): void {
    const now = monotonicMs();
    if (this.#stuckSinceMs < 0 || underWay !== this.#underWay) {
      this.#stuckSinceMs = now;
      this.#underWay = underWay;
    } else if (now - this.#stuckSinceMs > this.#patienceMs) {
      this.#givenUp += underWay;
      this.#stuckSinceMs = -1;
    }
  }

  /** Milliseconds until frames are given up; only meaningful while there is no room. */
  waitMs(): number {
    if (this.#stuckSinceMs < 0) return 0;
    return Math.max(0, this.#patienceMs - (monotonicMs() - this.#stuckSinceMs)) + 1;
  }
}
