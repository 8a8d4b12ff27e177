import type { Outcome } from './report/verdict.ts';

/** Ends a check from anywhere with its outcome: the peer did not even do what comes before the matter itself. */
export class CheckEnded extends Error {
  readonly outcome: Outcome;

  constructor(outcome: Outcome) {
    super(outcome.observed);
    this.outcome = outcome;
  }
}

/** Ends the check as failed. */
export function fail(observed: string): never {
  throw new CheckEnded({ verdict: 'failed', observed });
}

/** Ends the check because the connection ended. */
export function disconnected(observed: string): never {
  throw new CheckEnded({ verdict: 'disconnected', observed });
}
