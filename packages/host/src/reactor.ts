import { drainEvent, eventFd, signalEvent } from './event-fd.ts';
import type { Descriptor, Fd } from './fd.ts';
import { EVENT_READABLE, Poller } from './poller.ts';

interface Watch {
  fd: Descriptor;
  onReady: (events: number) => void;
}

const STOP = 0;

/** Stop descriptors of the reactors that run. */
const running = new Set<Fd>();

/** The process waits at its end for the pool's threads, and those that sit in epoll would never come back. */
process.on('exit', () => {
  for (const stop of running) signalEvent(stop.number);
});

/**
 * Descriptors of the event loop's own thread: callbacks run there while a thread of libuv's pool waits in epoll.
 * Level-triggered: a callback that leaves something to read is called again.
 */
export class Reactor {
  readonly #poller = new Poller();
  readonly #stop: Fd;
  readonly #watches = new Map<number, Watch>();
  #nextToken = STOP + 1;
  #isStopped = false;
  readonly #done: Promise<void>;

  constructor() {
    this.#stop = eventFd();
    this.#poller.add(this.#stop, STOP);
    running.add(this.#stop);
    this.#done = this.#run();
  }

  /** Calls `onReady` whenever `fd` is ready. Answers a function that ends it; call it before the descriptor is closed. */
  watch(fd: Descriptor, onReady: (events: number) => void, events = EVENT_READABLE): () => void {
    const token = this.#nextToken++;
    this.#poller.add(fd, token, events);
    this.#watches.set(token, { fd, onReady });
    return () => {
      if (this.#watches.delete(token)) this.#poller.remove(fd);
    };
  }

  /** Ends it: no callback runs any more once the promise resolves. Descriptors stay their owners'. */
  async stop(): Promise<void> {
    if (!this.#isStopped) {
      this.#isStopped = true;
      signalEvent(this.#stop.number);
    }
    await this.#done;
  }

  async #run(): Promise<void> {
    while (!this.#isStopped) {
      const ready = await this.#poller.waitAsync(-1);
      for (let i = 0; i < ready && !this.#isStopped; i++) {
        const token = this.#poller.token(i);
        if (token === STOP) drainEvent(this.#stop.number);
        else this.#watches.get(token)?.onReady(this.#poller.events(i));
      }
    }
    this.#watches.clear();
    this.#poller.close();
    running.delete(this.#stop);
    this.#stop.close();
  }
}
