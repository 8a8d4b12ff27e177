import { MAX_VECTORS, MSIX_ENTRY, NO_VECTOR } from './pci-layout.ts';

/** MSI-X table and pending bits of one function (PCI 3.0, 6.8.2): masked vectors wait in the pending bits. */
export class MsixTable {
  readonly vectors: number;
  readonly #table: Uint32Array;
  readonly #pending: Uint32Array;
  readonly #fire: (vector: number) => void;
  #enabled = false;
  #functionMask = false;

  /** `fire` sends the message of a vector. Throws a RangeError for a number of vectors outside 0 to 256. */
  constructor(vectors: number, fire: (vector: number) => void) {
    if (!Number.isInteger(vectors) || vectors < 0 || vectors > MAX_VECTORS) {
      throw new RangeError(`${vectors} MSI-X vectors: 0 to ${MAX_VECTORS} are possible`);
    }
    this.vectors = vectors;
    this.#table = new Uint32Array(vectors * 4);
    this.#pending = new Uint32Array(Math.ceil(vectors / 32));
    this.#fire = fire;
    this.reset();
  }

  get enabled(): boolean {
    return this.#enabled;
  }

  /** Power-on state: disabled, all vectors masked, nothing pending. */
  reset(): void {
    this.#table.fill(0);
    this.#pending.fill(0);
    for (let vector = 0; vector < this.vectors; vector++) this.#table[vector * 4 + 3] = 1;
    this.#enabled = false;
    this.#functionMask = false;
  }

  /** Bits 14 (function mask) and 15 (enable) of the message control word. */
  control(enabled: boolean, functionMask: boolean): void {
    this.#enabled = enabled;
    this.#functionMask = functionMask;
    for (let vector = 0; vector < this.vectors; vector++) this.#release(vector);
  }

  /** What a driver reads back after it asked for `vector`: the same, or NO_VECTOR when there is none such. */
  assignable(vector: number): number {
    return vector < this.vectors ? vector : NO_VECTOR;
  }

  /** Message data and address of a vector, as the driver programmed them. */
  data(vector: number): number {
    return this.#table[vector * 4 + 2];
  }

  addressLow(vector: number): number {
    return this.#table[vector * 4];
  }

  /** Sends the message of `vector` or, while it is masked, leaves it pending. NO_VECTOR: nothing. */
  raise(vector: number): void {
    if (vector >= this.vectors) return;
    this.#pending[vector >>> 5] |= 1 << (vector & 31);
    this.#release(vector);
  }

  readTable(offset: number): number {
    return this.#table[offset >>> 2] ?? 0;
  }

  writeTable(offset: number, value: number): void {
    const word = offset >>> 2;
    if (word >= this.#table.length) return;
    this.#table[word] = (offset & (MSIX_ENTRY.$size - 1)) === MSIX_ENTRY.control ? value & 1 : value;
    this.#release(word >>> 2);
  }

  /** 32 pending bits from byte `offset` of the pending bit array. */
  readPending(offset: number): number {
    return this.#pending[offset >>> 2] ?? 0;
  }

  #release(vector: number): void {
    if (!this.#enabled || this.#functionMask || (this.#table[vector * 4 + 3] & 1) !== 0) return;
    const bit = 1 << (vector & 31);
    if ((this.#pending[vector >>> 5] & bit) === 0) return;
    this.#pending[vector >>> 5] &= ~bit;
    this.#fire(vector);
  }
}
