import type { CheckInfo } from '../check.ts';
import type { Outcome, Verdict } from './verdict.ts';

/** One check and what it found. */
export interface CheckResult extends Outcome {
  readonly check: CheckInfo;
  /** False when it counts as a failure. */
  readonly ok: boolean;
  readonly durationMs: number;
  /** Why it was expected to be so; absent where nothing was said of the check. */
  readonly expected?: string;
}

/** What the peer said of itself at the start. */
export interface PeerFacts {
  readonly role: 'back end' | 'front end';
  /** Feature words, as hexadecimal numbers. */
  readonly features: string;
  readonly protocolFeatures: string;
  readonly queuePairs: number;
  /** It uses the buffers of a transmit queue. */
  readonly transmits: boolean;
  /** It gives frames that it gets back to the guest. */
  readonly echoes: boolean;
}

/** All that a run found. */
export interface Report {
  readonly peer: PeerFacts | null;
  readonly results: readonly CheckResult[];
  readonly counts: Readonly<Record<Verdict, number>>;
  /** Results that count as failures. */
  readonly failures: number;
  /** Checks that did not run, because the peer served nobody any more. */
  readonly notRun: readonly string[];
}

/** True unless the verdict counts against the peer. */
export function isOk(check: CheckInfo, { verdict }: Outcome): boolean {
  return verdict === 'passed' || verdict === 'not-claimed' || (verdict === 'disconnected' && check.mayClose);
}

/** True when a result counts as a failure. */
export function isFailure({ ok }: CheckResult): boolean {
  return !ok;
}

/** The report as plain data: checks by their ids and words, not by their functions. */
export function reportJson({ peer, results, counts, failures, notRun }: Report): object {
  return {
    peer,
    counts,
    failures,
    notRun,
    results: results.map(({ check, verdict, observed, ok, durationMs, expected }) => {
      const { id, title, item, clause, basis, requirement } = check;
      const ms = Math.round(durationMs * 10) / 10;
      return { id, title, item, clause, basis, requirement, verdict, observed, ok, expected, durationMs: ms };
    }),
  };
}

/** Counts what was found. */
export function makeReport(
  peer: PeerFacts | null,
  results: readonly CheckResult[],
  notRun: readonly string[],
): Report {
  const counts: Record<Verdict, number> = {
    passed: 0,
    failed: 0,
    'claimed-failed': 0,
    'not-claimed': 0,
    died: 0,
    disconnected: 0,
    acknowledged: 0,
  };
  for (const { verdict } of results) counts[verdict]++;
  return { peer, results, counts, failures: results.filter(({ ok }) => !ok).length, notRun };
}

/** Results in which the peer died although nobody expected it. */
export function deathsOf({ results }: Report): number {
  return results.filter(({ verdict, ok }) => verdict === 'died' && !ok).length;
}

/** Results that are no failures only because they were expected. */
export function expectedFailuresOf({ results }: Report): readonly CheckResult[] {
  return results.filter(({ check, verdict, observed, ok }) => ok && !isOk(check, { verdict, observed }));
}

/** 0 no failure, 1 failures, 3 the peer died; what was expected is no failure. */
export function exitStatus(report: Report): 0 | 1 | 3 {
  if (deathsOf(report) > 0 || report.notRun.length > 0) return 3;
  return report.failures > 0 ? 1 : 0;
}
