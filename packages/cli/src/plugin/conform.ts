import { readFileSync, writeFileSync } from 'node:fs';
import type { PluginCheckResult, PluginReport } from '@vhostlab/plugin-kit';
import type { Command } from 'commander';
import { OperatorError } from '../errors.ts';
import type { Io } from '../io.ts';
import { addPluginFlags, optionsOf, type PluginFlags, placeOf } from '../plugin-flags.ts';

interface Flags extends PluginFlags {
  only: string[];
  expected?: string;
  json?: boolean;
  junit?: string;
  list?: boolean;
  verbose?: boolean;
}

/** The plugin did not pass. */
class PluginNotConformant extends Error {
  readonly exitCode = 1;
}

export const examples = [
  ['vhostlab plugin conform --package .', 'check a plugin against the contract'],
] as const;

/** Adds `vhostlab plugin conform`. */
export function register(group: Command, io: Io): void {
  addPluginFlags(group.command('conform'))
    .description('check a plugin against the contract: calls, bursts, data in a lab, schedules')
    .option('--only <ids>', 'checks by id, with * for anything; separated by commas', names, [])
    .option('--expected <file>', 'checks that may fail: a line each, its id and the reason')
    .option('--json', 'print the report as one JSON object')
    .option('--junit <file>', 'write the report as JUnit XML too')
    .option('--list', 'print every check and end')
    .option('--verbose', 'print every result, not only failures')
    .addHelpText(
      'after',
      '\nExit status: 0 no failure, 1 failures, 2 bad usage.\n\nExample:\n  vhostlab plugin conform --package . --junit report.xml',
    )
    .action((flags: Flags) => run(io, flags));
}

async function run(io: Io, flags: Flags): Promise<void> {
  const kit = await import('@vhostlab/plugin-kit');
  const chosen = select(() => kit.selectPluginChecks(flags.only));
  if (flags.list === true) {
    io.out(kit.pluginCheckList(chosen));
    return;
  }
  const expected =
    flags.expected === undefined
      ? new Map<string, string>()
      : kit.readExpectedFailures(file(flags.expected), flags.expected);
  const plugin = await kit.openPlugin(await placeOf(flags));
  let report: PluginReport;
  try {
    const options = optionsOf(flags);
    report = await kit.conformPlugin(plugin, {
      ...(options === undefined ? {} : { options }),
      only: flags.only,
      expected,
      onResult: (result: PluginCheckResult) => {
        if (flags.json === true) return;
        if (kit.isPluginFailure(result)) io.out(`${kit.pluginFailureText(result)}\n`);
        else if (flags.verbose === true) io.out(`${kit.pluginResultLine(result)}\n`);
      },
    });
  } finally {
    await plugin.close();
  }
  if (flags.junit !== undefined) write(flags.junit, kit.pluginJunit(report));
  if (flags.json === true) io.out(`${JSON.stringify(kit.pluginReportJson(report), null, 2)}\n`);
  else io.out(kit.pluginSummary(report));
  if (report.failures > 0) throw new PluginNotConformant(`${report.failures} checks failed`);
}

function select<T>(choose: () => T): T {
  try {
    return choose();
  } catch (error) {
    throw error instanceof RangeError ? new OperatorError(`--only: ${error.message}`) : error;
  }
}

function file(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new OperatorError(`--expected: ${(error as Error).message}`);
  }
}

function write(path: string, text: string): void {
  try {
    writeFileSync(path, text);
  } catch (error) {
    throw new OperatorError(`--junit: ${(error as Error).message}`);
  }
}

function names(text: string, before: string[]): string[] {
  return [...before, ...text.split(',').filter((name) => name !== '')];
}
