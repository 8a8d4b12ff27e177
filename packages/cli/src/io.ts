import { EXIT_INTERRUPTED } from './exit-codes.ts';
import { createProgress, type Progress } from './progress.ts';

const PARENT_CHECK_MS = 250;

/** Environment variable of a process that our supervisor has started. */
export const SUPERVISED = 'VHOSTLAB_SUPERVISED';

/** Everything a command touches outside itself, so that tests can stand in for the terminal. */
export interface Io {
  /** Writes to standard output, as given. */
  out(text: string): void;
  /** Writes to standard error, as given. */
  err(text: string): void;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** A progress line on standard error: rewritten in place on a terminal, a line every few seconds elsewhere. */
  progress(): Progress;
  /**
   * From this call on SIGINT and SIGTERM abort the returned signal in place of ending the process; a second one
   * ends it at once with status 130. The caller must return to the event loop often, or signals wait. Under our own
   * supervisor (`SUPERVISED`) further signals are ignored: one to the whole process group arrives there twice, and the
   * supervisor ends what does not end by itself. A supervisor that was killed aborts it too.
   */
  interruptible(): AbortSignal;
}

/** The Io of a real process. Output into a closed pipe (`| head`) ends the process quietly. */
export function processIo(): Io {
  let controller: AbortController | undefined;
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') {
      process.exit();
    }
    throw error;
  });
  return {
    out: (text) => void process.stdout.write(text),
    err: (text) => void process.stderr.write(text),
    env: process.env,
    progress: () =>
      createProgress({
        write: (text) => void process.stderr.write(text),
        isTerminal: process.stderr.isTTY === true,
        nowMs: () => performance.now(),
      }),
    interruptible: () => {
      controller ??= abortOnSignals();
      return controller.signal;
    },
  };
}

function abortOnSignals(): AbortController {
  const controller = new AbortController();
  if (process.env[SUPERVISED] !== undefined) abortWithParent(controller);
  const onSignal = (): void => {
    if (controller.signal.aborted && process.env[SUPERVISED] === undefined) {
      process.exit(EXIT_INTERRUPTED);
    }
    controller.abort();
  };
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);
  return controller;
}

/** A process whose parent ends is handed to another one, which its parent's number tells. */
function abortWithParent(controller: AbortController): void {
  const parent = process.ppid;
  const timer = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(timer);
    controller.abort();
  }, PARENT_CHECK_MS);
  timer.unref();
}
