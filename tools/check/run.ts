import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { parseArgs } from 'node:util';
import { type Findings, type Step, workspaceSteps } from './steps.ts';

const USAGE = `npm run check [-- --only NAME,NAME] [--list] [--report FILE]

Runs every check of the workspace, one line each. All of them run even if one fails; the exit status is 1 then.
  --only NAME,NAME   run these only (names: --list)
  --list             print the names
  --report FILE      also write {"passed":N,"failed":N} to FILE`;

interface Outcome {
  readonly step: Step;
  readonly findings: Findings;
  readonly tookMs: number;
}

async function runStep(step: Step): Promise<Outcome> {
  const startMs = performance.now();
  const findings = await step.run().catch((error: unknown) => ({ errors: [String(error)] }));
  return { step, findings, tookMs: performance.now() - startMs };
}

function print({ step, findings, tookMs }: Outcome): void {
  const verdict = findings.errors.length === 0 ? 'ok  ' : 'FAIL';
  console.log(`${verdict}  ${step.name.padEnd(16)} ${(tookMs / 1000).toFixed(1).padStart(6)} s`);
  for (const error of findings.errors) {
    console.log(`      ${error}`);
  }
  for (const note of findings.notes ?? []) {
    console.log(`      note: ${note}`);
  }
}

/** Two steps at a time: the type checker and Biome fill two cores, the others are short. */
async function runAll(steps: readonly Step[]): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < steps.length) {
      const outcome = await runStep(steps[next++]!);
      outcomes.push(outcome);
      print(outcome);
    }
  };
  await Promise.all([worker(), worker()]);
  return outcomes;
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      only: { type: 'string' },
      list: { type: 'boolean' },
      report: { type: 'string' },
      help: { type: 'boolean' },
    },
  });
  if (values.help === true) {
    console.log(USAGE);
    return 0;
  }
  const steps = workspaceSteps(join(import.meta.dirname, '..', '..'));
  if (values.list === true) {
    console.log(steps.map((step) => step.name).join('\n'));
    return 0;
  }
  const wanted = values.only?.split(',');
  const unknown = wanted?.find((name) => !steps.some((step) => step.name === name));
  if (unknown !== undefined) {
    console.error(
      `check: there is no step "${unknown}"; names: ${steps.map((step) => step.name).join(', ')}`,
    );
    return 2;
  }
  const outcomes = await runAll(steps.filter((step) => wanted?.includes(step.name) ?? true));
  const failed = outcomes.filter(({ findings }) => findings.errors.length > 0).length;
  const passed = outcomes.length - failed;
  if (values.report !== undefined) {
    writeFileSync(values.report, `${JSON.stringify({ passed, failed })}\n`);
  }
  console.log(`check: ${passed} passed, ${failed} failed`);
  return failed === 0 ? 0 : 1;
}

try {
  process.exitCode = await main();
} catch (error) {
  console.error(`check: ${error instanceof Error ? error.message : String(error)}\n\n${USAGE}`);
  process.exitCode = 2;
}
