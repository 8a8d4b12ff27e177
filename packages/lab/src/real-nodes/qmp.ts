import { TextSocket } from './text-socket.ts';

/** An event that QEMU sent, such as `NETDEV_VHOST_USER_DISCONNECTED`. */
export interface QmpEvent {
  readonly event: string;
  readonly data?: Readonly<Record<string, unknown>>;
}

interface Pending {
  resolve(value: unknown): void;
  reject(error: Error): void;
}

interface EventWaiter extends Pending {
  readonly name: string;
}

const TIMEOUT_MS = 30_000;

/** A connection to QEMU's machine protocol (QMP): commands in turn, events as they come. */
export class Qmp {
  readonly events: QmpEvent[] = [];
  readonly #pending = new Map<number, Pending>();
  readonly #waiters = new Set<EventWaiter>();
  #socket: TextSocket | null = null;
  #rest = '';
  #nextId = 1;

  private constructor() {}

  /** Connects and leaves the negotiation mode. */
  static async connect(socketPath: string): Promise<Qmp> {
    const qmp = new Qmp();
    qmp.#socket = await TextSocket.connect(
      'QMP',
      socketPath,
      (text) => qmp.#receive(text),
      () => qmp.#fail(new Error('QMP: QEMU closed the connection')),
    );
    await qmp.execute('qmp_capabilities');
    return qmp;
  }

  /** Runs a command and returns what it returns; rejects with QEMU's description when it fails. */
  execute(command: string, args?: Readonly<Record<string, unknown>>): Promise<unknown> {
    const id = this.#nextId;
    this.#nextId += 1;
    return this.#bounded(`no answer to ${command}`, TIMEOUT_MS, (pending) => {
      this.#pending.set(id, pending);
      this.#socket?.send(
        `${JSON.stringify({ execute: command, id, ...(args === undefined ? {} : { arguments: args }) })}\n`,
      );
      return () => this.#pending.delete(id);
    });
  }

  /** Waits for an event; one that came since `from`, an index into `events`, counts. */
  waitForEvent(name: string, from = 0, timeoutMs = TIMEOUT_MS): Promise<QmpEvent> {
    const seen = this.events.slice(from).find((event) => event.event === name);
    if (seen !== undefined) return Promise.resolve(seen);
    return this.#bounded(`no event ${name}`, timeoutMs, (pending) => {
      const waiter = { name, ...pending };
      this.#waiters.add(waiter);
      return () => this.#waiters.delete(waiter);
    }) as Promise<QmpEvent>;
  }

  close(): void {
    this.#socket?.close();
  }

  #bounded(what: string, timeoutMs: number, begin: (pending: Pending) => () => void): Promise<unknown> {
    return new Promise((resolve, reject) => {
      let forget = () => {};
      const timer = setTimeout(() => {
        forget();
        reject(new Error(`QMP: ${what} within ${timeoutMs / 1000} s`));
      }, timeoutMs);
      const settled = () => {
        clearTimeout(timer);
        forget();
      };
      forget = begin({
        resolve: (value) => {
          settled();
          resolve(value);
        },
        reject: (error) => {
          settled();
          reject(error);
        },
      });
    });
  }

  #receive(text: string): void {
    const lines = (this.#rest + text).split('\n');
    this.#rest = lines.pop() ?? '';
    for (const line of lines) {
      if (line.trim() === '') continue;
      const message = JSON.parse(line) as {
        id?: number;
        event?: string;
        return?: unknown;
        error?: { class: string; desc: string };
      };
      if (message.event !== undefined) {
        this.#notify(message as QmpEvent);
      } else if (message.id !== undefined) {
        const pending = this.#pending.get(message.id);
        if (message.error === undefined) pending?.resolve(message.return);
        else pending?.reject(new Error(`QMP: ${message.error.desc}`));
      }
    }
  }

  #notify(event: QmpEvent): void {
    this.events.push(event);
    for (const waiter of [...this.#waiters]) {
      if (waiter.name === event.event) waiter.resolve(event);
    }
  }

  #fail(error: Error): void {
    for (const pending of [...this.#pending.values(), ...this.#waiters]) pending.reject(error);
  }
}
