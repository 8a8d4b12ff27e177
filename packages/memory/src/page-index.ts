/**
 * A hash from page number (0..2^53) to a slot number, open addressing with linear probing in typed arrays. Twice as
 * many places as slots, so probes stay short; removal shifts back, so there are no tombstones.
 */
export class PageIndex {
  readonly #keys: Float64Array;
  readonly #slots: Int32Array;
  readonly #mask: number;

  /** Room for `entries` pages at once; the caller never inserts more. */
  constructor(entries: number) {
    let places = 4;
    while (places < entries * 2) places *= 2;
    this.#keys = new Float64Array(places).fill(-1);
    this.#slots = new Int32Array(places);
    this.#mask = places - 1;
  }

  #home(page: number): number {
    const mixed = Math.imul(page ^ (page / 0x1_0000_0000), 0x9e3779b1);
    return (mixed ^ (mixed >>> 15)) & this.#mask;
  }

  /** Slot of `page`, -1 when it is not there. */
  find(page: number): number {
    const keys = this.#keys;
    for (let at = this.#home(page); ; at = (at + 1) & this.#mask) {
      const key = keys[at];
      if (key === page) return this.#slots[at];
      if (key < 0) return -1;
    }
  }

  /** Adds a page that is not there. */
  insert(page: number, slot: number): void {
    let at = this.#home(page);
    while (this.#keys[at] >= 0) at = (at + 1) & this.#mask;
    this.#keys[at] = page;
    this.#slots[at] = slot;
  }

  /** Removes a page that is there. */
  remove(page: number): void {
    const keys = this.#keys;
    let hole = this.#home(page);
    while (keys[hole] !== page) hole = (hole + 1) & this.#mask;
    for (let at = (hole + 1) & this.#mask; keys[at] >= 0; at = (at + 1) & this.#mask) {
      const distance = (at - this.#home(keys[at])) & this.#mask;
      if (distance >= ((at - hole) & this.#mask)) {
        keys[hole] = keys[at];
        this.#slots[hole] = this.#slots[at];
        hole = at;
      }
    }
    keys[hole] = -1;
  }

  clear(): void {
    this.#keys.fill(-1);
  }
}
