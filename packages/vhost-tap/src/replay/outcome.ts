import { type SeenViolation, type ViolationCount, ViolationCounts } from '../tap/violation-counts.ts';

/** An answer, or the lack of one, that is not as in the record. */
export interface Difference {
  /** Name of the message, or of what happened. */
  readonly about: string;
  /** One sentence: what was answered, and what is recorded. */
  readonly text: string;
}

/** How much of the record was played. */
export interface PlayedCounts {
  messages: number;
  rings: number;
  /** Buffers that were offered again, and those that could not be. */
  offered: number;
  skipped: number;
  used: number;
  kicks: number;
  calls: number;
}

/** What one run has shown. */
export class Outcome {
  readonly differences: Difference[] = [];
  readonly notes = new Set<string>();
  readonly counts: PlayedCounts = {
    messages: 0,
    rings: 0,
    offered: 0,
    skipped: 0,
    used: 0,
    kicks: 0,
    calls: 0,
  };
  readonly #exact = new ViolationCounts();
  readonly #observed = new ViolationCounts();

  /** `exact`: the driver's own finding, which the observer may have seen too. */
  violation(violation: SeenViolation, exact: boolean): void {
    (exact ? this.#exact : this.#observed).add(violation);
  }

  differs(about: string, text: string): void {
    this.differences.push({ about, text });
  }

  /** Each violation once, whoever found it. */
  get violations(): ViolationCount[] {
    const exact = this.#exact.list();
    const known = new Set(exact.map(({ code, queue }) => `${code}/${queue}`));
    return [...exact, ...this.#observed.list().filter(({ code, queue }) => !known.has(`${code}/${queue}`))];
  }
}
