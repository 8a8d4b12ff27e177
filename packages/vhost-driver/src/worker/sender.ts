import type { AppReport } from './app.ts';
import type { TransmitSide } from './transmit-side.ts';

/** Where frames to send come from. */
export interface Sender {
  /** Puts at most `room` frames; answers how many. @hot */
  send(tx: TransmitSide, room: number): number;
  /** Every frame has been put. */
  readonly isDone: boolean;
  /** Milliseconds until the next frame is due; 0 when one is, -1 when none will be. */
  waitMs(): number;
  report(): AppReport;
}
