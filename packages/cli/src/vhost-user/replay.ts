import type { ReplayOptions, ReplaySummary } from '@vhostlab/vhost-tap';
import { type Command, Option } from 'commander';
import { wholeNumber } from '../arguments.ts';
import { OperatorError } from '../errors.ts';
import { EXIT_RUN_FAILED } from '../exit-codes.ts';
import type { Io } from '../io.ts';
import { replayReport } from '../replay-report.ts';

interface Flags {
  socketPath: string;
  speed: ReplayOptions['speed'];
  repeat: number;
  timeout: number;
  json?: boolean;
}

/** The back end broke rules, or answered differently: the command ends with status 1. */
class BackendAtFault extends Error {
  readonly exitCode = EXIT_RUN_FAILED;

  constructor({ faultyRuns, runs }: ReplaySummary) {
    super(`the back end broke rules or answered differently in ${faultyRuns} of ${runs} runs`);
  }
}

export const examples = [
  [
    'vhostlab vhost-user replay /tmp/tap --socket-path /tmp/vu.sock --repeat 20',
    "a recorded front end again, with its memory and rings: is the back end's fault gone?",
  ],
] as const;

const HELP = `
DIR is the --out folder of a tap. Record with --notifications: a tap that only samples
sees fewer of the buffers that a back end takes at once, and what it has not seen is
not played.

The back end gets the recorded messages with descriptors of its own, memory of the same
size and layout, and each buffer with its bytes once the one before it in the same
descriptors has come back. Its answers are compared with the recorded ones, its rings
are checked as a tap checks them.

Exit status: 0 nothing is wrong, 1 a rule was broken or an answer differs, 2 bad usage,
no recording or no back end.

Examples:
  vhostlab vhost-user replay /tmp/tap --socket-path /tmp/vu.sock
  vhostlab vhost-user replay /tmp/tap --socket-path /tmp/vu.sock --speed fast --repeat 20 --json`;

/** Adds `vhostlab vhost-user replay`. */
export function register(group: Command, io: Io): void {
  group
    .command('replay')
    .argument('<dir>', 'folder that a tap has written')
    .description(
      'play the front end that a tap has recorded again, with its memory and rings, and check the back end',
    )
    .requiredOption('--socket-path <path>', 'socket that the back end listens at')
    .addOption(
      new Option('--speed <speed>', 'with the pauses of the recording, or without')
        .choices(['recorded', 'fast'])
        .default('recorded'),
    )
    .option('--repeat <n>', 'times that the recording is played', wholeNumber, 1)
    .option('--timeout <ms>', 'longest wait for an answer or for a buffer that comes back', wholeNumber, 2000)
    .option('--json', 'print the summary as one JSON object')
    .addHelpText('after', HELP)
    .action((folder: string, flags: Flags) => run(io, folder, flags));
}

async function run(io: Io, folder: string, flags: Flags): Promise<void> {
  const { checkReplayOptions, DEFAULT_REPLAY_OPTIONS, replay } = await import('@vhostlab/vhost-tap');
  const { socketPath, speed, repeat, timeout } = flags;
  const options = { ...DEFAULT_REPLAY_OPTIONS, folder, socketPath, speed, repeat, timeoutMs: timeout };
  const problem = checkReplayOptions(options);
  if (problem !== null) throw new OperatorError(problem);
  const signal = io.interruptible();
  const summary = await replay(options, signal);
  io.out(flags.json === true ? `${JSON.stringify(summary)}\n` : replayReport(summary));
  if (summary.faultyRuns > 0) throw new BackendAtFault(summary);
  signal.throwIfAborted();
}
