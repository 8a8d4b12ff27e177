/** Violations of one code that are written down in full; more are counted. */
const MOST_PER_CODE = 100;

/** A violation as reports show it. */
export interface SeenViolation {
  readonly code: string;
  readonly party: string;
  /** Null: of no ring. */
  readonly queue: number | null;
  readonly text: string;
  readonly clause: string;
}

/** Violations of one code on one ring. */
export interface ViolationCount {
  readonly code: string;
  readonly party: string;
  readonly queue: number | null;
  readonly clause: string;
  /** The first one's sentence. */
  readonly first: string;
  count: number;
}

/** Counts violations by code, ring and party. */
export class ViolationCounts {
  readonly #counts = new Map<string, ViolationCount>();
  total = 0;

  /** False when enough of its kind were written down already. */
  add({ code, party, queue, text, clause }: SeenViolation): boolean {
    this.total++;
    const key = `${code}/${party}/${queue}`;
    const entry = this.#counts.get(key);
    if (entry === undefined) {
      this.#counts.set(key, { code, party, queue, clause, first: text, count: 1 });
      return true;
    }
    entry.count++;
    return entry.count <= MOST_PER_CODE;
  }

  /** In the order in which they came first. */
  list(): ViolationCount[] {
    return [...this.#counts.values()];
  }
}
