import { describe, expect, it } from 'vitest';
import { exitStatus } from '../src/index.ts';
import { backEndChecks, failuresOf, runAgainst } from './support/run-mutant.ts';

/** One check in so many, so that all kinds are among them; `back-end.ci.test.ts` runs every one. */
const STRIDE = 7;

describe('our back end', () => {
  it('passes every seventh check', async () => {
    const checks = backEndChecks().filter(({ id }, at) => at % STRIDE === 0 && !/^(leak|storm)\./.test(id));
    const report = await runAgainst(null, checks);
    expect(failuresOf(report)).toEqual([]);
    expect(report.results).toHaveLength(checks.length);
    expect(report.counts['not-claimed']).toBe(0);
    expect(report.peer).toMatchObject({ transmits: true, echoes: true, queuePairs: 2 });
    expect(exitStatus(report)).toBe(0);
  });
});

describe('checks', () => {
  it('have ids of their own', () => {
    const ids = backEndChecks().map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
  });

  it('say what they do, what they require and why', () => {
    for (const { title, requirement, clause, item } of backEndChecks()) {
      for (const text of [title, requirement, clause]) expect(text.length).toBeGreaterThan(5);
      expect(item).toBeGreaterThan(0);
      expect(item).toBeLessThanOrEqual(36);
    }
  });
});
