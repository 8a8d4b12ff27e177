import { readFileSync } from 'node:fs';

/** Whether a process is stopped (SIGSTOP): it is there, and does nothing. */
export function isStopped(pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ').at(-1)?.startsWith('T') === true;
  } catch {
    return false;
  }
}

/** What is told of stopped programs, by node. */
export interface StoppedReport {
  onStopped(name: string): void;
  onResumed(name: string): void;
  /** It has been stopped for as long as one may be. */
  onLost(name: string, pid: number, stoppedS: number): void;
}

const LOOK_MS = 250;

/** Looks four times a second whether programs are stopped. */
export class StoppedWatch {
  readonly #pids: () => readonly (readonly [name: string, pid: number])[];
  readonly #timeoutMs: () => number;
  readonly #report: StoppedReport;
  readonly #since = new Map<string, number>();
  #timer: NodeJS.Timeout | undefined;

  constructor(
    pids: () => readonly (readonly [name: string, pid: number])[],
    timeoutMs: () => number,
    report: StoppedReport,
  ) {
    this.#pids = pids;
    this.#timeoutMs = timeoutMs;
    this.#report = report;
  }

  start(): void {
    this.#timer ??= setInterval(() => this.#look(), LOOK_MS);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #look(): void {
    const now = performance.now();
    for (const [name, pid] of this.#pids()) {
      const since = this.#since.get(name);
      if (!isStopped(pid)) {
        if (this.#since.delete(name)) this.#report.onResumed(name);
      } else if (since === undefined) {
        this.#since.set(name, now);
        this.#report.onStopped(name);
      } else if (now - since >= this.#timeoutMs()) {
        this.#report.onLost(name, pid, Math.round((now - since) / 1000));
      }
    }
  }
}
