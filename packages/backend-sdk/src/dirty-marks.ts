import type { Arena, Publisher } from '@vhostlab/memory';
import { DIRTY_PAGE_BYTES, DirtyLog } from '@vhostlab/memory';

/**
 * What a device marks while dirty logging is on: pages of guest memory that it wrote. The log's bytes are covered by
 * the next publication, so the VMM sees a page dirty no later than the used entry of what was written.
 */
export class DirtyMarks {
  readonly #publisher: Publisher;
  readonly #log: DirtyLog;
  readonly #offset: number;

  /** The log is `bytes` bytes at arena offset `offset`, in the window of the guest's memory. */
  constructor(arena: Arena, publisher: Publisher, offset: number, bytes: number) {
    this.#publisher = publisher;
    this.#log = new DirtyLog(arena, offset, bytes);
    this.#offset = offset;
  }

  /** Guest bytes `[gpa, gpa + length)` were written. Bytes that the log does not reach are not marked. */
  mark(gpa: number, length: number): void {
    if (length === 0 || !this.#log.mark(gpa, length)) return;
    const first = Math.floor(gpa / DIRTY_PAGE_BYTES) >>> 3;
    const last = Math.floor((gpa + length - 1) / DIRTY_PAGE_BYTES) >>> 3;
    this.#publisher.cover(this.#offset + first, last - first + 1);
  }
}
