import { Worker } from 'node:worker_threads';
import { eventFd, signalEvent } from './event-fd.ts';
import type { Fd } from './fd.ts';

/** What a thread is started with, besides its module. */
export interface ThreadData {
  /** Plain data of the caller. */
  data: unknown;
  /** One word: how many commands have been sent. */
  pending: Int32Array;
  /** Eventfd that is signalled with every command, for threads that wait. */
  wakeNumber: number;
}

/** A command on its way to a thread, and its answer on the way back. */
export interface ThreadCommand {
  id: number;
  body: unknown;
}
export type ThreadReply =
  | { id: number; result: unknown }
  | { id: number; error: string }
  | { id: 0; note: unknown };

/**
 * A worker thread that runs a loop of its own and never returns to its event loop. Commands reach it between two turns
 * of the loop (`threadInbox` is its side); each is answered once.
 */
export class Thread {
  readonly #worker: Worker;
  readonly #pending: Int32Array;
  readonly #wake: Fd;
  readonly #waiting = new Map<number, { resolve(result: unknown): void; reject(error: Error): void }>();
  #sent = 0;
  #end: Error | undefined;
  /** Resolves with the error that ended the thread, or undefined when it was stopped. */
  readonly ended: Promise<Error | undefined>;
  /** Called with what the thread tells on its own. */
  onNote: (note: unknown) => void = () => undefined;

  constructor(module: URL, data: unknown, name: string) {
    this.#pending = new Int32Array(new SharedArrayBuffer(4));
    this.#wake = eventFd();
    const workerData: ThreadData = { data, pending: this.#pending, wakeNumber: this.#wake.number };
    this.#worker = new Worker(module, { workerData, name });
    this.#worker.on('message', (reply: ThreadReply) => this.#onReply(reply));
    this.ended = new Promise((resolve) => {
      let failure: Error | undefined;
      this.#worker.once('error', (error) => {
        failure = error instanceof Error ? error : new Error(String(error));
      });
      this.#worker.once('exit', () => {
        this.#end = failure ?? new Error(`thread ${name} has ended`);
        for (const { reject } of this.#waiting.values()) reject(this.#end);
        this.#waiting.clear();
        this.#wake.close();
        resolve(failure);
      });
    });
  }

  /** Sends a command; resolves with the thread's answer, rejects when it failed or the thread has ended. */
  call(body: unknown): Promise<unknown> {
    if (this.#end !== undefined) return Promise.reject(this.#end);
    const id = ++this.#sent;
    const command: ThreadCommand = { id, body };
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#worker.postMessage(command);
      Atomics.add(this.#pending, 0, 1);
      signalEvent(this.#wake.number);
    });
  }

  /** Ends the thread wherever it is. */
  async stop(): Promise<void> {
    await this.#worker.terminate();
    await this.ended;
  }

  #onReply(reply: ThreadReply): void {
    if (reply.id === 0) {
      if ('note' in reply) this.onNote(reply.note);
      return;
    }
    const waiting = this.#waiting.get(reply.id);
    this.#waiting.delete(reply.id);
    if ('error' in reply) waiting?.reject(new Error(reply.error));
    else if ('result' in reply) waiting?.resolve(reply.result);
  }
}
