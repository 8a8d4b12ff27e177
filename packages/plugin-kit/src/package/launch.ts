import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, fstatSync, mkdtempSync, openSync, readSync, rmSync, truncateSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { COOKIE_NAME, COOKIE_VALUE, LISTEN_NAME, readHandshakeLine, STDIN_NAME } from '@vhostlab/backend-sdk';
import { type Manifest, PluginUsageError } from './manifest.ts';

/** A program that starts slowly on a busy machine, and one that never says anything. */
const START_TIMEOUT_MS = 30_000;
const END_TIMEOUT_MS = 3000;
const WORDS_BYTES = 4000;
/** How often what a program writes is looked at, and how much of it is kept on disk between two looks. */
const LOOK_MS = 10;
const MAX_LINE_BYTES = 4096;
const TRIM_MS = 1000;
const MAX_LOG_BYTES = 8 * 1024 * 1024;

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
  // files, not pipes: a host that stands still while it waits for an answer would not read them, and a full pipe
  // would keep the program from answering
  const out = fileFor(join(scratch, 'stdout'));
  const err = fileFor(join(scratch, 'stderr'));
  const child = spawn(file as string, args, {
    cwd: folder,
    env: {
      ...process.env,
      [COOKIE_NAME]: COOKIE_VALUE,
      [LISTEN_NAME]: listen,
      [STDIN_NAME]: 'ends-with-host',
    },
    stdio: ['pipe', out.fd, err.fd],
  });
  closeSync(out.fd);
  closeSync(err.fd);
  child.stdin?.on('error', () => undefined);
  let words: string | undefined;
  const trimmed = setInterval(() => {
    for (const { path } of [out, err]) trim(path);
  }, TRIM_MS).unref();
  const close = async (): Promise<void> => {
    process.off('exit', kill);
    clearInterval(trimmed);
    await end(child);
    words ??= tail(err.path);
    rmSync(scratch, { recursive: true, force: true });
  };
  const kill = (): void => void child.kill('SIGKILL');
  process.on('exit', kill);
  const timeoutMs = options.timeoutMs ?? START_TIMEOUT_MS;
  const said = await firstLine(child, out.path, timeoutMs);
  const read = 'line' in said ? readHandshakeLine(said.line) : { refusal: said.problem };
  if ('refusal' in read) {
    await close();
    const last = (words ?? '').trim().split('\n').at(-1) ?? '';
    const more = last === '' ? '' : `; it wrote: ${last}`;
    throw new PluginUsageError(`plugin ${name} is refused: ${read.refusal}${more}`);
  }
  return { address: read.address, pid: child.pid as number, words: () => words ?? tail(err.path), close };
}

function commandOf({ command, folder }: Manifest): readonly string[] {
  if (command === undefined) {
    const program = new URL('./run-burst.ts', import.meta.url).pathname;
    return [process.execPath, program, folder];
  }
  return command[0] === 'node' ? [process.execPath, ...command.slice(1)] : command;
}

function fileFor(path: string): { path: string; fd: number } {
  return { path, fd: openSync(path, 'a', 0o600) };
}

/** Up to `most` bytes of a file from its beginning, or its end. */
function read(path: string, most: number, from: 'beginning' | 'end'): string {
  const fd = openSync(path, 'r');
  try {
    const { size } = fstatSync(fd);
    const bytes = Buffer.alloc(Math.min(size, most));
    const count = readSync(fd, bytes, 0, bytes.length, from === 'end' ? size - bytes.length : 0);
    return bytes.toString('utf8', 0, count);
  } finally {
    closeSync(fd);
  }
}

function tail(path: string): string {
  return read(path, WORDS_BYTES, 'end');
}

/** Empties a file that has grown large; the program goes on at its beginning, because it appends. */
function trim(path: string): void {
  const fd = openSync(path, 'r');
  const { size } = fstatSync(fd);
  closeSync(fd);
  if (size > MAX_LOG_BYTES) truncateSync(path, 0);
}

function firstLine(
  child: ChildProcess,
  path: string,
  timeoutMs: number,
): Promise<{ line: string } | { problem: string }> {
  return new Promise((resolve) => {
    const say = (what: { line: string } | { problem: string }): void => {
      clearTimeout(timer);
      clearInterval(looked);
      resolve(what);
    };
    const look = (): boolean => {
      const text = read(path, MAX_LINE_BYTES, 'beginning');
      const end = text.indexOf('\n');
      if (end < 0 && text.length < MAX_LINE_BYTES) return false;
      say({ line: end < 0 ? text : text.slice(0, end) });
      return true;
    };
    const timer = setTimeout(
      () => say({ problem: `it printed no line on standard output within ${timeoutMs / 1000} s` }),
      timeoutMs,
    );
    const looked = setInterval(look, LOOK_MS);
    child.on('error', (error) => say({ problem: `it cannot be started: ${error.message}` }));
    child.on('exit', (code, signal) => {
      if (look()) return;
      say({ problem: `it ended with ${signal ?? `status ${code}`} before it listened` });
    });
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
