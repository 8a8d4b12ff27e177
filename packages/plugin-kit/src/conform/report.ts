import { type CheckInfo, VERDICTS, type Verdict } from './check.ts';
import { isPluginFailure, type PluginCheckResult, type PluginReport } from './run.ts';

/** One result as a line: mark, id, verdict, what was seen. */
export function pluginResultLine(result: PluginCheckResult): string {
  const { check, verdict, observed } = result;
  const mark = isPluginFailure(result) ? '✗' : verdict === 'passed' ? '✓' : '-';
  return `${mark} ${check.id.padEnd(24)} ${VERDICTS[verdict]}: ${observed}`;
}

/** A failed result with what was required. */
export function pluginFailureText(result: PluginCheckResult): string {
  return `${pluginResultLine(result)}\n    ${result.check.title}\n    ${result.check.requirement}`;
}

/** How many checks ended how. */
export function pluginSummary({ plugin, counts, failures }: PluginReport): string {
  const lines = (Object.keys(VERDICTS) as Verdict[])
    .filter((verdict) => counts[verdict] > 0)
    .map((verdict) => `${String(counts[verdict]).padStart(5)}  ${VERDICTS[verdict]}`);
  const end = failures === 0 ? ['no failure'] : [];
  return [`${plugin.name} (${plugin.depth} plugin): ${plugin.summary}`, ...lines, ...end, ''].join('\n');
}

/** The list of checks. */
export function pluginCheckList(checks: readonly CheckInfo[]): string {
  return checks.map(({ id, depth, title }) => `${id.padEnd(24)} ${depth.padEnd(7)} ${title}\n`).join('');
}

/** The report as plain data. */
export function pluginReportJson({ plugin, results, counts, failures }: PluginReport): object {
  return {
    plugin,
    counts,
    failures,
    results: results.map(({ check: { id, title, requirement, depth }, verdict, observed, durationMs }) => ({
      id,
      title,
      requirement,
      depth,
      verdict,
      observed,
      durationMs: Math.round(durationMs),
    })),
  };
}

/** The report as JUnit XML: `not claimed` and expected failures are skipped. */
export function pluginJunit({ plugin, results, failures, counts }: PluginReport): string {
  const skipped = counts['not-claimed'] + counts.expected;
  const seconds = results.reduce((sum, { durationMs }) => sum + durationMs, 0) / 1000;
  const cases = results.map((result) => {
    const { check, verdict, observed, durationMs } = result;
    const text = xml(`${VERDICTS[verdict]}: ${observed}`);
    const body = isPluginFailure(result)
      ? `<failure message="${text}">${xml(`${check.title}\n${check.requirement}`)}</failure>`
      : verdict === 'passed'
        ? `<system-out>${text}</system-out>`
        : `<skipped message="${text}"/>`;
    const time = (durationMs / 1000).toFixed(3);
    return `    <testcase name="${xml(check.id)}" classname="plugin.${check.id.split('.')[0]}" time="${time}">${body}</testcase>`;
  });
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    '<testsuites>',
    `  <testsuite name="${xml(plugin.name)}" tests="${results.length}" failures="${failures}" errors="0" skipped="${skipped}" time="${seconds.toFixed(3)}">`,
    ...cases,
    '  </testsuite>',
    '</testsuites>',
    '',
  ].join('\n');
}

function xml(text: string): string {
  return (
    text
      .replaceAll('&', '&amp;')
      .replaceAll('<', '&lt;')
      .replaceAll('>', '&gt;')
      .replaceAll('"', '&quot;')
      // biome-ignore lint/suspicious/noControlCharactersInRegex: XML 1.0 has no way to write these
      .replaceAll(/[\u0000-\u0008\u000b\u000c\u000e-\u001f]/g, '?')
  );
}
