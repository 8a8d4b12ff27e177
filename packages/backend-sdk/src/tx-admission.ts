import type { PacketPool } from '@vhostlab/memory';
import type { ChainBatch } from '@vhostlab/virtqueue';
import type { FrameHeaders } from './frame-headers.ts';
import type { PairBooks } from './pair-books.ts';

/** Which transmitted chains become frames of a pool; the others are counted by reason. */
export class TxAdmission {
  /** The transmit ring is enabled; otherwise it is emptied. */
  enabled = true;
  readonly #headers: FrameHeaders;
  readonly #books: PairBooks;

  constructor(headers: FrameHeaders, books: PairBooks) {
    this.#headers = headers;
    this.#books = books;
  }

  /** Index of a pool buffer for chain `c`, its metadata filled; -1 when the frame cannot be taken (counted). */
  admit(batch: ChainBatch, c: number, frameBytes: number, pool: PacketPool): number {
    if (batch.status[c] !== 0) {
      this.#books.dropStatus(batch.status[c]);
      return -1;
    }
    if (!this.enabled) {
      this.#books.drop('ring-disabled');
      return -1;
    }
    if (frameBytes <= 0) {
      this.#books.drop('too-short');
      return -1;
    }
    if (frameBytes > pool.bufferBytes - pool.headroomBytes) {
      this.#books.dropLong.value++;
      return -1;
    }
    const fault = this.#headers.read(batch, c, frameBytes);
    if (fault !== '') {
      this.#books.drop(fault, this.#headers.wireFrames(frameBytes));
      return -1;
    }
    const index = pool.alloc();
    if (index < 0) this.#books.dropPool.value += this.#headers.wireFrames(frameBytes);
    else this.#headers.store(pool, index);
    return index;
  }
}
