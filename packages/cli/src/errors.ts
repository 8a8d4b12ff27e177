import { EXIT_BAD_USAGE, EXIT_INCOMPLETE, EXIT_INTERRUPTED, EXIT_RUN_FAILED } from './exit-codes.ts';

/** A fault of the operator: one sentence that names the thing and the mend. Ends the command with status 2. */
export class OperatorError extends Error {
  override readonly name = 'OperatorError';
  readonly exitCode = EXIT_BAD_USAGE;
}

/** What to print for an error and the exit status that it stands for. */
export interface ErrorReport {
  readonly exitCode: number;
  readonly text: string;
}

/**
 * Turns whatever a command threw into one line and an exit status. An error is known when it carries an `exitCode`
 * of 1, 2 or 3 (any package may do so without knowing this one); an aborted command counts as interrupted.
 * Everything else is our own fault: its stack is printed when `isDebug`.
 */
export function reportError(error: unknown, isDebug: boolean): ErrorReport {
  if (!(error instanceof Error)) {
    return { exitCode: EXIT_RUN_FAILED, text: `vhostlab: internal error: ${String(error)}` };
  }
  if (error.name === 'AbortError') {
    return { exitCode: EXIT_INTERRUPTED, text: 'vhostlab: interrupted' };
  }
  const stack = isDebug ? `\n${error.stack ?? ''}` : '';
  const exitCode = knownExitCode(error);
  if (exitCode !== null) {
    return { exitCode, text: `vhostlab: ${error.message}${stack}` };
  }
  const hint = isDebug ? '' : ' (LOG_LEVEL=debug prints the stack)';
  return { exitCode: EXIT_RUN_FAILED, text: `vhostlab: internal error: ${error.message}${hint}${stack}` };
}

function knownExitCode(error: Error): number | null {
  const code = 'exitCode' in error ? error.exitCode : undefined;
  return code === EXIT_RUN_FAILED || code === EXIT_BAD_USAGE || code === EXIT_INCOMPLETE ? code : null;
}
