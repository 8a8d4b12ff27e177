import { FRAME_OFFSET, type PairLayout } from '@vhostlab/workload';

/**
 * The packet buffers of one queue pair, by index. Free buffers are taken in turn, oldest first, so that all of them
 * are in use as those of a large pool are. Frames that the device merged are chains through `next`.
 */
export class BufferPool {
  /** Guest address of the frame; the header stands right in front of it. */
  readonly gpa: Float64Array;
  /** Bytes of data in the buffer (merged frames), next buffer of the frame or -1, and packet of a transmitted frame. */
  readonly bytes: Uint32Array;
  readonly next: Int32Array;
  readonly packet: Float64Array;
  /** First index of the large buffers, and of those for faults. */
  readonly firstLarge: number;
  readonly firstFault: number;
  readonly #small: Ring;
  readonly #large: Ring;

  constructor(layout: PairLayout) {
    const { small, large, faultBuffers } = layout;
    this.firstLarge = small.count;
    this.firstFault = small.count + large.count;
    const total = this.firstFault + faultBuffers.length;
    this.gpa = new Float64Array(total);
    this.bytes = new Uint32Array(total);
    this.next = new Int32Array(total).fill(-1);
    this.packet = new Float64Array(total).fill(-1);
    for (let i = 0; i < small.count; i++) this.gpa[i] = small.gpa + i * small.stride + FRAME_OFFSET;
    for (let i = 0; i < large.count; i++) {
      this.gpa[this.firstLarge + i] = large.gpa + i * large.stride + FRAME_OFFSET;
    }
    faultBuffers.forEach(({ gpa }, i) => {
      this.gpa[this.firstFault + i] = gpa + FRAME_OFFSET;
    });
    this.#small = new Ring(0, small.count);
    this.#large = new Ring(this.firstLarge, large.count);
  }

  /** A buffer for one frame, -1 when there is none. */
  takeSmall(): number {
    return this.#small.take();
  }

  /** A buffer of 68 KiB, -1 when there is none. */
  takeLarge(): number {
    return this.#large.take();
  }

  /** Gives back a frame's buffers, the whole chain. Those for faults stay aside. */
  free(index: number): void {
    for (let i = index; i >= 0; ) {
      const next = this.next[i];
      this.next[i] = -1;
      if (i < this.firstLarge) this.#small.put(i);
      else if (i < this.firstFault) this.#large.put(i);
      i = next;
    }
  }
}

/** Free indices, first in, first out. */
class Ring {
  readonly #free: Uint32Array;
  #from = 0;
  #count: number;

  constructor(first: number, count: number) {
    this.#free = Uint32Array.from({ length: count }, (_, i) => first + i);
    this.#count = count;
  }

  take(): number {
    if (this.#count === 0) return -1;
    const index = this.#free[this.#from++];
    if (this.#from === this.#free.length) this.#from = 0;
    this.#count--;
    return index;
  }

  put(index: number): void {
    let at = this.#from + this.#count++;
    if (at >= this.#free.length) at -= this.#free.length;
    this.#free[at] = index;
  }
}
