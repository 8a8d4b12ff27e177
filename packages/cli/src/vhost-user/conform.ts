import type { CheckInfo, CheckResult, ConformanceOptions, Expectation, Report } from '@vhostlab/conformance';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { OperatorError } from '../errors.ts';
import type { Io } from '../io.ts';

interface Flags {
  socketPath?: string;
  listen?: string;
  command?: string;
  restart: 'each' | 'ended';
  device: 'net' | 'other';
  only: string[];
  expect?: string;
  repeat: number;
  timeout: number;
  json?: boolean;
  junit?: string;
  list?: boolean;
  verbose?: boolean;
}

/** The peer did not pass. */
class ConformanceFailure extends Error {
  readonly exitCode: 1 | 3;

  constructor({ failures }: Report, deaths: number, exitCode: 1 | 3) {
    super(
      exitCode === 3
        ? `the peer died in ${deaths} checks; ${failures} failed in all`
        : `${failures} checks failed`,
    );
    this.exitCode = exitCode;
  }
}

type Conformance = typeof import('@vhostlab/conformance');

export const examples = [
  ['vhostlab vhost-user conform --socket-path /tmp/vu.sock', 'check a back end against the specification'],
] as const;

/** Adds `vhostlab vhost-user conform`. */
export function register(group: Command, io: Io): void {
  group
    .command('conform')
    .description('check a vhost-user peer against the specification, and see what hostile input does to it')
    .option('--socket-path <path>', 'socket of the back end under test')
    .option('--listen <path>', 'socket to listen at for the front end under test')
    .option('--command <line>', 'start the peer with this line of the shell; {socket} stands for the path')
    .addOption(
      new Option('--restart <when>', 'with --command: start it anew for each check, or after it has ended')
        .choices(['each', 'ended'])
        .default('each'),
    )
    .addOption(
      new Option('--device <kind>', 'rings are checked of a net device only')
        .choices(['net', 'other'])
        .default('net'),
    )
    .option('--only <ids>', 'checks by id, with * for anything, or item:N; separated by commas', names, [])
    .option('--expect <file>', 'verdicts that are known: lines of ID VERDICT[|VERDICT] REASON')
    .option('--repeat <n>', 'repetitions of the checks for leaks', positive, 1000)
    .option('--timeout <ms>', 'how long an answer may take', positive, 2000)
    .option('--json', 'print the report as one JSON object')
    .option('--junit <file>', 'write the report as JUnit XML too')
    .option('--list', 'print every check and end')
    .option('--verbose', 'print every result, not only failures')
    .addHelpText(
      'after',
      [
        '',
        'Exit status: 0 no failure, 1 failures, 2 bad usage, 3 the peer died. What --expect names fails where it is otherwise.',
        '',
        'Examples:',
        "  vhostlab vhost-user conform --socket-path /tmp/vu.sock --only 'mem.*,item:15'",
        "  vhostlab vhost-user conform --socket-path /tmp/vu.sock --command 'qemu-storage-daemon … addr.path={socket}'",
      ].join('\n'),
    )
    .action((flags: Flags) => run(io, flags));
}

async function run(io: Io, flags: Flags): Promise<void> {
  const conformance = await import('@vhostlab/conformance');
  const role = roleOf(flags);
  const chosen = conformance.selectChecks(conformance.checksOf(role), flags.only);
  if (typeof chosen === 'string') throw new OperatorError(chosen);
  if (flags.list === true) {
    io.out(flags.json === true ? listJson(chosen) : conformance.listText(chosen));
    return;
  }
  const expectations = await readExpectations(flags.expect, role, conformance);
  if (flags.junit !== undefined) await openJunit(flags.junit);
  const report = await check(io, flags, role, chosen, expectations, conformance);
  if (flags.junit !== undefined) {
    await writeJunit(flags.junit, conformance.junitXml(report, `vhost-user ${role}`));
  }
  if (flags.json === true) io.out(`${JSON.stringify(conformance.reportJson(report), null, 2)}\n`);
  else io.out(conformance.summaryText(report));
  const status = conformance.exitStatus(report);
  if (status !== 0) throw new ConformanceFailure(report, conformance.deathsOf(report), status);
}

/** Which end is under test. Only `--list` can do without a socket. */
function roleOf({ socketPath, listen, list }: Flags): CheckInfo['role'] {
  if (socketPath !== undefined && listen !== undefined) {
    throw new OperatorError('--socket-path tests a back end and --listen a front end; give one of them');
  }
  if (listen !== undefined) return 'front end';
  if (socketPath === undefined && list !== true) {
    throw new OperatorError(
      'name the peer: --socket-path PATH of a back end, or --listen PATH for a front end',
    );
  }
  return 'back end';
}

async function check(
  io: Io,
  flags: Flags,
  role: CheckInfo['role'],
  checks: readonly CheckInfo[],
  expectations: readonly Expectation[],
  conformance: Conformance,
): Promise<Report> {
  const progress = io.progress();
  const { command, restart, repeat, timeout, device } = flags;
  const options: ConformanceOptions = {
    role,
    socketPath: (flags.socketPath ?? flags.listen) as string,
    ...(command === undefined ? {} : { command }),
    restart,
    expectations,
    repeats: repeat,
    limits: { replyMs: timeout, ringMs: timeout },
    isNetwork: device === 'net',
    signal: io.interruptible(),
    onResult: (result, done, total) => {
      progress.done();
      if (flags.json !== true) show(io, flags, result, conformance);
      progress.update(`${done} of ${total}: ${result.check.id}`);
    },
  };
  try {
    const report = await conformance.runConformance(checks, options);
    progress.done();
    if (report.peer === null && command === undefined) {
      const seen = report.results[0]?.observed ?? 'nothing';
      const mend =
        role === 'back end' ? 'start it first, or give --command' : 'start one that connects to it';
      throw new OperatorError(`no ${role} at ${options.socketPath} (${seen}): ${mend}`);
    }
    if (report.peer === null && flags.json !== true) {
      for (const result of report.results) show(io, flags, result, conformance);
    }
    if (report.peer !== null && flags.json !== true) io.out(conformance.peerText(report.peer));
    return report;
  } catch (error) {
    progress.done();
    throw isSystemError(error) ? new OperatorError(`${error.message}; is the path right?`) : error;
  }
}

function show(io: Io, flags: Flags, result: CheckResult, conformance: Conformance): void {
  if (conformance.isFailure(result)) io.out(conformance.failureText(result));
  else if (flags.verbose === true) io.out(`${conformance.resultLine(result)}\n`);
}

function listJson(checks: readonly CheckInfo[]): string {
  const rows = checks.map(({ id, title, item, clause, basis, requirement, role, protocol, needs }) => {
    return { id, title, item, clause, basis, requirement, role, protocol, needs };
  });
  return `${JSON.stringify(rows, null, 2)}\n`;
}

/** What is known of the peer; checks that are not chosen may be in it too. */
async function readExpectations(
  path: string | undefined,
  role: CheckInfo['role'],
  { checksOf, parseExpectations }: Conformance,
): Promise<readonly Expectation[]> {
  if (path === undefined) return [];
  const { readFile } = await import('node:fs/promises');
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    throw new OperatorError(`the expectations cannot be read: ${(error as Error).message}`);
  }
  const ids = checksOf(role).map(({ id }) => id);
  const parsed = parseExpectations(text, ids);
  if (typeof parsed === 'string') throw new OperatorError(`${path}: ${parsed}`);
  return parsed;
}

/** Finds out before a long run whether the file can be written. */
async function openJunit(path: string): Promise<void> {
  await writeJunit(path, '');
}

async function writeJunit(path: string, text: string): Promise<void> {
  const { writeFile } = await import('node:fs/promises');
  try {
    await writeFile(path, text);
  } catch (error) {
    throw new OperatorError(`the JUnit report cannot be written: ${(error as Error).message}`);
  }
}

/** An error of the system that this side got, not the peer: a path, a right. */
function isSystemError(error: unknown): error is Error {
  return error instanceof Error && error.name === 'HostError';
}

function names(text: string, before: string[]): string[] {
  return [...before, ...text.split(',').filter((name) => name !== '')];
}

function positive(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1)
    throw new InvalidArgumentError('a whole number above 0 is needed.');
  return value;
}
