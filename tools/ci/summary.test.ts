import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { countStep } from './summary.ts';

describe('the summary of .ci/run', () => {
  it('counts a step without a report as one test', () => {
    expect(countStep(0, null)).toEqual({ passed: 1, failed: 0 });
    expect(countStep(7, null)).toEqual({ passed: 0, failed: 1 });
  });

  it('counts the tests of a vitest report, skipped ones as failed', () => {
    const report = JSON.stringify({
      numPassedTests: 2,
      testResults: [
        { status: 'passed', assertionResults: [{ status: 'passed' }, { status: 'skipped' }] },
        { status: 'failed', assertionResults: [{ status: 'passed' }, { status: 'failed' }] },
      ],
    });
    expect(countStep(1, report)).toEqual({ passed: 2, failed: 2 });
  });

  it('counts a file that did not load, and a failure that no report shows', () => {
    const unloaded = JSON.stringify({
      numPassedTests: 0,
      testResults: [{ status: 'failed', assertionResults: [] }],
    });
    expect(countStep(1, unloaded)).toEqual({ passed: 0, failed: 1 });
    expect(countStep(1, JSON.stringify({ passed: 9, failed: 0 }))).toEqual({ passed: 9, failed: 1 });
    expect(countStep(124, JSON.stringify({ numPassedTests: 3, testResults: [] }))).toEqual({
      passed: 3,
      failed: 1,
    });
  });

  it('ends with the sum alone on the last line and fails if anything failed', () => {
    const folder = mkdtempSync(join(tmpdir(), 'vhostlab-ci-'));
    try {
      writeFileSync(join(folder, 'steps'), 'check 0\npage 1\n');
      writeFileSync(join(folder, 'check.json'), '{"passed":11,"failed":0}');
      const run = () =>
        spawnSync(process.execPath, [join(import.meta.dirname, 'summary.ts'), folder], { encoding: 'utf8' });
      expect(run()).toMatchObject({ status: 1, stdout: expect.stringMatching(/\n11 passed, 1 failed\n$/) });
      writeFileSync(join(folder, 'steps'), 'check 0\npage 0\n');
      expect(run()).toMatchObject({ status: 0, stdout: expect.stringMatching(/\n12 passed, 0 failed\n$/) });
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
