import type { Fd } from '../fd.ts';
import type { Refused } from './backend-device.ts';

/** Longest wait for the end of a transfer once the front end asks for its result, in milliseconds. */
const CHECK_TIMEOUT_MS = 10_000;

/** One transfer of the device's internal state (SET_DEVICE_STATE_FD), which goes on while messages are handled. */
export class StateTransfer {
  readonly #result: Promise<Refused | null>;
  readonly #abort = new AbortController();
  /** True once the transfer has ended, well or not. */
  isDone = false;

  /** `run` moves the bytes; the descriptor is closed when it has ended. */
  constructor(fd: Fd, run: (fd: Fd, signal: AbortSignal) => Promise<Refused | null>) {
    this.#result = run(fd, this.#abort.signal)
      .catch((error: unknown): Refused => (error instanceof Error ? error.message : String(error)))
      .finally(() => {
        this.isDone = true;
        fd.close();
      });
  }

  /** Ends the transfer; `result` then says so. */
  abort(): void {
    this.#abort.abort();
  }

  /** How it ended: null, or why the state was not transferred. Aborts a transfer that does not end. */
  async result(): Promise<Refused | null> {
    const timer = setTimeout(() => this.abort(), CHECK_TIMEOUT_MS);
    try {
      return await this.#result;
    } finally {
      clearTimeout(timer);
    }
  }
}
