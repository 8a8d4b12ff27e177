import { type Child, type ChildExit, sleep, startChild, UnixListener, within } from '@vhostlab/host';
import type { PeerControl } from '../bench/peer-control.ts';

/** Time to end after SIGTERM, before SIGKILL. */
const END_MS = 2000;
/** Time in which a program that cannot run at all ends. */
const START_MS = 20;

/** What needs a shell; anything else becomes the process itself, so that its signals are seen. */
const SHELL = /[;&|<>()$`\n]/;

/**
 * A peer that is started by a command line of the shell, in a process group of its own. `{socket}` in it stands for the
 * path of the socket, which is in the environment as VHOSTLAB_SOCKET too.
 */
export class CommandControl implements PeerControl {
  readonly pid = null;
  readonly #command: string;
  readonly #socketPath: string;
  readonly #onOutput: (text: string) => void;
  /** Whether the peer is the one that listens: a socket file that is left over keeps some from doing so. */
  readonly #listens: boolean;
  #child: Child | null = null;
  #exit: ChildExit | null = null;

  constructor(command: string, socketPath: string, listens: boolean, onOutput: (text: string) => void) {
    this.#command = command.replaceAll('{socket}', socketPath);
    this.#socketPath = socketPath;
    this.#listens = listens;
    this.#onOutput = onOutput;
  }

  get ended(): string | null {
    return this.#exit === null ? null : describeExit(this.#exit);
  }

  get crashed(): boolean {
    return this.#exit !== null && this.#exit.signal !== null;
  }

  async start(): Promise<void> {
    await this.stop();
    // takes away what a dead peer left, and refuses where a living one listens
    if (this.#listens) UnixListener.listen(this.#socketPath).close();
    const line =
      SHELL.test(this.#command) || this.#command.startsWith('exec ')
        ? this.#command
        : `exec ${this.#command}`;
    this.#exit = null;
    this.#child = await startChild('sh', ['-c', line], {
      env: { VHOSTLAB_SOCKET: this.#socketPath },
      ownGroup: true,
      onOutput: this.#onOutput,
      onErrorOutput: this.#onOutput,
    });
    const child = this.#child;
    void child.exited.then((exit) => {
      if (this.#child === child) this.#exit = exit;
    });
    await sleep(START_MS);
  }

  async stop(): Promise<void> {
    const child = this.#child;
    this.#child = null;
    if (child === null) return;
    child.kill('SIGTERM');
    if ((await within(child.exited, END_MS)) !== undefined) return;
    child.kill('SIGKILL');
    await child.exited;
  }
}

function describeExit({ code, signal }: ChildExit): string {
  return signal === null ? `its process ended with status ${code}` : `its process was ended by ${signal}`;
}
