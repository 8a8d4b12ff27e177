import type { BufferPlan } from './plan.ts';

/** Buffers in guest memory by number, and which of them nobody uses. */
export class Buffers {
  readonly count: number;
  readonly frameBytes: number;
  /** Arena offset and guest address of each buffer's frame; the header lies right before it. */
  readonly frameOffset: Uint32Array;
  readonly frameGpa: Float64Array;
  readonly #free: Uint32Array;
  #freeCount = 0;

  constructor(plan: BufferPlan) {
    const { count, areas, strideBytes, frameAt } = plan;
    this.count = count;
    this.frameBytes = plan.frameBytes;
    this.frameOffset = new Uint32Array(count);
    this.frameGpa = new Float64Array(count);
    this.#free = new Uint32Array(count);
    for (let i = 0; i < count; i++) {
      const { offset, gpa } = areas[i % areas.length];
      const within = Math.floor(i / areas.length) * strideBytes + frameAt;
      this.frameOffset[i] = offset + within;
      this.frameGpa[i] = gpa + within;
    }
    for (let i = count - 1; i >= 0; i--) this.give(i);
  }

  get freeCount(): number {
    return this.#freeCount;
  }

  /** Takes a free buffer; there must be one. @hot */
  take(): number {
    return this.#free[--this.#freeCount];
  }

  /** Takes `n` free buffers into `list`; there must be as many. @hot */
  takeBurst(list: Uint32Array, n: number): void {
    const from = this.#freeCount - n;
    const free = this.#free;
    for (let i = 0; i < n; i++) list[i] = free[from + i];
    this.#freeCount = from;
  }

  /** Gives back the first `n` of `tokens`. @hot */
  giveBurst(tokens: Float64Array, n: number): void {
    const free = this.#free;
    const to = this.#freeCount;
    for (let i = 0; i < n; i++) free[to + i] = tokens[i];
    this.#freeCount = to + n;
  }

  /** Gives a buffer back. @hot */
  give(buffer: number): void {
    this.#free[this.#freeCount++] = buffer;
  }
}
