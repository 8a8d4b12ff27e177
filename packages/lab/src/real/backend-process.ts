import { spawn } from 'node:child_process';
import { UsageError } from '../scenario/options.ts';

/** How to start a program of this project: file and first arguments. */
export interface ProgramCommand {
  readonly file: string;
  readonly args: readonly string[];
}

/** A back end in a process of its own. */
export interface BackendProcess {
  readonly pid: number;
  /** Ends it; resolves when it is gone. */
  stop(): Promise<void>;
}

const GRACE_MS = 5000;

/** Starts `vhostlab vhost-user backend` and waits until it listens. Rejects with what it said when it does not. */
export function startBackendProcess(
  command: ProgramCommand,
  args: readonly string[],
): Promise<BackendProcess> {
  const child = spawn(command.file, [...command.args, 'vhost-user', 'backend', '--no-supervise', ...args], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let said = '';
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const stop = async (): Promise<void> => {
    child.kill('SIGTERM');
    const timer = setTimeout(() => child.kill('SIGKILL'), GRACE_MS);
    await exited;
    clearTimeout(timer);
  };
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code) => reject(new UsageError(`the back end ended with ${code}: ${said.trim()}`)));
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      if (said.length < 4096) said += text;
      if (said.includes(' listens at ')) resolve({ pid: child.pid as number, stop });
    });
  });
}
