import { monotonicMs, peerProcess, sleep, UnixSocket } from '@vhostlab/host';
import { AttachError } from './queue-source.ts';

const POLL_MS = 2;
const MAX_ANSWER_BYTES = 2 ** 22;

type Answer = Readonly<Record<string, unknown>>;

/** QEMU's machine protocol (QMP), one command at a time. */
export class QmpClient {
  readonly #socket: UnixSocket;
  readonly #path: string;
  readonly #timeoutMs: number;
  readonly #decoder = new TextDecoder();
  #text = '';

  private constructor(socket: UnixSocket, path: string, timeoutMs: number) {
    this.#socket = socket;
    this.#path = path;
    this.#timeoutMs = timeoutMs;
  }

  /** Connects, and leaves the negotiation mode. `timeoutMs`: how long one answer may take. Throws an AttachError. */
  static async connect(path: string, timeoutMs = 5000): Promise<QmpClient> {
    let socket: UnixSocket;
    try {
      socket = UnixSocket.connect(path);
    } catch (error) {
      throw new AttachError(`--qmp: ${(error as Error).message}; name a QMP socket of QEMU (-qmp unix:…).`);
    }
    const client = new QmpClient(socket, path, timeoutMs);
    try {
      if (!('QMP' in (await client.#answer()))) throw client.#notQmp();
      await client.execute('qmp_capabilities');
      return client;
    } catch (error) {
      client.close();
      throw error;
    }
  }

  /** Process that listens at the socket: QEMU, or who made the socket for it. */
  get serverPid(): number {
    return peerProcess(this.#socket.fd);
  }

  /** Runs a command. Throws an AttachError when QEMU refuses or does not answer. */
  async execute(command: string, args: Readonly<Record<string, unknown>> = {}): Promise<unknown> {
    const bytes = new TextEncoder().encode(`${JSON.stringify({ execute: command, arguments: args })}\n`);
    if (this.#socket.send(bytes) !== bytes.length) throw this.#fail(`QEMU does not take ${command}.`);
    for (;;) {
      const answer = await this.#answer();
      if ('return' in answer) return answer.return;
      if (!('error' in answer)) continue;
      const { desc, class: kind } = answer.error as { desc?: string; class?: string };
      const mend = kind === 'CommandNotFound' ? ' QEMU 7.2 or newer is needed.' : '';
      throw this.#fail(`${command}: ${(desc ?? 'refused').replace(/\.?$/, '.')}${mend}`);
    }
  }

  close(): void {
    this.#socket.close();
  }

  async #answer(): Promise<Answer> {
    const line = await this.#line();
    try {
      const answer: unknown = JSON.parse(line);
      if (typeof answer === 'object' && answer !== null) return answer as Answer;
    } catch {
      // no JSON: below
    }
    throw this.#notQmp();
  }

  /** The next line that is not empty. */
  async #line(): Promise<string> {
    const end = monotonicMs() + this.#timeoutMs;
    const buffer = new Uint8Array(65_536);
    for (;;) {
      const at = this.#text.indexOf('\n');
      if (at >= 0) {
        const line = this.#text.slice(0, at);
        this.#text = this.#text.slice(at + 1);
        if (line.trim() !== '') return line;
        continue;
      }
      const got = this.#socket.receive(buffer, 0);
      if (got === 'closed') throw this.#fail('it was closed; does a QEMU run that listens there?');
      if (got === 'again') {
        if (monotonicMs() > end) throw this.#silent();
        await sleep(POLL_MS);
        continue;
      }
      this.#text += this.#decoder.decode(buffer.subarray(0, got.bytes), { stream: true });
      if (this.#text.length > MAX_ANSWER_BYTES) throw this.#notQmp();
    }
  }

  #silent(): AttachError {
    return this.#fail(
      `no answer within ${this.#timeoutMs / 1000} s; QEMU serves one client per QMP socket: end the other one, or give QEMU a second -qmp.`,
    );
  }

  #notQmp(): AttachError {
    return this.#fail('what answers there does not speak QMP; name a QMP socket of QEMU (-qmp unix:…).');
  }

  #fail(what: string): AttachError {
    return new AttachError(`--qmp ${this.#path}: ${what}`);
  }
}
