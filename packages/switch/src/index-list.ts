const END = -1;

/**
 * Small numbers in the order in which they were appended, any of which may leave. (A Set forgets its oldest
 * element in a time that grows with those that left before.)
 */
export class IndexList {
  readonly #next: number[] = [];
  readonly #previous: number[] = [];
  #first = END;
  #last = END;

  /** The number that was appended first, -1 when there is none. */
  get first(): number {
    return this.#first;
  }

  /** Appends a number that is not in the list. */
  append(index: number): void {
    this.#previous[index] = this.#last;
    this.#next[index] = END;
    if (this.#last === END) this.#first = index;
    else this.#next[this.#last] = index;
    this.#last = index;
  }

  /** Takes a number out that is in the list. */
  remove(index: number): void {
    const next = this.#next[index];
    const previous = this.#previous[index];
    if (previous === END) this.#first = next;
    else this.#next[previous] = next;
    if (next === END) this.#last = previous;
    else this.#previous[next] = previous;
  }

  /** All numbers, first to last; the one just answered may be removed. */
  *[Symbol.iterator](): Generator<number> {
    let index = this.#first;
    while (index !== END) {
      const next = this.#next[index];
      yield index;
      index = next;
    }
  }
}
