import type { CheckInfo } from '../check.ts';
import { type CheckResult, expectedFailuresOf, isFailure, type PeerFacts, type Report } from './report.ts';
import { VERDICTS, type Verdict } from './verdict.ts';

/** One result as a line: mark, id, verdict, what was seen. */
export function resultLine(result: CheckResult): string {
  const { check, verdict, observed } = result;
  const mark = verdict === 'not-claimed' ? '-' : isFailure(result) ? '✗' : '✓';
  return `${mark} ${check.id.padEnd(40)} ${VERDICTS[verdict]}: ${observed}`;
}

/** A failed result with what was required and by what. */
export function failureText(result: CheckResult): string {
  const { check } = result;
  const basis = check.basis === 'specification' ? check.clause : `${check.clause}; robustness`;
  return `${resultLine(result)}\n    ${check.title} (bad input ${check.item})\n    ${check.requirement}\n    ${basis}\n`;
}

/** What the peer said of itself. */
export function peerText(peer: PeerFacts): string {
  const { role, features, protocolFeatures, queuePairs, transmits, echoes } = peer;
  const does = transmits ? (echoes ? 'gives frames back' : 'takes frames') : 'uses no transmit buffers';
  return `${role}: features ${features}, protocol features ${protocolFeatures}, ${queuePairs} queue pairs, ${does}\n`;
}

/** How many checks ended how, one line for each verdict that occurred. */
export function summaryText(report: Report): string {
  const { results, counts, failures, notRun } = report;
  const lines = (Object.keys(VERDICTS) as Verdict[])
    .filter((verdict) => counts[verdict] > 0)
    .map((verdict) => `${String(counts[verdict]).padStart(5)}  ${VERDICTS[verdict]}`);
  if (notRun.length > 0)
    lines.push(`${String(notRun.length).padStart(5)}  not run, because the peer had died`);
  const allowed = results.filter(({ verdict, ok }) => verdict === 'disconnected' && ok).length;
  if (allowed > 0) lines.push(`       (${allowed} of the disconnections are an allowed refusal)`);
  const expected = expectedFailuresOf(report).length;
  if (expected > 0) lines.push(`       (${expected} of the failures were expected)`);
  if (failures === 0 && notRun.length === 0) lines.push('no failure');
  return `${lines.join('\n')}\n`;
}

/** The list of checks: id, bad input, what is done. */
export function listText(checks: readonly CheckInfo[]): string {
  return checks
    .map(
      ({ id, item, title, clause }) => `${id.padEnd(40)} ${String(item).padStart(2)}  ${title} (${clause})\n`,
    )
    .join('');
}
