import type { AppReport } from './app.ts';
import type { ReceiveSide } from './receive-side.ts';

/** What becomes of received frames before their buffers are posted again. */
export interface FrameHandler {
  /** Handles all frames of the last poll. */
  take(rx: ReceiveSide): void;
  report(): AppReport;
}

/** Leaves frames alone: they are counted by the receive side. */
export class CountingHandler implements FrameHandler {
  take(_rx: ReceiveSide): void {}

  report(): AppReport {
    return {};
  }
}
