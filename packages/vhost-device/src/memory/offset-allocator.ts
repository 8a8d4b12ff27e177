interface Range {
  offset: number;
  bytes: number;
}

/** Hands out ranges of `[start, end)`: first fit, neighbours joined when they come back. For control paths. */
export class OffsetAllocator {
  /** Free ranges by offset; no two touch. */
  readonly #free: Range[];

  constructor(start: number, end: number) {
    this.#free = [{ offset: start, bytes: end - start }];
  }

  get freeBytes(): number {
    return this.#free.reduce((sum, range) => sum + range.bytes, 0);
  }

  /** Offset of `bytes` at a multiple of `align`, or -1 when no free range is long enough. */
  alloc(bytes: number, align: number): number {
    for (let i = 0; i < this.#free.length; i++) {
      const range = this.#free[i] as Range;
      const at = Math.ceil(range.offset / align) * align;
      const end = range.offset + range.bytes;
      if (at + bytes > end) continue;
      const parts = [
        { offset: range.offset, bytes: at - range.offset },
        { offset: at + bytes, bytes: end - at - bytes },
      ];
      this.#free.splice(i, 1, ...parts.filter((part) => part.bytes > 0));
      return at;
    }
    return -1;
  }

  /** Takes a range back. Throws when a part of it is free already. */
  free(offset: number, bytes: number): void {
    let at = this.#free.findIndex((range) => range.offset > offset);
    if (at < 0) at = this.#free.length;
    const before = this.#free[at - 1];
    const after = this.#free[at];
    const overlapsBefore = before !== undefined && before.offset + before.bytes > offset;
    const overlapsAfter = after !== undefined && offset + bytes > after.offset;
    if (overlapsBefore || overlapsAfter) throw new Error(`${bytes} bytes at ${offset} are free already`);
    this.#free.splice(at, 0, { offset, bytes });
    this.#join(at);
    this.#join(at - 1);
  }

  #join(at: number): void {
    const here = this.#free[at];
    const next = this.#free[at + 1];
    if (here === undefined || next === undefined || here.offset + here.bytes !== next.offset) return;
    here.bytes += next.bytes;
    this.#free.splice(at + 1, 1);
  }
}
