/** What a check says of a peer. */
export const VERDICTS = {
  passed: 'required passed',
  failed: 'required failed',
  'claimed-failed': 'claimed and failed',
  'not-claimed': 'not claimed',
  died: 'peer died',
  disconnected: 'peer disconnected',
  acknowledged: 'peer acknowledged what it refused',
} as const;

/**
 * `passed`: it did what is required. `failed`: it did not. `claimed-failed`: it did not, although it offered the
 * protocol feature that the check is about. `not-claimed`: it does not offer what the check needs. `died`: it ended, or
 * serves nobody any more. `disconnected`: it closed the connection instead of answering, which is an allowed refusal for
 * some checks. `acknowledged`: it answered success to what it did not, or could not, carry out.
 */
export type Verdict = keyof typeof VERDICTS;

/** What one check found. */
export interface Outcome {
  readonly verdict: Verdict;
  /** What the peer did, in a few words: `reply 1, stays`. */
  readonly observed: string;
}

/** A verdict with what was seen. */
export function outcome(verdict: Verdict, observed: string): Outcome {
  return { verdict, observed };
}

export const passed = (observed: string): Outcome => ({ verdict: 'passed', observed });
export const failed = (observed: string): Outcome => ({ verdict: 'failed', observed });
export const notClaimed = (observed: string): Outcome => ({ verdict: 'not-claimed', observed });
