import { drainEvent, Fd, Poller } from '@vhostlab/host';
import { COUNTER } from './counters.ts';
import type { PairRunner } from './pair-runner.ts';
import type { Ring } from './ring.ts';

const WAKE = 0;
const INTERRUPTS = COUNTER.interrupts;
/** A wait of the kernel is that coarse; what is due earlier is polled for. */
const TICK_MS = 1;

/** Sleeps until a call, a command or the next departure. */
export class Idle {
  readonly #poller = new Poller();
  readonly #rings = new Map<number, Ring>();
  readonly #wakeNumber: number;

  /** `wakeNumber`: the eventfd of commands, which stays its owner's. */
  constructor(wakeNumber: number) {
    this.#wakeNumber = wakeNumber;
    this.#poller.add(new Fd(wakeNumber, 'wake-up'), WAKE);
  }

  /** Listens to the calls of a ring from now on. */
  watch(ring: Ring): void {
    this.#rings.set(ring.plan.index, ring);
    this.#poller.add(new Fd(ring.call, 'call'), ring.plan.index + 1);
  }

  unwatch(ring: Ring): void {
    if (!this.#rings.delete(ring.plan.index)) return;
    this.#poller.remove(new Fd(ring.call, 'call'));
  }

  /** Sleeps until a command comes. */
  forCommand(): void {
    this.#wait(-1);
  }

  /**
   * Asks for interrupts and sleeps, unless work came in between (virtio 1.3, 2.7.14: ask, full barrier, look again).
   * Wakes up for what an app has to do by itself.
   */
  forWork(pairs: readonly PairRunner[]): void {
    let timeoutMs = -1;
    for (const { app, rings } of pairs) {
      const [rx, tx] = rings;
      rx.queue.enableInterrupts();
      if (app.awaitsTx) tx.queue.enableInterruptsAfter(Math.ceil((tx.queue.inFlight * 3) / 4));
      const dueMs = app.waitMs();
      if (dueMs >= 0 && (timeoutMs < 0 || dueMs < timeoutMs)) timeoutMs = dueMs;
    }
    const sleeps = (timeoutMs < 0 || timeoutMs >= TICK_MS) && !pairs.some(hasWork);
    if (sleeps) this.#wait(timeoutMs < 0 ? -1 : Math.floor(timeoutMs));
    for (const { rings } of pairs) for (const ring of rings) ring.queue.disableInterrupts();
  }

  #wait(timeoutMs: number): void {
    const ready = this.#poller.wait(timeoutMs);
    for (let i = 0; i < ready; i++) {
      const token = this.#poller.token(i);
      // a command may have been served before its signal came, and would wake the thread for ever
      if (token === WAKE) drainEvent(this.#wakeNumber);
      const ring = token === WAKE ? undefined : this.#rings.get(token - 1);
      if (ring !== undefined && drainEvent(ring.call)) ring.counters[INTERRUPTS] += 1;
    }
  }

  close(): void {
    this.#poller.close();
  }
}

function hasWork({ app, rings }: PairRunner): boolean {
  return rings[0].queue.hasUsed() || (app.awaitsTx && rings[1].queue.hasUsed());
}
