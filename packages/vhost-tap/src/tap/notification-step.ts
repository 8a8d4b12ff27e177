import {
  drainEvent,
  drainedCount,
  eventFd,
  type Fd,
  isEventFd,
  isNonBlocking,
  type Reactor,
  signalEvent,
} from '@vhostlab/host';
import type { Decision } from '../inject/injector.ts';

/** What a step does with a signal that came: says what is to become of it. */
export type OnSignal = (count: number) => Decision;

/**
 * Stands between an eventfd that one peer gave and the one that the other gets: each signal is seen, and handed on.
 * `ours` belongs to whoever sends it on.
 */
export class NotificationStep {
  readonly #stop: () => void;
  readonly #timers = new Set<NodeJS.Timeout>();
  readonly #from: Fd;
  readonly #to: Fd;

  /**
   * `from` is watched, `to` is signalled; both are this object's from now on.
   */
  constructor(reactor: Reactor, from: Fd, to: Fd, onSignal: OnSignal) {
    this.#from = from;
    this.#to = to;
    this.#stop = reactor.watch(from, () => this.#ready(onSignal));
  }

  /** Descriptor of the watched and of the signalled eventfd. */
  get watched(): Fd {
    return this.#from;
  }

  get signalled(): Fd {
    return this.#to;
  }

  /** True when a peer's descriptor can be stepped into without ever waiting on it. */
  static isPossible(fd: Fd): boolean {
    return isEventFd(fd) && isNonBlocking(fd);
  }

  /** A fresh eventfd for the other peer. */
  static fresh(): Fd {
    return eventFd();
  }

  /** Ends it; a signal that waits for its delay goes out at once. */
  close(): void {
    this.#stop();
    if (this.#timers.size > 0) signalEvent(this.#to.number);
    for (const timer of this.#timers) clearTimeout(timer);
    this.#from.close();
    this.#to.close();
  }

  #ready(onSignal: OnSignal): void {
    if (!drainEvent(this.#from.number)) return;
    const { drop, duplicate, delayNs } = onSignal(drainedCount());
    if (drop) return;
    if (delayNs === 0) this.#signal(duplicate);
    else {
      const timer = setTimeout(() => {
        this.#timers.delete(timer);
        this.#signal(duplicate);
      }, delayNs / 1e6);
      this.#timers.add(timer);
    }
  }

  #signal(twice: boolean): void {
    signalEvent(this.#to.number);
    if (twice) signalEvent(this.#to.number);
  }
}
