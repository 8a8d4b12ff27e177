import { XMLParser, XMLValidator } from 'fast-xml-parser';
import { describe, expect, it } from 'vitest';
import {
  type CheckResult,
  checksOf,
  type Expectation,
  exitStatus,
  failureText,
  junitXml,
  parseExpectations,
  reportJson,
  summaryText,
  VERDICTS,
  type Verdict,
} from '../src/index.ts';
import { compared } from '../src/report/expectations.ts';
import { isOk, makeReport } from '../src/report/report.ts';

const CHECKS = checksOf('back end');
const IDS = CHECKS.map(({ id }) => id);
const ALL = Object.keys(VERDICTS) as Verdict[];
/** What a peer may make this program write: every kind of byte that XML minds. */
const NASTY = 'a "reply" <of> & \u0001 \u001f \ud800 \ufffe ]]> 5\n6';

function result(at: number, verdict: Verdict): CheckResult {
  const check = CHECKS[at];
  const outcome = { verdict, observed: NASTY };
  return { check, ...outcome, ok: isOk(check, outcome), durationMs: 12.34 };
}

/** One check for each verdict. */
function reportOf(expectations: readonly Expectation[] = [], notRun: string[] = []) {
  const results = ALL.map((verdict, at) => compared(result(at, verdict), expectations));
  return makeReport(null, results, notRun);
}

function expectAll(): Expectation[] {
  return ALL.map((verdict, at) => ({ pattern: IDS[at], verdicts: [verdict], reason: 'it is <so>' }));
}

interface Suite {
  readonly testcase: readonly Record<string, unknown>[];
  readonly [name: string]: unknown;
}

function parsed(xml: string): Suite {
  expect(XMLValidator.validate(xml)).toBe(true);
  const parser = new XMLParser({ ignoreAttributes: false, attributeNamePrefix: '' });
  return parser.parse(xml).testsuites.testsuite as Suite;
}

describe('JUnit', () => {
  it.each([
    { what: 'no expectation', expectations: [], notRun: ['a.b'] },
    { what: 'expectations', expectations: expectAll(), notRun: [] },
  ])('is XML whose totals are those of its cases, with $what', ({ expectations, notRun }) => {
    const suite = parsed(junitXml(reportOf(expectations, notRun), NASTY));
    const count = (name: string) => suite.testcase.filter((one) => name in one).length;
    expect(suite.testcase).toHaveLength(ALL.length + notRun.length);
    expect(Number(suite.tests)).toBe(suite.testcase.length);
    for (const [total, name] of [
      ['failures', 'failure'],
      ['errors', 'error'],
      ['skipped', 'skipped'],
    ] as const) {
      expect(Number(suite[total]), total).toBe(count(name));
    }
    expect(suite.testcase.map(({ name }) => name).slice(0, 3)).toEqual(IDS.slice(0, 3));
  });

  it('shows clause, requirement and what was seen of a failure', () => {
    const suite = parsed(junitXml(reportOf(), 'x'));
    const failure = suite.testcase[ALL.indexOf('failed')].failure as Record<string, string>;
    expect(failure.message).toContain('required failed: a "reply" <of> &');
    expect(failure['#text']).toContain(CHECKS[1].clause);
    expect(failure['#text']).toContain(CHECKS[1].requirement);
  });
});

describe('JSON and text', () => {
  it('name check, clause and verdict', () => {
    const json = JSON.parse(JSON.stringify(reportJson(reportOf())));
    expect(json.results).toHaveLength(ALL.length);
    const [first] = CHECKS;
    expect(json.results[0]).toMatchObject({
      id: first.id,
      clause: first.clause,
      verdict: 'passed',
      ok: true,
    });
    expect(json.failures).toBe(json.results.filter(({ ok }: CheckResult) => !ok).length);
    const text = failureText(reportOf().results[1]);
    for (const part of [IDS[1], CHECKS[1].clause, 'required failed']) expect(text).toContain(part);
  });
});

describe('expectations', () => {
  const [one, two] = IDS;

  it('are read from lines, comments left out', () => {
    const text = `# known\n\n${one} died|failed  it is old\n  msg.* acknowledged a bug, #12\n`;
    expect(parseExpectations(text, IDS)).toEqual([
      { pattern: one, verdicts: ['died', 'failed'], reason: 'it is old' },
      { pattern: 'msg.*', verdicts: ['acknowledged'], reason: 'a bug, #12' },
    ]);
  });

  it.each([
    ['no reason', `${one} died`, 'line 1 is no "ID VERDICT REASON"'],
    ['an unknown verdict', `\n${one} dead it is`, 'line 2 has no verdict dead'],
    ['an unknown check', 'no.such died it is', 'line 1 names no check: no.such'],
  ])('with %s are refused in a sentence', (_what, text, sentence) => {
    expect(parseExpectations(text, IDS)).toContain(sentence);
  });

  it('turn what they name into no failure, and anything else of it into one', () => {
    const known = parseExpectations(`* failed all of it\n${two} died it does`, IDS) as Expectation[];
    expect(compared(result(0, 'failed'), known)).toMatchObject({ ok: true, expected: 'all of it' });
    expect(compared(result(1, 'died'), known)).toMatchObject({ ok: true, expected: 'it does' });
    const better = compared(result(1, 'passed'), known);
    expect(better.ok).toBe(false);
    expect(better.observed).toContain('expected was: peer died (it does)');
  });

  it('decide the exit status', () => {
    expect(exitStatus(reportOf())).toBe(3);
    expect(exitStatus(reportOf(expectAll()))).toBe(0);
    expect(exitStatus(reportOf(expectAll().filter(({ verdicts }) => verdicts[0] !== 'failed')))).toBe(1);
    expect(exitStatus(reportOf(expectAll(), [one]))).toBe(3);
    expect(summaryText(reportOf(expectAll()))).toContain('were expected');
  });
});
