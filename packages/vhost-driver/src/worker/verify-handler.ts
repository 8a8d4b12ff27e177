import { VerifyChecker } from '@vhostlab/workload';
import type { AppReport } from './app.ts';
import type { FrameHandler } from './frame-handler.ts';
import type { ReceiveSide } from './receive-side.ts';

/** Checks every frame, and counts what became of those of the stream. */
export class VerifyHandler implements FrameHandler {
  readonly #u8: Uint8Array;
  readonly #checker: VerifyChecker;

  /** `u8`: the arena. Throws a RangeError for a number of flows that cannot be checked. */
  constructor(u8: Uint8Array, streamId: number, flows: number) {
    this.#u8 = u8;
    this.#checker = new VerifyChecker({ streamId, flows });
  }

  take(rx: ReceiveSide): void {
    const { count, length } = rx.frames;
    for (let f = 0; f < count; f++) this.#checker.check(this.#u8, rx.contiguous(f), length[f]);
  }

  report(): AppReport {
    return { tally: this.#checker.tally() };
  }
}
