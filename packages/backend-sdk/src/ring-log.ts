import type { Publisher } from '@vhostlab/memory';
import type { DirtyMarks } from './dirty-marks.ts';

/** An area of a ring that its device writes. */
export interface LoggedArea {
  /** Arena offset of its first byte, and where writes to it are logged (log_guest_addr for used entries). */
  offset: number;
  gpa: number;
  bytes: number;
}

/** Whether and where writes to one ring are logged; shared by the control side and the ring's publisher. */
export interface RingLogging {
  /** Used entries first (of a packed ring: the descriptors), then event words that lie apart. */
  areas: LoggedArea[];
  /** VHOST_VRING_F_LOG. */
  isOn: boolean;
}

/**
 * The publisher of a device queue whose writes to the ring, used entries and event words, are logged. Marks follow the
 * word: a log that is taken in between shows the page again later, never too early.
 */
export class RingLog implements Publisher {
  readonly #inner: Publisher;
  readonly #logging: RingLogging;
  readonly #marks: () => DirtyMarks | undefined;

  constructor(inner: Publisher, logging: RingLogging, marks: () => DirtyMarks | undefined) {
    this.#inner = inner;
    this.#logging = logging;
    this.#marks = marks;
  }

  cover(offset: number, length: number): void {
    this.#inner.cover(offset, length);
    this.#mark(offset, length);
  }

  u16(offset: number, value: number): void {
    this.#inner.u16(offset, value);
    this.#mark(offset, 2);
  }

  u32(offset: number, value: number): void {
    this.#inner.u32(offset, value);
    this.#mark(offset, 4);
  }

  #mark(offset: number, length: number): void {
    const marks = this.#marks();
    if (marks === undefined || !this.#logging.isOn) return;
    for (const area of this.#logging.areas) {
      const into = offset - area.offset;
      if (into >= 0 && into < area.bytes) marks.mark(area.gpa + into, length);
    }
  }
}
