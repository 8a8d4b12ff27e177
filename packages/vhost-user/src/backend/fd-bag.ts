import type { Fd } from '../fd.ts';

/** The descriptors of one message: what no handler takes is closed. */
export class FdBag {
  readonly #fds: (Fd | null)[];

  constructor(fds: readonly Fd[]) {
    this.#fds = [...fds];
  }

  /** Lends the descriptor at `at`: it stays the bag's. Null: there is none. */
  peek(at: number): Fd | null {
    return this.#fds[at] ?? null;
  }

  /** Gives the descriptor at `at` away. Null: there is none. */
  take(at: number): Fd | null {
    const fd = this.#fds[at] ?? null;
    if (fd !== null) this.#fds[at] = null;
    return fd;
  }

  /** Closes what is left. */
  close(): void {
    for (const fd of this.#fds) fd?.close();
    this.#fds.length = 0;
  }
}
