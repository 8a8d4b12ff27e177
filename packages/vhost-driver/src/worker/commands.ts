import type { RingRestart } from '../options.ts';
import type { AppReport } from './app.ts';
import type { Agreement } from './plan.ts';

/** Eventfds of a ring as a worker needs them: numbers of this process, which stay the main thread's. */
export interface RingFds {
  readonly index: number;
  readonly kick: number;
  readonly call: number;
}

/** What the main thread asks of a worker. */
export type WorkerCommand =
  /** Makes rings and apps; once. */
  | { readonly kind: 'configure'; readonly agreement: Agreement }
  /** A back end is there: rings are used from now on. */
  | { readonly kind: 'attach'; readonly rings: readonly RingFds[] }
  /** The back end is gone or stopped: takes what is used already, then leaves the rings alone. */
  | { readonly kind: 'detach' }
  /** Answered with true when no ring is broken. */
  | { readonly kind: 'sound' }
  /** Leaves the rings as they are for another back end that knows what was in flight. Answered with RingRestart[]. */
  | { readonly kind: 'keep' }
  /** Prepares the rings for another back end. Answered with RingRestart[]. */
  | { readonly kind: 'rewind'; readonly agreement: Agreement }
  /** Nothing new is sent. */
  | { readonly kind: 'finish' }
  /** Answered with AppReport[], one per pair. */
  | { readonly kind: 'report' }
  | { readonly kind: 'quit' };

/** What a worker tells by itself. */
export type WorkerNote =
  /** Nothing is left to do. `finishes`: how many `finish` it had been told before. */
  | { readonly kind: 'done'; readonly finishes: number }
  | { readonly kind: 'broken'; readonly queue: number; readonly violation: string };

export type { AppReport, RingRestart };
