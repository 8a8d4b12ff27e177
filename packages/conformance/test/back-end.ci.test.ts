import { expect, it } from 'vitest';
import { backEndChecks, failuresOf, runAgainst } from './support/run-mutant.ts';

it('our back end passes every check', async () => {
  const checks = backEndChecks();
  const report = await runAgainst(null, checks, 1000);
  expect(failuresOf(report)).toEqual([]);
  expect(report.results).toHaveLength(checks.length);
});
