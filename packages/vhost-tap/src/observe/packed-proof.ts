import { monotonicNs } from '@vhostlab/host';
import type { Arena } from '@vhostlab/memory';
import type { PackedScan } from './packed-scan.ts';
import type { RingToObserve } from './ring-to-observe.ts';
import { fewerThan } from './trust.ts';

/** Longest wait for a device: a small part of the time between two samples. */
const MAX_WAIT_NS = 10_000;

/**
 * Tells whose the length in an available descriptor was. A device may write id and length of a used descriptor some time
 * before it publishes the flags, so a strange length may be its own. But it writes them once: when it then publishes
 * another length, the first one was the driver's, beyond doubt.
 */
export class PackedProof {
  readonly #scan: PackedScan;
  readonly #u32: Uint32Array;
  readonly #descWord: number;
  readonly #laps: number;
  readonly #clock: () => number;

  /** `clock`: nanoseconds. */
  constructor(arena: Arena, ring: RingToObserve, scan: PackedScan, clock = monotonicNs) {
    this.#scan = scan;
    this.#u32 = arena.u32;
    this.#descWord = ring.descOffset >>> 2;
    this.#laps = 2 * ring.size;
    this.#clock = clock;
  }

  now(): number {
    return this.#clock();
  }

  /**
   * True when the descriptor at `place`, which was available and had this length after `sinceNs`, comes to be used with
   * another one within moments, too few for the ring to have gone around. False says nothing.
   */
  isDriversLength(place: number, length: number, sinceNs: number): boolean {
    const scan = this.#scan;
    const word = this.#descWord + 4 * scan.slot(place);
    for (;;) {
      const id = scan.usedIdNow(place);
      const published = Atomics.load(this.#u32, word + 2);
      const isStill = scan.usedIdNow(place) === id;
      const elapsedNs = this.#clock() - sinceNs;
      if (elapsedNs > MAX_WAIT_NS || !fewerThan(this.#laps, elapsedNs)) return false;
      if (id >= 0) return isStill && published !== length;
    }
  }
}
