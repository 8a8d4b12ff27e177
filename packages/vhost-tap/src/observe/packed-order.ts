import { VIRTQ_DESC_F_NEXT } from '@vhostlab/virtqueue';
import type { PackedScan } from './packed-scan.ts';
import type { OrderEvidence } from './trust.ts';

/** Descriptors that have to be as they were, for a scan to go on from the one before. */
const EVIDENCE = 8;

/** Compares what was outstanding in one scan of a packed ring with what is used in the next: does the device keep an order? */
export class PackedOrder {
  readonly #scan: PackedScan;
  readonly #order: OrderEvidence;
  readonly #words: Uint32Array;
  /** Where the run of available descriptors began in the scan before, and the driver's place then; -1: there was none. */
  #start = -1;
  #avail = -1;

  constructor(scan: PackedScan, order: OrderEvidence) {
    this.#scan = scan;
    this.#order = order;
    this.#words = new Uint32Array(scan.size);
  }

  /** The next scan is not to be compared with the ones before. */
  forget(): void {
    this.#start = -1;
  }

  /** `start`: of the run of available descriptors in this scan. */
  look(start: number): void {
    if (this.#order.isRule) return;
    if (this.#start >= 0 && this.#goesOn(start)) this.#compare(start);
    this.#words.set(this.#scan.words);
    this.#start = start;
    this.#avail = this.#scan.avail;
  }

  /** True when what was outstanding still is, but for some of the oldest. */
  #goesOn(start: number): boolean {
    const scan = this.#scan;
    const left = scan.distance(start, this.#avail);
    if (left < EVIDENCE || left > scan.distance(this.#start, this.#avail)) return false;
    for (let place = start; place !== this.#avail; place = scan.move(place, 1)) {
      const slot = scan.slot(place);
      if (this.#words[slot] !== scan.words[slot]) return false;
    }
    return true;
  }

  /** A used descriptor stands where a buffer began; what follows it is the rest of that buffer. */
  #compare(start: number): void {
    const scan = this.#scan;
    let place = this.#start;
    while (place !== start) {
      if (scan.isUsed(place)) {
        const used = scan.words[scan.slot(place)] & 0xffff;
        const outstanding = scan.distance(place, this.#avail);
        this.#order.note(used === this.#idAt(place, outstanding), outstanding);
      }
      place = scan.move(place, 1);
    }
  }

  /** Id of the buffer that began at `place` in the scan before: its last descriptor has it. */
  #idAt(place: number, outstanding: number): number {
    const scan = this.#scan;
    let at = place;
    for (let left = outstanding; left > 1; left--) {
      if (((this.#words[scan.slot(at)] >>> 16) & VIRTQ_DESC_F_NEXT) === 0) break;
      at = scan.move(at, 1);
    }
    return this.#words[scan.slot(at)] & 0xffff;
  }
}
