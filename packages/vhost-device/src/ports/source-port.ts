import type { Arena } from '@vhostlab/memory';
import type { FrameSource } from '@vhostlab/workload';
import type { FrameBatch } from '../frames/frame-batch.ts';
import type { Port } from './port.ts';

const PS_PER_NS = 1000;

/**
 * Frames of a traffic source for the guest, at the source's moments or as fast as the guest takes them; takes every frame
 * of the guest. A paced source that falls behind catches up in bursts.
 */
export class SourcePort implements Port {
  readonly waitNumber = -1;
  readonly keeps = false;
  readonly drops = {};
  readonly #u8: Uint8Array;
  readonly #source: FrameSource;
  readonly #isPaced: boolean;
  readonly #nowNs: () => number;
  #startNs = -1;
  #hasNext: boolean;
  finished: string | undefined;

  constructor(arena: Arena, source: FrameSource, isPaced: boolean, nowNs: () => number) {
    this.#u8 = arena.u8;
    this.#source = source;
    this.#isPaced = isPaced;
    this.#nowNs = nowNs;
    this.#hasNext = source.next();
  }

  fromGuest(): void {
    // taken
  }

  toGuest(batch: FrameBatch, max: number): void {
    const source = this.#source;
    let count = 0;
    const elapsedPs = this.#isPaced ? this.#elapsedNs() * PS_PER_NS : 0;
    while (count < max && this.#hasNext && (!this.#isPaced || source.atPs <= elapsedPs)) {
      const home = batch.home(count);
      batch.offset[count] = home;
      batch.length[count] = source.write(this.#u8, home);
      batch.flags[count] = source.offload.flags;
      batch.gsoType[count] = source.offload.gsoType;
      batch.hdrLen[count] = source.offload.hdrLen;
      batch.gsoSize[count] = source.offload.gsoSize;
      batch.csumStart[count] = source.offload.csumStart;
      batch.csumOffset[count] = source.offload.csumOffset;
      count++;
      this.#hasNext = source.next();
    }
    batch.count = count;
    if (!this.#hasNext && this.finished === undefined) {
      this.finished = `all ${source.packets} frames have been given to the guest`;
    }
  }

  negotiated(): void {
    // sources of this port carry no offloads
  }

  dueInNs(nowNs: number): number {
    if (!this.#hasNext) return Number.POSITIVE_INFINITY;
    if (!this.#isPaced || this.#startNs < 0) return 0;
    return Math.max(0, this.#startNs + this.#source.atPs / PS_PER_NS - nowNs);
  }

  flush(): void {
    // nothing is kept back
  }

  close(): void {
    // nothing is open
  }

  #elapsedNs(): number {
    const now = this.#nowNs();
    if (this.#startNs < 0) this.#startNs = now;
    return now - this.#startNs;
  }
}
