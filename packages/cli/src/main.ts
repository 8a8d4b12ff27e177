import { CommanderError } from 'commander';
import { reportError } from './errors.ts';
import { EXIT_BAD_USAGE, EXIT_OK } from './exit-codes.ts';
import { type Io, processIo } from './io.ts';
import { createProgram } from './program.ts';

/** Runs one command line (without node and script) and gives the exit status; prints errors, never throws. */
export async function main(args: readonly string[], io: Io = processIo()): Promise<number> {
  try {
    const program = await createProgram(io, args);
    await program.parseAsync([...args], { from: 'user' });
    return EXIT_OK;
  } catch (error) {
    if (error instanceof CommanderError) {
      return error.exitCode === 0 ? EXIT_OK : EXIT_BAD_USAGE;
    }
    const { exitCode, text } = reportError(error, io.env.LOG_LEVEL === 'debug');
    io.err(`${text}\n`);
    return exitCode;
  }
}
