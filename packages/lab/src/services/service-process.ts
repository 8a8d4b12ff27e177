import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { createGrpcTransport, type Security, type Transport } from '@vhostlab/contracts';
import type { Part } from './parts.ts';
import { ServiceLostError } from './service-lost.ts';

/** How a service process is started: program and arguments that make it listen at `address`. */
export type ServiceCommand = (
  role: Part,
  address: string,
  /** Where plugins are that the back-end service shall host besides the built-in back ends. */
  plugins?: readonly string[],
) => { file: string; args: string[] };

/** Enough for a machine that is busy with other things; loading a service takes about a second of its own. */
const READY_TIMEOUT_MS = 60_000;
const POLL_MS = 10;
/** How long a process may drain; less when the run is lost anyway. */
export const EXIT_TIMEOUT_MS = 2_000;
export const LOST_EXIT_TIMEOUT_MS = 300;
const LAST_WORDS_BYTES = 2_000;

/** One service in a process of its own on a Unix socket. It ends with this process, whatever way that ends. */
export class ServiceProcess {
  readonly role: Part;
  readonly address: string;
  readonly transport: Transport;
  readonly #socket: string;
  readonly #child: ChildProcess;
  #lastWords = '';
  #ending = false;

  /** Starts it; `onLost` is told of its end, unless `end` asked for it. */
  constructor(
    role: Part,
    folder: string,
    command: ServiceCommand,
    onLost: (error: ServiceLostError) => void,
    { security = {}, plugins }: { security?: Security; plugins?: readonly string[] } = {},
  ) {
    this.role = role;
    this.#socket = join(folder, `${role}.sock`);
    this.address = `unix:${this.#socket}`;
    this.transport = createGrpcTransport(this.address, { security });
    const { file, args } = command(role, this.address, plugins);
    // a group of its own: a terminal's Ctrl-C goes to the lab alone, which then ends its services in order
    const child = spawn(file, args, { stdio: ['pipe', 'ignore', 'pipe'], detached: true });
    this.#child = child;
    child.stderr?.on('data', (data: Buffer) => {
      this.#lastWords = (this.#lastWords + data.toString()).slice(-LAST_WORDS_BYTES);
    });
    child.stdin?.on('error', () => undefined);
    const onEnd = (how: string): void => {
      if (!this.#ending)
        onLost(
          new ServiceLostError(`service ${role} (process ${child.pid ?? '?'}) ${how}; the run is incomplete`),
        );
    };
    child.on('error', (error) => onEnd(`could not be started: ${error.message}`));
    child.on('exit', (code, signal) => {
      endGroup(child.pid);
      onEnd(signal === null ? `ended with status ${code}` : `was ended by ${signal}`);
    });
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** What it last wrote to standard error. */
  get lastWords(): string {
    return this.#lastWords.trim();
  }

  /** Resolves when it can be called or `stop` is aborted. Throws ServiceLostError after a minute. */
  async ready(stop: AbortSignal): Promise<void> {
    // connects when the socket is there: a first attempt that fails would make gRPC wait a second and longer
    const until = Date.now() + READY_TIMEOUT_MS;
    while (!existsSync(this.#socket)) {
      if (stop.aborted) return;
      if (Date.now() >= until) {
        throw new ServiceLostError(`service ${this.role} did not listen within ${READY_TIMEOUT_MS / 1000} s`);
      }
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
    await this.transport.ready(Math.max(1, until - Date.now()));
  }

  /** Ends the process: closing its input asks it to, SIGKILL makes sure (a stopped process ends too). */
  async end(graceMs: number): Promise<void> {
    this.#ending = true;
    this.transport.close();
    const child = this.#child;
    if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
    const ended = once(child, 'exit');
    child.stdin?.end();
    child.kill('SIGTERM');
    const timer = setTimeout(() => child.kill('SIGKILL'), graceMs);
    await ended;
    clearTimeout(timer);
  }
}

/** What a service has started and left behind when it was killed: the processes of plugins. */
function endGroup(pid: number | undefined): void {
  try {
    if (pid !== undefined) process.kill(-pid, 'SIGKILL');
  } catch {
    // nobody was left
  }
}

/** The error with what a service last said. */
export function withLastWords(error: Error, running: readonly ServiceProcess[]): Error {
  const words = running.map(({ lastWords }) => lastWords).find((text) => text !== '');
  return words === undefined ? error : new ServiceLostError(`${error.message}: ${words.split('\n').at(-1)}`);
}
