import { monotonicNs } from '@vhostlab/host';

/** Calls `look` so many times a second on this thread's event loop; one that comes late is made up for, ten are not. */
export class Sampler {
  readonly #periodNs: number;
  readonly #look: () => void;
  #nextNs: number;
  #timer: NodeJS.Timeout | undefined;
  #isStopped = false;
  ticks = 0;

  constructor(hz: number, look: () => void) {
    this.#periodNs = 1e9 / hz;
    this.#look = look;
    this.#nextNs = monotonicNs() + this.#periodNs;
    this.#schedule();
  }

  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#timer);
  }

  #schedule(): void {
    const waitMs = Math.max(0, (this.#nextNs - monotonicNs()) / 1e6);
    this.#timer = setTimeout(() => this.#tick(), Math.floor(waitMs));
  }

  #tick(): void {
    const now = monotonicNs();
    // timers of the event loop have whole milliseconds: late by less than one is on time
    if (now >= this.#nextNs) {
      this.ticks++;
      this.#look();
      this.#nextNs = Math.max(this.#nextNs + this.#periodNs, now - 10 * this.#periodNs);
    }
    if (!this.#isStopped) this.#schedule();
  }
}
