import { type CheckResult, deathsOf, expectedFailuresOf, isFailure, isOk, type Report } from './report.ts';
import { VERDICTS } from './verdict.ts';

function xmlText(text: string): string {
  return (
    text
      .replaceAll('&', '&amp;')
      .replaceAll('<', '&lt;')
      .replaceAll('>', '&gt;')
      .replaceAll('"', '&quot;')
      // what XML 1.0 has no way to write: most control characters, halves of surrogate pairs, two of the last
      // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
      .replaceAll(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]|\p{Surrogate}/gu, '?')
  );
}

function testCase(result: CheckResult): string {
  const { check, verdict, observed, durationMs } = result;
  const group = check.id.split('.')[0];
  const name = `name="${xmlText(check.id)}" classname="vhost-user.${group}" time="${(durationMs / 1000).toFixed(3)}"`;
  const text = xmlText(`${VERDICTS[verdict]}: ${observed}`);
  const body = xmlText(`${check.title}\n${check.requirement}\n${check.clause} (${check.basis})`);
  if (verdict === 'not-claimed' && !isFailure(result)) {
    return `    <testcase ${name}><skipped message="${text}"/></testcase>`;
  }
  if (!isFailure(result) && !isOk(check, result)) {
    const why = xmlText(`as expected (${result.expected}): `);
    return `    <testcase ${name}><skipped message="${why}${text}"/></testcase>`;
  }
  if (verdict === 'died') return `    <testcase ${name}><error message="${text}">${body}</error></testcase>`;
  if (isFailure(result))
    return `    <testcase ${name}><failure message="${text}">${body}</failure></testcase>`;
  return `    <testcase ${name}><system-out>${text}</system-out></testcase>`;
}

/** The report as JUnit XML: one test case per check; `not claimed` and expected failures are skipped, a death is an error. */
export function junitXml(report: Report, name: string): string {
  const { results, failures, notRun } = report;
  const deaths = deathsOf(report);
  const time = results.reduce((sum, { durationMs }) => sum + durationMs, 0) / 1000;
  const notClaimed = results.filter(({ verdict, ok }) => verdict === 'not-claimed' && ok).length;
  const skipped = notClaimed + expectedFailuresOf(report).length + notRun.length;
  const head = [
    `name="${xmlText(name)}"`,
    `tests="${results.length + notRun.length}"`,
    `failures="${failures - deaths}"`,
    `errors="${deaths}"`,
    `skipped="${skipped}"`,
    `time="${time.toFixed(3)}"`,
  ].join(' ');
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    '<testsuites>',
    `  <testsuite ${head}>`,
    ...results.map(testCase),
    ...notRun.map(
      (id) =>
        `    <testcase name="${xmlText(id)}" classname="vhost-user.${id.split('.')[0]}" time="0"><skipped message="not run: the peer had died"/></testcase>`,
    ),
    '  </testsuite>',
    '</testsuites>',
    '',
  ].join('\n');
}
