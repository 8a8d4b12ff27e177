import { patternOf } from '../run/select.ts';
import type { CheckResult } from './report.ts';
import { VERDICTS, type Verdict } from './verdict.ts';

/** One line of a file of expectations. */
export interface Expectation {
  /** Id of a check, with `*` for any characters. */
  readonly pattern: string;
  /** Any of them is as expected. */
  readonly verdicts: readonly Verdict[];
  /** Why it is so: a clause, a bug report. */
  readonly reason: string;
}

/**
 * Reads a file of expectations: a line is `ID VERDICT[|VERDICT…] REASON`, `#` begins a comment. Answers one sentence
 * that names the line where it cannot be read, or where it names none of `ids`.
 */
export function parseExpectations(text: string, ids: readonly string[]): readonly Expectation[] | string {
  const expectations: Expectation[] = [];
  for (const [at, line] of text.split('\n').entries()) {
    const words = line.trim();
    if (words === '' || words.startsWith('#')) continue;
    const parsed = parseLine(words, ids);
    if (typeof parsed === 'string') return `line ${at + 1} ${parsed}`;
    expectations.push(parsed);
  }
  return expectations;
}

function parseLine(line: string, ids: readonly string[]): Expectation | string {
  const found = /^(\S+)\s+(\S+)\s+(\S.*)$/.exec(line);
  if (found === null) return `is no "ID VERDICT REASON": ${line}`;
  const [, pattern, words, reason] = found;
  const verdicts = words.split('|');
  const unknown = verdicts.find((word) => !Object.hasOwn(VERDICTS, word));
  if (unknown !== undefined) return `has no verdict ${unknown}: one of ${Object.keys(VERDICTS).join(', ')}`;
  const isMeant = patternOf(pattern);
  if (!ids.some((id) => isMeant.test(id))) return `names no check: ${pattern}`;
  return { pattern, verdicts: verdicts as Verdict[], reason };
}

/** The result as it counts beside what was expected of the check: the last line that names it says so. */
export function compared(result: CheckResult, expectations: readonly Expectation[]): CheckResult {
  const { check, verdict, observed } = result;
  const expected = expectations.findLast(({ pattern }) => patternOf(pattern).test(check.id));
  if (expected === undefined) return result;
  if (expected.verdicts.includes(verdict)) return { ...result, ok: true, expected: expected.reason };
  const wanted = expected.verdicts.map((one) => VERDICTS[one]).join(' or ');
  return { ...result, ok: false, observed: `${observed}; expected was: ${wanted} (${expected.reason})` };
}
