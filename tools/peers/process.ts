import { type ChildProcess, spawn } from 'node:child_process';
import { accessSync, constants, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, isAbsolute, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

/** What to start and how long each step of its life may take. */
export interface PeerCommand {
  /** The peer's name in error messages, such as `virtio-user`. */
  readonly name: string;
  /** Program to look up on PATH, or its whole path. */
  readonly program: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Work folder; the peer's own temporary folder when left out. */
  readonly folder?: string;
  /** Makes a program that uses stdio write its lines at once, although it writes to a pipe. */
  readonly lineBuffered?: boolean;
  /** An empty network namespace of its own, so that interfaces it makes appear nowhere else, or that of a process. */
  readonly network?: 'own' | { readonly ofPid: number };
}

/** How a peer ended. */
export interface PeerExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** A bound of a wait, and from which position of the output on a pattern counts. */
export interface WaitOptions {
  readonly timeoutMs?: number;
  readonly from?: number;
}

interface Waiter {
  check(): boolean;
  fail(reason: string): void;
}

const OUTPUT_CHARS = 4 * 1024 * 1024;
const DEFAULT_TIMEOUT_MS = 60_000;
const TERM_TIMEOUT_MS = 3_000;
const POLL_MS = 10;
const TAIL_LINES = 15;

/** Absolute path of a program, or an error that says what to do about its absence. */
export function requireProgram(program: string): string {
  const candidates = isAbsolute(program)
    ? [program]
    : // Daemons live in sbin, which an ordinary user's PATH leaves out.
      [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/sbin'].map((dir) => join(dir, program));
  for (const candidate of candidates) {
    try {
      accessSync(candidate, constants.X_OK);
      return candidate;
    } catch {
      // Not there: look on.
    }
  }
  throw new Error(`${program} not found: run tools/peers/install`);
}

/**
 * Whether a process listens on a Unix socket; a file that a dead one left behind does not count. The kernel lists the
 * sockets of one network namespace: that of `ofPid`, or our own.
 */
export function isListening(socketPath: string, ofPid = process.pid): boolean {
  let sockets: string;
  try {
    sockets = readFileSync(`/proc/${ofPid}/net/unix`, 'utf8');
  } catch {
    return false;
  }
  return sockets
    .split('\n')
    .some((line) => line.endsWith(` ${socketPath}`) && line.split(/\s+/)[3] === '00010000');
}

/** Removes a socket that a dead process left behind, as programs that bind without asking need it. */
export function clearStaleSocket(socketPath: string): void {
  if (!isListening(socketPath)) rmSync(socketPath, { force: true });
}

/**
 * One real peer: a child in a process group of its own, with a temporary folder that goes when it is stopped. It is
 * killed by its process id, and by the kernel if this process dies first.
 */
export class PeerProcess {
  readonly name: string;
  readonly pid: number;
  /** The peer's own folder, below the system's temporary folder. */
  readonly folder: string;
  /** Settles when the process has ended and its output is complete. */
  readonly exit: Promise<PeerExit>;
  readonly #child: ChildProcess;
  readonly #waiters = new Set<Waiter>();
  #text = '';
  #dropped = 0;
  #ended: PeerExit | null = null;

  private constructor(name: string, child: ChildProcess, folder: string) {
    this.name = name;
    this.pid = child.pid!;
    this.folder = folder;
    this.#child = child;
    for (const stream of [child.stdout!, child.stderr!]) {
      stream.setEncoding('utf8');
      stream.on('data', (text: string) => this.#append(text));
    }
    // Writing to a peer that is ending is no fault: its exit is what counts.
    child.stdin!.on('error', () => {});
    this.exit = new Promise((resolve) => {
      child.once('close', (code, signal) => {
        this.#ended = { code, signal };
        for (const waiter of [...this.#waiters]) {
          if (!waiter.check()) waiter.fail(`ended with ${describeExit(this.#ended)}`);
        }
        resolve(this.#ended);
      });
    });
  }

  /** Starts a peer. Throws when the program is missing. */
  static async start(command: PeerCommand): Promise<PeerProcess> {
    const program = requireProgram(command.program);
    const folder = command.folder ?? peerFolder(command.name);
    // Each of these turns into the next one, so that the process id is the peer's.
    const wrapped = [
      ...networkPrefix(command.network),
      ...(command.lineBuffered === true ? [requireProgram('stdbuf'), '-oL'] : []),
      program,
    ];
    const child = spawn(
      requireProgram('setpriv'),
      ['--pdeathsig', 'KILL', '--', ...wrapped, ...command.args],
      { cwd: folder, detached: true, stdio: 'pipe', env: { ...process.env, ...command.env } },
    );
    await new Promise<void>((resolve, reject) => {
      child.once('spawn', resolve);
      child.once('error', reject);
    });
    return new PeerProcess(command.name, child, folder);
  }

  get running(): boolean {
    return this.#ended === null;
  }

  /** What the peer wrote on both of its outputs, the last 4 MiB of it. */
  output(): string {
    return this.#text;
  }

  /** Position behind the last character of the output so far. */
  mark(): number {
    return this.#dropped + this.#text.length;
  }

  /** The output from a position on. */
  outputFrom(mark: number): string {
    return this.#text.slice(Math.max(0, mark - this.#dropped));
  }

  /** Writes to the peer's standard input. */
  write(text: string): void {
    this.#child.stdin!.write(text);
  }

  /** Ends the peer's standard input. */
  closeInput(): void {
    this.#child.stdin!.end();
  }

  /** Waits for a pattern in the output from `from` (its beginning by default) on; rejects at the peer's end. */
  waitFor(pattern: RegExp, options: WaitOptions = {}): Promise<RegExpExecArray> {
    const { from = 0, timeoutMs = DEFAULT_TIMEOUT_MS } = options;
    return new Promise((resolve, reject) => {
      let timer: NodeJS.Timeout | undefined;
      const waiter: Waiter = {
        check: () => {
          const found = pattern.exec(this.outputFrom(from));
          if (found !== null) settle(() => resolve(found));
          return found !== null;
        },
        fail: (reason) => settle(() => reject(this.error(`${reason} before ${pattern} was seen`))),
      };
      const settle = (how: () => void) => {
        clearTimeout(timer);
        this.#waiters.delete(waiter);
        how();
      };
      if (waiter.check()) return;
      if (this.#ended !== null) {
        waiter.fail(`ended with ${describeExit(this.#ended)}`);
        return;
      }
      this.#waiters.add(waiter);
      timer = setTimeout(() => waiter.fail(`${timeoutMs / 1000} s passed`), timeoutMs);
    });
  }

  /** Waits until a condition holds; rejects when the peer ends or the time is over. */
  async waitUntil(
    condition: () => boolean | Promise<boolean>,
    what: string,
    timeoutMs = DEFAULT_TIMEOUT_MS,
  ): Promise<void> {
    await until(condition, timeoutMs, () =>
      this.#ended === null ? null : this.error(`ended with ${describeExit(this.#ended)} before ${what}`),
    ).catch((error: unknown) => {
      throw error === TIMED_OUT ? this.error(`${timeoutMs / 1000} s passed before ${what}`) : error;
    });
  }

  /** Waits until the peer's socket listens. */
  waitForSocket(socketPath: string, timeoutMs = DEFAULT_TIMEOUT_MS): Promise<void> {
    return this.waitUntil(() => isListening(socketPath, this.pid), `${socketPath} listens`, timeoutMs);
  }

  /** Sends a signal to the peer's process group, such as SIGSTOP; nothing when it has ended. */
  signal(signal: NodeJS.Signals): void {
    if (this.#ended !== null) return;
    try {
      process.kill(-this.pid, signal);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  }

  /** Kills the peer at once, as a crash would, and waits for its end; its folder stays until `stop`. */
  async kill(): Promise<void> {
    this.signal('SIGKILL');
    await this.exit;
  }

  /** Ends the peer, by SIGKILL if SIGTERM does not within 3 s, and removes its folder. Harmless when repeated. */
  async stop(): Promise<void> {
    this.signal('SIGTERM');
    const patience = new AbortController();
    const killed = delay(TERM_TIMEOUT_MS, undefined, { signal: patience.signal }).then(
      () => this.signal('SIGKILL'),
      () => {},
    );
    await this.exit;
    patience.abort();
    await killed;
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** An error that names the peer and shows the end of what it wrote. */
  error(message: string): Error {
    const tail = this.#text.trimEnd().split('\n').slice(-TAIL_LINES).join('\n');
    return new Error(`${this.name}: ${message}${tail === '' ? '' : `; it wrote last:\n${tail}`}`);
  }

  #append(text: string): void {
    this.#text += text;
    if (this.#text.length > OUTPUT_CHARS) {
      const cut = this.#text.length - OUTPUT_CHARS;
      this.#text = this.#text.slice(cut);
      this.#dropped += cut;
    }
    for (const waiter of [...this.#waiters]) waiter.check();
  }
}

/** A new temporary folder for a peer, short enough for the paths of Unix sockets. */
export function peerFolder(name: string): string {
  return mkdtempSync(join(tmpdir(), `vhostlab-${name.replaceAll(/[^\w-]/g, '-')}-`));
}

const TIMED_OUT = Symbol('timed out');

/** Waits until a condition holds, looking every 10 ms; rejects with what `failure` says, or when the time is over. */
async function until(
  condition: () => boolean | Promise<boolean>,
  timeoutMs: number,
  failure: () => Error | null,
): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (!(await condition())) {
    const error = failure();
    if (error !== null) throw error;
    if (performance.now() > deadline) throw TIMED_OUT;
    await delay(POLL_MS);
  }
}

/** Waits until a condition holds; rejects with `what` when the time is over. */
export async function waitUntil(
  condition: () => boolean | Promise<boolean>,
  what: string,
  timeoutMs = DEFAULT_TIMEOUT_MS,
): Promise<void> {
  await until(condition, timeoutMs, () => null).catch((error: unknown) => {
    throw error === TIMED_OUT ? new Error(`${timeoutMs / 1000} s passed before ${what}`) : error;
  });
}

/** A program and its arguments that put the next one into a network namespace. */
function networkPrefix(network: PeerCommand['network']): string[] {
  if (network === undefined) return [];
  return network === 'own'
    ? [requireProgram('unshare'), '--net', '--']
    : [requireProgram('nsenter'), `--net=/proc/${network.ofPid}/ns/net`, '--'];
}

function describeExit({ code, signal }: PeerExit): string {
  return signal === null ? `status ${code}` : `signal ${signal}`;
}
