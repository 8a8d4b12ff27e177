import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Tests of one step of `.ci/run`. */
export interface Count {
  readonly passed: number;
  readonly failed: number;
}

interface VitestReport {
  readonly numPassedTests: number;
  readonly testResults: readonly {
    readonly status: string;
    readonly assertionResults: readonly { readonly status: string }[];
  }[];
}

/**
 * Tests in a vitest JSON report. A file that failed without a failed test (it did not load, or a hook broke) counts
 * as one failed test; so does a test that is skipped or to do, because nothing is skipped in CI.
 */
export function countVitest(report: VitestReport): Count {
  let failed = 0;
  for (const file of report.testResults) {
    const notPassed = file.assertionResults.filter(({ status }) => status !== 'passed').length;
    failed += notPassed === 0 && file.status !== 'passed' ? 1 : notPassed;
  }
  return { passed: report.numPassedTests, failed };
}

/**
 * What a step counts for: its report if it left one (vitest's, or `{passed, failed}`), else one test. A step that
 * ended with a status other than 0 counts at least one failure, whatever its report says.
 */
export function countStep(status: number, report: string | null): Count {
  let count: Count = { passed: status === 0 ? 1 : 0, failed: 0 };
  if (report !== null) {
    const parsed = JSON.parse(report) as VitestReport | Count;
    count = 'testResults' in parsed ? countVitest(parsed) : parsed;
  }
  return { passed: count.passed, failed: status === 0 ? count.failed : Math.max(1, count.failed) };
}

/** Reads a results folder: `steps` holds lines "name status", `name.json` is the report of a step that has one. */
export function countFolder(folder: string): readonly (Count & { readonly name: string })[] {
  const lines = readFileSync(join(folder, 'steps'), 'utf8').trim().split('\n');
  return lines.map((line) => {
    const [name, status] = line.split(' ') as [string, string];
    const report = join(folder, `${name}.json`);
    const text = existsSync(report) ? readFileSync(report, 'utf8') : null;
    return { name, ...countStep(Number(status), text) };
  });
}

if (import.meta.main) {
  const counts = countFolder(process.argv[2]!);
  for (const { name, passed, failed } of counts) {
    console.log(
      `${name.padEnd(12)} ${String(passed).padStart(6)} passed ${String(failed).padStart(6)} failed`,
    );
  }
  const passed = counts.reduce((sum, count) => sum + count.passed, 0);
  const failed = counts.reduce((sum, count) => sum + count.failed, 0);
  console.log(`${passed} passed, ${failed} failed`);
  process.exitCode = failed === 0 ? 0 : 1;
}
