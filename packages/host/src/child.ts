import { spawn } from 'node:child_process';

export interface ChildOptions {
  /** Added to this process's environment. */
  env?: Readonly<Record<string, string>>;
  /** Descriptors of this process that the child gets as 3, 4, …. */
  fds?: readonly number[];
  /** Called with what the child prints to standard output; absent: it prints where this process does. */
  onOutput?: (text: string) => void;
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
  const { env, fds = [], onOutput } = options;
  const child = spawn(command, args, {
    env: { ...process.env, ...env },
    stdio: ['ignore', onOutput === undefined ? 'inherit' : 'pipe', 'inherit', ...fds],
  });
  child.stdout?.setEncoding('utf8').on('data', (text: string) => onOutput?.(text));
  const exited = new Promise<ChildExit>((resolve) => {
    child.once('exit', (code, signal) => resolve({ code, signal }));
  });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('spawn', () => {
      resolve({ pid: child.pid as number, exited, kill: (signal) => void child.kill(signal) });
    });
  });
}
