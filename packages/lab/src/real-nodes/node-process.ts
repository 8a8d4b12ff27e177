import { type ChildProcess, spawn } from 'node:child_process';
import { createWriteStream, type WriteStream } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { requireProgram } from './programs.ts';

/** A program of a node. */
export interface NodeCommand {
  /** What it is, in messages and events, such as `ovs-vswitchd`. */
  readonly what: string;
  /** Absolute path. */
  readonly program: string;
  readonly args: readonly string[];
  /** Work folder, which is removed with the lab. */
  readonly folder: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Makes a program that uses stdio write its lines at once, although it writes to a pipe. */
  readonly isLineBuffered?: boolean;
  /** Gives it an empty network namespace of its own, so that interfaces it makes appear nowhere else. */
  readonly ownNetwork?: boolean;
  /** CPUs that it may run on. */
  readonly cpus?: readonly number[];
  /** File that gets what it writes, up to `LOG_BYTES`. */
  readonly log: string;
}

/** A node's program ended, answered wrongly or too late; the message names it and has what it last wrote. */
export class NodeFault extends Error {
  override readonly name = 'NodeFault';
  readonly exitCode = 3;
}

const KEPT_CHARS = 256 * 1024;
const LOG_BYTES = 16 * 1024 * 1024;
const POLL_MS = 10;
const TERM_TIMEOUT_MS = 3_000;

/**
 * A program of a node: a child in a process group of its own, so that a terminal's Ctrl-C does not reach it, which the
 * kernel kills when the lab's process dies.
 */
export class NodeProcess {
  readonly what: string;
  readonly pid: number;
  /** Resolves when it has ended, with how. */
  readonly ended: Promise<string>;
  readonly #child: ChildProcess;
  readonly #log: WriteStream;
  readonly #exit: Promise<void>;
  #logged = 0;
  #total = 0;
  #text = '';
  #how: string | undefined;
  #isEnding = false;

  private constructor(command: NodeCommand, child: ChildProcess) {
    this.what = command.what;
    this.pid = child.pid as number;
    this.#child = child;
    this.#log = createWriteStream(command.log, { flags: 'a', mode: 0o600 });
    this.#log.on('error', () => undefined);
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => this.#append(text));
    }
    child.stdin?.on('error', () => undefined);
    this.ended = new Promise((resolve) => {
      child.once('exit', (code, signal) => {
        this.#how = signal === null ? `ended with status ${code}` : `was ended by ${signal}`;
        resolve(this.#how);
      });
    });
    this.#exit = new Promise((resolve) => {
      child.once('close', () => {
        this.#log.end();
        resolve();
      });
    });
  }

  /** Starts it. Throws NodeFault when the system cannot. */
  static async start(command: NodeCommand): Promise<NodeProcess> {
    const { program, args, folder, env, isLineBuffered = false, ownNetwork = false, cpus } = command;
    // each of these turns into the next one, so that the process id is the program's
    const line = [
      requireProgram('setpriv'),
      '--pdeathsig',
      'KILL',
      '--',
      ...(ownNetwork ? [requireProgram('unshare'), '--net', '--'] : []),
      ...(cpus === undefined ? [] : [requireProgram('taskset'), '-c', cpus.join(',')]),
      ...(isLineBuffered ? [requireProgram('stdbuf'), '-oL'] : []),
      program,
      ...args,
    ];
    const child = spawn(line[0], line.slice(1), {
      cwd: folder,
      detached: true,
      stdio: 'pipe',
      env: { ...process.env, ...env },
    });
    await new Promise<void>((resolve, reject) => {
      child.once('spawn', resolve);
      child.once('error', (error) =>
        reject(new NodeFault(`${command.what} could not be started: ${error.message}`)),
      );
    });
    return new NodeProcess(command, child);
  }

  /** Whether `end` was called: what happens then is no loss. */
  get isEnding(): boolean {
    return this.#isEnding;
  }

  /** How it ended; empty while it runs. */
  get howEnded(): string {
    return this.#how ?? '';
  }

  /** The last 256 KiB of what it wrote. */
  output(): string {
    return this.#text;
  }

  /** Characters that it has written so far. */
  get total(): number {
    return this.#total;
  }

  /** What it wrote after its first `before` characters, as far as that is kept. */
  outputFrom(before: number): string {
    return this.#text.slice(Math.max(0, before - (this.#total - this.#text.length)));
  }

  /** The last line that it wrote. */
  get lastWords(): string {
    return this.#text.trimEnd().split('\n').at(-1)?.trim() ?? '';
  }

  write(text: string): void {
    this.#child.stdin?.write(text);
  }

  /** Waits until a condition holds. Throws NodeFault when the program ends or the time is over, Error when `stop` is aborted. */
  async until(
    condition: () => boolean | Promise<boolean>,
    what: string,
    stop: AbortSignal,
    timeoutMs: number,
  ): Promise<void> {
    const deadline = performance.now() + timeoutMs;
    while (!(await condition())) {
      stop.throwIfAborted();
      if (this.#how !== undefined) throw this.fault(`${this.#how} before ${what}`);
      if (performance.now() > deadline) throw this.fault(`waited ${timeoutMs / 1000} s, and not ${what}`);
      await delay(POLL_MS);
    }
  }

  fault(message: string): NodeFault {
    const last = this.lastWords;
    return new NodeFault(`${this.what} (process ${this.pid}) ${message}${last === '' ? '' : `: ${last}`}`);
  }

  /** Ends it: SIGTERM, and SIGKILL after 3 s or when it `isLost`. Harmless when repeated. */
  async end(isLost = false): Promise<void> {
    this.#isEnding = true;
    this.#signal(isLost ? 'SIGKILL' : 'SIGTERM');
    // a stopped process takes no other signal
    const timer = setTimeout(() => this.#signal('SIGKILL'), TERM_TIMEOUT_MS);
    await this.#exit;
    clearTimeout(timer);
  }

  #signal(signal: NodeJS.Signals): void {
    if (this.#how !== undefined) return;
    try {
      process.kill(-this.pid, signal);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  }

  #append(text: string): void {
    this.#total += text.length;
    this.#text = (this.#text + text).slice(-KEPT_CHARS);
    if (this.#logged >= LOG_BYTES) return;
    this.#logged += text.length;
    this.#log.write(this.#logged < LOG_BYTES ? text : `${text}\nvhostlab: the log ends here, it is full\n`);
  }
}
