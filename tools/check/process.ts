import { spawn } from 'node:child_process';

/** What a finished child process left: its exit status (null when a signal ended it) and both outputs, joined. */
export interface Finished {
  readonly status: number | null;
  readonly output: string;
}

/** Runs a program without a shell and without colours and waits for its end; a program that cannot start throws. */
export function runProgram(command: string, args: readonly string[], cwd: string): Promise<Finished> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      cwd,
      env: { ...process.env, NO_COLOR: '1', FORCE_COLOR: undefined },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const chunks: Buffer[] = [];
    child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => chunks.push(chunk));
    child.once('error', reject);
    child.once('close', (status) =>
      resolve({ status, output: Buffer.concat(chunks).toString('utf8').trim() }),
    );
  });
}
