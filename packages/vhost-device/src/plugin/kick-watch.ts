import { drainEvent, Poller } from '@vhostlab/host';
import { COUNTER } from '../stats/queue-counters.ts';
import type { Vmm } from './vmm.ts';

/** A ring whose kicks are waited for. */
interface Watched {
  /** -1: it has no kick descriptor. It is then looked at whenever the thread wakes. */
  readonly number: number;
  readonly vmm: Vmm;
  readonly index: number;
  readonly counters: Float64Array;
}

const MAX_SLEEP_MS = 1000;
/** Rings without a kick descriptor are looked at this often by a thread that sleeps. */
const BLIND_SLEEP_MS = 1;
const PS_PER_MS = 1e9;
const WAKE = 0;

/** Where a thread sleeps: until a command, a kick or a moment. Descriptors stay the main thread's. */
export class KickWatch {
  readonly #poller = new Poller();
  readonly #rings = new Map<number, Watched>();
  readonly #blind = new Set<Watched>();
  readonly #wakeNumber: number;
  #next = WAKE + 1;

  /** `wakeNumber`: readable when commands wait. */
  constructor(wakeNumber: number) {
    this.#wakeNumber = wakeNumber;
    this.#poller.add({ number: wakeNumber, kind: 'command eventfd' }, WAKE);
  }

  /** Waits for the kicks of a ring from now on. Throws a HostError when its descriptor cannot be waited for. */
  watch(number: number, vmm: Vmm, index: number, counters: Float64Array): void {
    const watched = { number, vmm, index, counters };
    if (number < 0) {
      this.#blind.add(watched);
      return;
    }
    const token = this.#next++;
    this.#poller.add({ number, kind: 'kick eventfd' }, token);
    this.#rings.set(token, watched);
  }

  /** Waits for them no longer; nothing when nobody did. */
  unwatch(vmm: Vmm, index: number): void {
    const isIt = (one: Watched): boolean => one.vmm === vmm && one.index === index;
    for (const one of this.#blind) if (isIt(one)) this.#blind.delete(one);
    for (const [token, one] of this.#rings) {
      if (!isIt(one)) continue;
      this.#rings.delete(token);
      this.#poller.remove({ number: one.number });
    }
  }

  /** Sleeps for `forPs` picoseconds at most, less than a millisecond not at all. Kicks that came are passed on. */
  sleep(forPs: number): void {
    const limitMs = this.#blind.size > 0 ? BLIND_SLEEP_MS : MAX_SLEEP_MS;
    const ready = this.#poller.wait(Math.max(0, Math.min(limitMs, Math.floor(forPs / PS_PER_MS))));
    for (let i = 0; i < ready; i++) {
      const token = this.#poller.token(i);
      // a command may have been served before its signal came, and would wake the thread for ever
      if (token === WAKE) drainEvent(this.#wakeNumber);
      const ring = this.#rings.get(token);
      if (ring === undefined) continue;
      if (drainEvent(ring.number)) this.#kicked(ring);
      else this.#giveUp(token, ring);
    }
    for (const ring of this.#blind) ring.vmm.kick(ring.index);
  }

  /** Counts kicks that nobody waited for, because a poller looks anyway. */
  drain(): void {
    for (const ring of this.#rings.values()) if (drainEvent(ring.number)) ring.counters[COUNTER.kicks]++;
  }

  close(): void {
    this.#poller.close();
  }

  /** A descriptor that is ready and has nothing to read (a pipe whose writer is gone) would keep the thread awake. */
  #giveUp(token: number, ring: Watched): void {
    this.#rings.delete(token);
    this.#poller.remove({ number: ring.number });
    this.#blind.add(ring);
  }

  #kicked(ring: Watched): void {
    ring.counters[COUNTER.kicks]++;
    ring.vmm.kick(ring.index);
  }
}
