import { GUEST_READY } from './initramfs.ts';
import { TextSocket } from './text-socket.ts';

/** What a command of the guest left behind. */
export interface GuestResult {
  readonly status: number;
  /** Both of its outputs. */
  readonly output: string;
}

const TIMEOUT_MS = 30_000;

/** The guest's shell behind its second serial port: one command at a time, each with an end mark and its status. */
export class GuestConsole {
  #socket: TextSocket | null = null;
  #text = '';
  #wake: () => void = () => {};
  #closed = false;
  #sequence: number;
  #turn: Promise<unknown> = Promise.resolve();

  private constructor() {
    // A restored guest goes on with its old console: marks of another one must never match.
    this.#sequence = Math.floor(performance.now() * 1000) % 1_000_000_000;
  }

  /** Connects to QEMU's end of the serial port. */
  static async connect(socketPath: string): Promise<GuestConsole> {
    const guest = new GuestConsole();
    guest.#socket = await TextSocket.connect(
      'guest console',
      socketPath,
      (text) => {
        guest.#text += text;
        guest.#wake();
      },
      () => {
        guest.#closed = true;
        guest.#wake();
      },
    );
    return guest;
  }

  /** Waits until the guest takes commands. */
  async ready(timeoutMs = 60_000): Promise<void> {
    await this.#waitFor(new RegExp(`^${GUEST_READY}\\n`, 'm'), 'the guest has booted', timeoutMs);
  }

  /** Runs a shell command in the guest. Commands are run in the order in which they are given. */
  run(command: string, timeoutMs = TIMEOUT_MS): Promise<GuestResult> {
    const result = this.#turn.then(() => this.#run(command, timeoutMs));
    this.#turn = result.catch(() => {});
    return result;
  }

  /** Runs a command that must succeed, and returns what it wrote. */
  async must(command: string, timeoutMs = TIMEOUT_MS): Promise<string> {
    const { status, output } = await this.run(command, timeoutMs);
    if (status !== 0) throw new Error(`guest: "${command}" ended with status ${status}:\n${output}`);
    return output;
  }

  close(): void {
    this.#socket?.close();
  }

  async #run(command: string, timeoutMs: number): Promise<GuestResult> {
    this.#sequence += 1;
    const mark = this.#sequence;
    this.#text = '';
    const quoted = `'${command.replaceAll("'", `'\\''`).replaceAll('\n', ' ; ')}'`;
    // The end mark starts a line of its own, whether or not the command's last line was complete.
    this.#socket?.send(
      `echo "@@begin ${mark}"; sh -c ${quoted} </dev/null; status=$?; echo; echo "@@end ${mark} $status"\n`,
    );
    const found = await this.#waitFor(
      new RegExp(`@@begin ${mark}\\n([\\s\\S]*)\\n@@end ${mark} (\\d+)\\n`),
      `"${command}" ended`,
      timeoutMs,
    );
    return { status: Number(found[2]), output: found[1] };
  }

  async #waitFor(pattern: RegExp, what: string, timeoutMs: number): Promise<RegExpExecArray> {
    const deadline = performance.now() + timeoutMs;
    for (;;) {
      const found = pattern.exec(this.#text);
      if (found !== null) return found;
      const leftMs = deadline - performance.now();
      if (this.#closed || leftMs <= 0) {
        const reason = this.#closed ? 'the guest went away' : `${timeoutMs / 1000} s passed`;
        throw new Error(`guest: ${reason} before ${what}; it wrote:\n${this.#text.slice(-2000)}`);
      }
      await this.#news(leftMs);
    }
  }

  #news(timeoutMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, timeoutMs);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
