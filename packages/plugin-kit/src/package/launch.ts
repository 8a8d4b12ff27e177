import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { COOKIE_NAME, COOKIE_VALUE, LISTEN_NAME, readHandshakeLine, STDIN_NAME } from '@vhostlab/backend-sdk';
import { type Manifest, PluginUsageError } from './manifest.ts';

/** A program that starts slowly on a busy machine, and one that never says anything. */
const START_TIMEOUT_MS = 30_000;
const END_TIMEOUT_MS = 3000;
const WORDS_BYTES = 4000;

/** A burst plugin's process. */
export interface Launched {
  /** Where it listens. */
  readonly address: string;
  readonly pid: number;
  /** The end of what it wrote to standard error. */
  words(): string;
  /** SIGTERM, and SIGKILL when it does not end. */
  close(): Promise<void>;
}

/** Starts the program of a burst plugin, as go-plugin does: cookie and address in the environment, one line back. */
export async function launch(
  manifest: Manifest,
  options: { listen?: string; timeoutMs?: number } = {},
): Promise<Launched> {
  const { folder, name } = manifest;
  const [file, ...args] = commandOf(manifest);
  const scratch = mkdtempSync(join(tmpdir(), 'vhostlab-plugin-'));
  const listen = options.listen ?? `unix:${join(scratch, 'plugin.sock')}`;
  const child = spawn(file as string, args, {
    cwd: folder,
    env: {
      ...process.env,
      [COOKIE_NAME]: COOKIE_VALUE,
      [LISTEN_NAME]: listen,
      [STDIN_NAME]: 'ends-with-host',
    },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  child.stdin?.on('error', () => undefined);
  let words = '';
  child.stderr?.on('data', (data: Buffer) => {
    words = (words + data.toString()).slice(-WORDS_BYTES);
  });
  const close = async (): Promise<void> => {
    process.off('exit', kill);
    await end(child);
    rmSync(scratch, { recursive: true, force: true });
  };
  const kill = (): void => void child.kill('SIGKILL');
  process.on('exit', kill);
  const timeoutMs = options.timeoutMs ?? START_TIMEOUT_MS;
  const said = await firstLine(child, timeoutMs);
  const read = 'line' in said ? readHandshakeLine(said.line) : { refusal: said.problem };
  if ('refusal' in read) {
    await close();
    const last = words.trim().split('\n').at(-1) ?? '';
    const more = last === '' ? '' : `; it wrote: ${last}`;
    throw new PluginUsageError(`plugin ${name} is refused: ${read.refusal}${more}`);
  }
  return { address: read.address, pid: child.pid as number, words: () => words, close };
}

function commandOf({ command, folder }: Manifest): readonly string[] {
  if (command === undefined) {
    const program = new URL('./run-burst.ts', import.meta.url).pathname;
    return [process.execPath, program, folder];
  }
  return command[0] === 'node' ? [process.execPath, ...command.slice(1)] : command;
}

function firstLine(child: ChildProcess, timeoutMs: number): Promise<{ line: string } | { problem: string }> {
  return new Promise((resolve) => {
    let text = '';
    const timer = setTimeout(
      () => resolve({ problem: `it printed no line on standard output within ${timeoutMs / 1000} s` }),
      timeoutMs,
    );
    const say = (what: { line: string } | { problem: string }): void => {
      clearTimeout(timer);
      resolve(what);
    };
    child.stdout?.on('data', (data: Buffer) => {
      text += data.toString();
      const end = text.indexOf('\n');
      if (end >= 0 || text.length > 4096) say({ line: end < 0 ? text : text.slice(0, end) });
    });
    child.on('error', (error) => say({ problem: `it cannot be started: ${error.message}` }));
    child.on('exit', (code, signal) =>
      say({ problem: `it ended with ${signal ?? `status ${code}`} before it listened` }),
    );
  });
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), END_TIMEOUT_MS);
  await ended;
  clearTimeout(timer);
}
