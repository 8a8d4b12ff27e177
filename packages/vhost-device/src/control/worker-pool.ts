import { Thread, within } from '@vhostlab/host';
import type { WorkerCommand, WorkerNote, WorkerOrder } from './commands.ts';

const GRACE_MS = 2000;

/** The worker threads of this process. Work of queue pair p is worker p modulo their number. */
export class WorkerPool {
  readonly #threads: readonly Thread[];

  constructor(module: URL, configs: readonly unknown[], onNote: (note: WorkerNote) => void) {
    this.#threads = configs.map((config, at) => {
      const thread = new Thread(module, config, `worker${at}`);
      thread.onNote = (note) => onNote(note as WorkerNote);
      return thread;
    });
  }

  get size(): number {
    return this.#threads.length;
  }

  /** Resolves when every worker has made its ports and takes commands; rejects when one could not. */
  async ready(): Promise<void> {
    await Promise.all(this.#threads.map((thread) => thread.call('ready' satisfies WorkerOrder)));
  }

  /** The worker of a queue pair does it. */
  call(pair: number, command: WorkerCommand): Promise<unknown> {
    return (this.#threads[pair % this.#threads.length] as Thread).call(command);
  }

  /** Every worker does it; resolves when all have. */
  async callAll(command: WorkerCommand): Promise<void> {
    await Promise.all(this.#threads.map((thread) => thread.call(command)));
  }

  /** Resolves with the error of the first worker that ends by itself. */
  async failure(): Promise<Error> {
    const error = await Promise.race(this.#threads.map((thread) => thread.ended));
    return error ?? new Error('a worker thread has ended');
  }

  /** Ends all workers: their descriptors are closed. One that does not answer is terminated. */
  async stop(): Promise<void> {
    await Promise.all(this.#threads.map(endThread));
  }
}

async function endThread(thread: Thread): Promise<void> {
  // one that failed has ended already
  const told = thread.call('end' satisfies WorkerOrder).catch(() => undefined);
  await within(
    told.then(() => thread.ended),
    GRACE_MS,
  );
  await thread.stop();
}
