import { spawn } from 'node:child_process';

export interface ChildOptions {
  /** Added to this process's environment. */
  env?: Readonly<Record<string, string>>;
  /** Descriptors of this process that the child gets as 3, 4, …. */
  fds?: readonly number[];
  /** Called with what the child prints to standard output; absent: it prints where this process does. */
  onOutput?: (text: string) => void;
  /** The same for standard error. */
  onErrorOutput?: (text: string) => void;
  /** Makes it the head of a process group of its own, and `kill` signal the whole group. */
  ownGroup?: boolean;
}

/** How a process ended. */
export interface ChildExit {
  /** Exit status, or null when a signal ended it. */
  code: number | null;
  /** `SIGBUS`, or null. */
  signal: string | null;
}

/** A child process, which ends with its parent's `kill` or by itself. */
export interface Child {
  readonly pid: number;
  readonly exited: Promise<ChildExit>;
  kill(signal: NodeJS.Signals): void;
}

/** Starts a program. Rejects with the system's reason when it cannot be started. */
export function startChild(
  command: string,
  args: readonly string[],
  options: ChildOptions = {},
): Promise<Child> {
  const { env, fds = [], onOutput, onErrorOutput, ownGroup = false } = options;
  const child = spawn(command, args, {
    env: { ...process.env, ...env },
    detached: ownGroup,
    stdio: ['ignore', pipeIf(onOutput), pipeIf(onErrorOutput), ...fds],
  });
  child.stdout?.setEncoding('utf8').on('data', (text: string) => onOutput?.(text));
  child.stderr?.setEncoding('utf8').on('data', (text: string) => onErrorOutput?.(text));
  const exited = new Promise<ChildExit>((resolve) => {
    child.once('exit', (code, signal) => resolve({ code, signal }));
  });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('spawn', () => {
      const pid = child.pid as number;
      resolve({
        pid,
        exited,
        kill: (signal) => void (ownGroup ? killGroup(pid, signal) : child.kill(signal)),
      });
    });
  });
}

function pipeIf(reader: ((text: string) => void) | undefined): 'pipe' | 'inherit' {
  return reader === undefined ? 'inherit' : 'pipe';
}

/** Signals every process of the group; does nothing when the last one has gone. */
function killGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
