import { ContractError } from '@vhostlab/contracts';
import type { Part } from '../services/parts.ts';

/** What a watchdog looks after. */
export interface Watched {
  role: Part;
  /** Resolves when the service answers. */
  ask(timeoutMs: number): Promise<void>;
}

/** What it tells. */
export interface WatchdogReport {
  /** A service has not answered for `STALL_NOTICE_MS`. */
  onStalled(role: Part): void;
  /** It answers again. */
  onResumed(role: Part): void;
  /** It has not answered for the whole time that it may be silent, or its connection is broken and stays so. */
  onLost(role: Part, silentMs: number): void;
  /** All services answer, and yet virtual time has stood still for so long. */
  onStuck(silentMs: number): void;
}

const PERIOD_MS = 250;
/** Silence that is worth a word; a service answers every few milliseconds while it works. */
export const STALL_NOTICE_MS = 3_000;

/**
 * Asks every service four times a second whether it is there: a stopped process, a cut link and a machine that is gone look
 * alike to a connection that says nothing. `timeoutMs` is how long one may be silent.
 */
export class Watchdog {
  readonly #report: WatchdogReport;
  readonly #timeoutMs: number;
  readonly #noticeMs: number;
  readonly #answeredAt = new Map<Part, number>();
  /** Since when nobody listens where a service was. */
  readonly #goneSince = new Map<Part, number>();
  readonly #asking = new Set<Part>();
  readonly #stalled = new Set<Part>();
  #watched: readonly Watched[] = [];
  #timer: NodeJS.Timeout | undefined;
  #progressAt = 0;
  #isRunning = false;

  constructor(timeoutMs: number, report: WatchdogReport, noticeMs = STALL_NOTICE_MS) {
    this.#timeoutMs = timeoutMs;
    this.#noticeMs = noticeMs;
    this.#report = report;
  }

  watch(watched: readonly Watched[]): void {
    this.#watched = watched;
    const now = performance.now();
    for (const { role } of watched) this.#answeredAt.set(role, now);
    this.#timer ??= setInterval(() => this.#look(), PERIOD_MS);
  }

  /** A run begins or has ended; only a run can be stuck. */
  running(isRunning: boolean): void {
    this.#isRunning = isRunning;
    this.progress();
  }

  /** The run went on. */
  progress(): void {
    this.#progressAt = performance.now();
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#watched = [];
  }

  #look(): void {
    const now = performance.now();
    for (const { role, ask } of this.#watched) {
      const silentMs = now - (this.#answeredAt.get(role) ?? now);
      const goneMs = now - (this.#goneSince.get(role) ?? now);
      if (silentMs >= this.#timeoutMs || goneMs >= this.#noticeMs) this.#report.onLost(role, silentMs);
      else if (silentMs >= this.#noticeMs && !this.#stalled.has(role)) {
        this.#stalled.add(role);
        this.#report.onStalled(role);
      }
      if (!this.#asking.has(role)) void this.#ask(role, ask);
    }
    // time that stands still because of a silent service is told above
    if (this.#stalled.size > 0) this.#progressAt = now;
    const stillMs = now - this.#progressAt;
    if (this.#isRunning && stillMs >= this.#timeoutMs) this.#report.onStuck(stillMs);
  }

  async #ask(role: Part, ask: Watched['ask']): Promise<void> {
    this.#asking.add(role);
    try {
      await ask(this.#timeoutMs);
      this.#answeredAt.set(role, performance.now());
      this.#goneSince.delete(role);
      if (this.#stalled.delete(role)) this.#report.onResumed(role);
    } catch (error) {
      // asked again after the next period; a broken connection tells more than silence
      const isGone = error instanceof ContractError && error.code === 'UNAVAILABLE';
      if (isGone && !this.#goneSince.has(role)) this.#goneSince.set(role, performance.now());
    } finally {
      this.#asking.delete(role);
    }
  }
}
