import { existsSync, mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import type { InjectRule, Tap, TapOptions, TapSummary } from '@vhostlab/vhost-tap';
import type { Command } from 'commander';
import { wholeNumber } from '../arguments.ts';
import { OperatorError } from '../errors.ts';
import { EXIT_RUN_FAILED } from '../exit-codes.ts';
import type { Io } from '../io.ts';
import { tapReport } from '../tap-report.ts';

interface Flags {
  listen: string;
  connect: string;
  out: string;
  acceptBackend?: boolean;
  notifications?: boolean;
  sampleHz: number;
  inject: string[];
  maxFrames: number;
  maxRecord: number;
  once?: boolean;
  live?: boolean;
  json?: boolean;
}

/** Peers broke rules: the command ends with status 1. */
class RulesBroken extends Error {
  readonly exitCode = EXIT_RUN_FAILED;

  constructor(count: number) {
    super(`rules were broken ${count} time${count === 1 ? '' : 's'}`);
  }
}

export const examples = [
  [
    'vhostlab vhost-user tap --listen /tmp/a.sock --connect /tmp/b.sock --out /tmp/tap',
    'between two peers: messages, rings, violations, frames',
  ],
] as const;

/** Adds `vhostlab vhost-user tap`. */
export function register(group: Command, io: Io): void {
  group
    .command('tap')
    .description('stand between a front end and a back end: see, check and record everything, change nothing')
    .requiredOption('--listen <path>', 'socket that the front end connects to')
    .requiredOption('--connect <path>', 'socket that the back end listens at')
    .requiredOption('--out <dir>', 'folder for live.log, messages.jsonl, events.bin and frames.pcapng')
    .option('--accept-backend', 'the other way round: the back end connects, the front end listens')
    .option('--notifications', 'step into kick and call eventfds: each is seen with its ring, and costs time')
    .option('--sample-hz <n>', 'looks at every ring per second, 0 to 1000', wholeNumber, 1000)
    .option(
      '--inject <rule>',
      'a fault, such as "drop kick queue=1 nth=3", "delay call queue=0 by=5ms every=10", "duplicate message SET_VRING_ENABLE nth=1"; several',
      collect,
      [],
    )
    .option('--max-frames <n>', 'frames kept in frames.pcapng', wholeNumber, 100_000)
    .option('--max-record <MiB>', 'guest memory kept for a replay', wholeNumber, 64)
    .option('--once', 'end with the first front end')
    .option('--live', 'print the live log')
    .option('--json', 'print the summary as one JSON object')
    .addHelpText(
      'after',
      '\nEnds with SIGINT or SIGTERM; status 1 when a rule was broken.\n\nExample:\n  vhostlab vhost-user tap --listen /tmp/a.sock --connect /tmp/b.sock --out /tmp/tap --notifications --live',
    )
    .action((flags: Flags) => run(io, flags));
}

async function run(io: Io, flags: Flags): Promise<void> {
  const { checkTapOptions, parseInjectRule, startTap } = await import('@vhostlab/vhost-tap');
  const options = tapOptions(flags, parseInjectRule);
  const problem = checkTapOptions(options);
  if (problem !== null) throw new OperatorError(problem);
  makeFolder(flags.out);
  const signal = io.interruptible();
  const interrupted = new Promise<void>((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
  const echo = flags.live === true ? (line: string) => io.err(`${line}\n`) : null;
  const tap = start(options, echo, startTap);
  io.err(`vhostlab tap listens at ${flags.listen}, connects to ${flags.connect}, writes ${flags.out}\n`);
  let summary: TapSummary;
  try {
    await Promise.race([interrupted, tap.ended]);
  } finally {
    summary = await tap.stop();
  }
  io.out(flags.json === true ? `${JSON.stringify(summary)}\n` : tapReport(summary, flags.out));
  if (summary.violationCount > 0) throw new RulesBroken(summary.violationCount);
}

function tapOptions(flags: Flags, parse: (text: string) => InjectRule): TapOptions {
  const { listen, connect, out, sampleHz, maxFrames, maxRecord } = flags;
  try {
    return {
      listen,
      connect,
      out,
      acceptBackend: flags.acceptBackend === true,
      notifications: flags.notifications === true,
      sampleHz,
      inject: flags.inject.map(parse),
      maxFrames,
      maxRecordMiB: maxRecord,
      once: flags.once === true,
    };
  } catch (error) {
    throw error instanceof RangeError ? new OperatorError(`--inject: ${error.message}`) : error;
  }
}

function start(
  options: TapOptions,
  echo: ((line: string) => void) | null,
  startTap: typeof import('@vhostlab/vhost-tap')['startTap'],
): Tap {
  try {
    return startTap(options, echo);
  } catch (error) {
    const isSystem = error instanceof Error && 'code' in error && typeof error.code === 'string';
    throw isSystem
      ? new OperatorError(`${(error as Error).message}; name a socket and a folder that can be made.`)
      : error;
  }
}

function makeFolder(path: string): void {
  try {
    makeFolders(path);
  } catch (error) {
    throw new OperatorError(`--out: ${(error as Error).message}; name a folder that can be made.`);
  }
}

/** What `mkdirSync` does with `recursive`, which never ends where a file system knows no such folder, as /proc does. */
function makeFolders(path: string): void {
  if (existsSync(path)) return;
  makeFolders(dirname(path));
  mkdirSync(path);
}

function collect(value: string, before: string[]): string[] {
  return [...before, value];
}
