import { NO_VECTOR } from './pci-layout.ts';

const TWO_32 = 0x1_0000_0000;

/** What a driver told a device about one virtqueue through the common configuration. Addresses are guest physical. */
export class PciQueue {
  readonly index: number;
  readonly maxSize: number;
  size: number;
  vector = NO_VECTOR;
  enabled = false;
  /** queue_reset reads 1. */
  resetting = false;
  readonly #areas = new Uint32Array(6);

  constructor(index: number, maxSize: number) {
    this.index = index;
    this.maxSize = maxSize;
    this.size = maxSize;
  }

  /** Descriptor table, or descriptor ring. Exact below 2^53; larger addresses never translate. */
  get descriptorArea(): number {
    return this.#areas[0] + this.#areas[1] * TWO_32;
  }

  /** Available ring, or driver event suppression. */
  get driverArea(): number {
    return this.#areas[2] + this.#areas[3] * TWO_32;
  }

  /** Used ring, or device event suppression. */
  get deviceArea(): number {
    return this.#areas[4] + this.#areas[5] * TWO_32;
  }

  /** The 32-bit half `word` (0 to 5) of the three addresses in the order of the registers. */
  areaWord(word: number): number {
    return this.#areas[word];
  }

  setAreaWord(word: number, value: number): void {
    this.#areas[word] = value;
  }

  /** Back to the state after a device reset. */
  reset(): void {
    this.#areas.fill(0);
    this.size = this.maxSize;
    this.vector = NO_VECTOR;
    this.enabled = false;
    this.resetting = false;
  }
}
