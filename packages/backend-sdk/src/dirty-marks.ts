import type { Arena, Publisher } from '@vhostlab/memory';
import { DIRTY_PAGE_BYTES, DirtyLog } from '@vhostlab/memory';

/**
 * What a device marks while dirty logging is on: pages of guest memory that it wrote. A log in the guest's window is
 * shared memory, read by whoever maps it; one that the back end keeps is taken by a request.
 */
export class DirtyMarks {
  readonly #arena: Arena;
  readonly #publisher: Publisher | undefined;
  readonly #log: DirtyLog;
  readonly #offset: number;
  readonly #bytes: number;

  /** The log is `bytes` bytes at arena offset `offset`; `publisher`: of the guest's window, when it lies there. */
  constructor(arena: Arena, publisher: Publisher | undefined, offset: number, bytes: number) {
    this.#arena = arena;
    this.#publisher = publisher;
    this.#log = new DirtyLog(arena, offset, bytes);
    this.#offset = offset;
    this.#bytes = bytes;
  }

  /** True when the back end keeps the log itself. */
  get isKept(): boolean {
    return this.#publisher === undefined;
  }

  /** Guest bytes `[gpa, gpa + length)` were written. Bytes that the log does not reach are not marked. */
  mark(gpa: number, length: number): void {
    if (length === 0 || !this.#log.mark(gpa, length) || this.#publisher === undefined) return;
    const first = Math.floor(gpa / DIRTY_PAGE_BYTES) >>> 3;
    const last = Math.floor((gpa + length - 1) / DIRTY_PAGE_BYTES) >>> 3;
    this.#publisher.cover(this.#offset + first, last - first + 1);
  }

  /** Takes a log that is kept here, and empties it. */
  take(): Uint8Array {
    const log = this.#arena.u8.slice(this.#offset, this.#offset + this.#bytes);
    this.#log.clear();
    return log;
  }
}
