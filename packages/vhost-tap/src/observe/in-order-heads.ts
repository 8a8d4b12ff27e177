import type { Arena } from '@vhostlab/memory';
import type { Findings } from './findings.ts';
import type { RingToObserve } from './ring-to-observe.ts';

/**
 * With VIRTIO_F_IN_ORDER the outstanding buffers of a split ring are the entries of the available ring from the used
 * index on, whatever went before (virtio 1.3, 2.7.14): a head that stands there twice is offered while it is
 * outstanding. One look is enough, so this is judged under load too.
 */
export class InOrderHeads {
  readonly #u16: Uint16Array;
  readonly #size: number;
  readonly #maxEntries: number;
  readonly #availRing: number;
  readonly #usedIndexWord: number;
  readonly #findings: Findings;
  readonly #heads: Uint16Array;
  /** By head: number of the look that met it last. */
  readonly #metAt: Float64Array;
  #look = 0;

  constructor(arena: Arena, ring: RingToObserve, findings: Findings, maxEntries: number) {
    this.#u16 = arena.u16;
    this.#size = ring.size;
    this.#maxEntries = Math.min(maxEntries, ring.size);
    this.#availRing = (ring.driverOffset + 4) >>> 1;
    this.#usedIndexWord = (ring.deviceOffset + 2) >>> 1;
    this.#findings = findings;
    this.#heads = new Uint16Array(this.#maxEntries);
    this.#metAt = new Float64Array(ring.size);
  }

  /** Looks at what is outstanding between the two indices, the newest of it. */
  look(used: number, avail: number): void {
    const count = Math.min((avail - used) & 0xffff, this.#maxEntries);
    const mask = this.#size - 1;
    for (let i = 1; i <= count; i++) this.#heads[i - 1] = this.#u16[this.#availRing + ((avail - i) & mask)];
    // an entry stays as it is until its buffer is used
    const ahead = (avail - Atomics.load(this.#u16, this.#usedIndexWord)) & 0xffff;
    const resting = ahead > this.#size ? 0 : Math.min(count, ahead);
    const look = ++this.#look;
    let twice = -1;
    for (let i = 0; i < resting; i++) {
      const head = this.#heads[i];
      if (head >= this.#size) continue;
      if (this.#metAt[head] === look) twice = i;
      this.#metAt[head] = look;
    }
    this.#findings.sayOnce('avail-head-busy', twice >= 0, () => {
      const index = (avail - 1 - twice) & 0xffff;
      return `head ${this.#heads[twice]} of avail entry ${index} is offered again before it was used`;
    });
  }
}
