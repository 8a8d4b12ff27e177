import type { PeerControl } from '../bench/peer-control.ts';
import { CheckEnded } from '../check-ended.ts';
import type { Limits } from '../limits.ts';
import type { Outcome } from '../report/verdict.ts';

/** What a run of either role is told. */
export interface RunOptions {
  readonly socketPath: string;
  readonly control: PeerControl | null;
  /** Starts the peer anew for each check, or only when it has ended. */
  readonly restart: 'each' | 'ended';
  readonly limits: Limits;
  /** Repetitions of leak checks. */
  readonly repeats: number;
  /** False: the back end is of another device than net. */
  readonly isNetwork: boolean;
}

/** What ended a check; rethrows a fault of ours. */
export function outcomeOf(error: unknown): Outcome {
  if (error instanceof CheckEnded) return error.outcome;
  throw error;
}
