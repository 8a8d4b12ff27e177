import type { Arena } from '@vhostlab/memory';
import type { VerifyTally } from '@vhostlab/workload';
import type { Agreement, PairPlan, WorkerPlan } from './plan.ts';
import type { ReceiveSide } from './receive-side.ts';
import type { TransmitSide } from './transmit-side.ts';

/** What an app of one queue pair works with. */
export interface PairContext {
  readonly arena: Arena;
  readonly plan: WorkerPlan;
  readonly pair: PairPlan;
  /** Number of the pair among those of all workers. */
  readonly number: number;
  readonly agreement: Agreement;
  readonly rx: ReceiveSide;
  readonly tx: TransmitSide;
  /** Takes private memory of the thread; answers its arena offset. Throws when there is not enough. */
  scratch(bytes: number): number;
}

/** What one queue pair found out, as plain data. */
export interface AppReport {
  /** rr: HdrHistogram of nanoseconds, base64 as its own `encodeIntoCompressedBase64` makes it. */
  readonly histogram?: string;
  /** rr: requests without an answer in time; answers that came twice or late. */
  readonly lost?: number;
  readonly stray?: number;
  /** The capture file could not be written, and is not complete. */
  readonly captureFailed?: boolean;
  /** verify: what the checker counted by flow, and frames of each flow that were sent. */
  readonly tally?: VerifyTally;
  readonly sent?: Float64Array;
}

/** What a guest does with one queue pair. */
export interface App {
  /** One turn at the rings; true when there was something to do. */
  turn(): boolean;
  /** Only takes what the device has used: while no new frame may be sent. */
  collect(): boolean;
  /** Sends nothing new from now on. */
  finish(): void;
  /** Nothing is left to send, and the device has given all of it back. */
  readonly isDone: boolean;
  /** Waits for the transmitq to get room or to become empty, not only for frames. */
  readonly awaitsTx: boolean;
  /** Milliseconds until it has something to do by itself; -1: never. */
  waitMs(): number;
  report(): AppReport;
}
