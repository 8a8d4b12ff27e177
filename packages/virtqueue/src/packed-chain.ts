import type { Arena } from '@vhostlab/memory';
import type { ChainBatch, Translator } from './chain-batch.ts';
import {
  MAX_CHAIN_BYTES,
  VIRTQ_DESC_F_AVAIL,
  VIRTQ_DESC_F_INDIRECT,
  VIRTQ_DESC_F_NEXT,
  VIRTQ_DESC_F_USED,
  VIRTQ_DESC_F_WRITE,
} from './constants.ts';
import type { RingPlace } from './driver-queue.ts';
import { IndirectReader } from './indirect-reader.ts';
import {
  VIOLATION_CHAIN_BYTES,
  VIOLATION_CHAIN_LENGTH,
  VIOLATION_CHAIN_TORN,
  VIOLATION_INDIRECT_FEATURE,
  VIOLATION_INDIRECT_NEXT,
  VIOLATION_NONE,
} from './violations.ts';

const HIGH_WORD = 2 ** 32;
const AVAIL_USED = VIRTQ_DESC_F_AVAIL | VIRTQ_DESC_F_USED;

/** Follows a list of descriptors of a packed ring (virtio 1.3, 2.8.6 and 2.8.7); every word is read once. */
export class PackedChain {
  readonly #u32: Uint32Array;
  readonly #descWord: number;
  readonly #size: number;
  readonly #indirect: boolean;
  readonly #tables: IndirectReader;
  /** Ring descriptors of the list followed last, and the buffer id in its last one. */
  slots = 0;
  id = 0;

  constructor(arena: Arena, translator: Translator, place: RingPlace) {
    this.#u32 = arena.u32;
    this.#descWord = place.descOffset >>> 2;
    this.#size = place.size;
    this.#indirect = place.features.indirect;
    this.#tables = new IndirectReader(arena, translator, place.size);
  }

  /** Complete lists that are available from `slot` on, as far as one lap. */
  count(slot: number, availFlags: number): number {
    let at = slot;
    let expected = availFlags;
    let lists = 0;
    for (let read = 0; read < this.#size; read++) {
      const flags = this.#u32[this.#descWord + at * 4 + 3] >>> 16;
      if ((flags & AVAIL_USED) !== expected) break;
      if ((flags & VIRTQ_DESC_F_NEXT) === 0) lists++;
      if (++at === this.#size) {
        at = 0;
        expected ^= AVAIL_USED;
      }
    }
    return lists;
  }

  /**
   * Adds the segments of the list at `slot` to the open chain of `batch`. `availFlags`: AVAIL and USED as they mean
   * available there. Returns a VIOLATION_… or VIOLATION_NONE.
   */
  follow(batch: ChainBatch, slot: number, availFlags: number): number {
    const u32 = this.#u32;
    let at = slot;
    let expected = availFlags;
    for (let read = 1; ; read++) {
      const w = this.#descWord + at * 4;
      const idFlags = u32[w + 3];
      const flags = idFlags >>> 16;
      if ((flags & AVAIL_USED) !== expected) return VIOLATION_CHAIN_TORN;
      const address = u32[w] + u32[w + 1] * HIGH_WORD;
      const length = u32[w + 2];
      this.id = idFlags & 0xffff;
      this.slots = read;
      if ((flags & VIRTQ_DESC_F_INDIRECT) !== 0) {
        if (!this.#indirect) return VIOLATION_INDIRECT_FEATURE;
        if ((flags & VIRTQ_DESC_F_NEXT) !== 0 || read > 1) return VIOLATION_INDIRECT_NEXT;
        const code = this.#tables.read(batch, address, length, false);
        if (code !== VIOLATION_NONE) return code;
        break;
      }
      batch.segment(address, length, (flags & VIRTQ_DESC_F_WRITE) !== 0);
      if ((flags & VIRTQ_DESC_F_NEXT) === 0) break;
      if (read === this.#size) return VIOLATION_CHAIN_LENGTH;
      if (++at === this.#size) {
        at = 0;
        expected ^= AVAIL_USED;
      }
    }
    return batch.openBytes > MAX_CHAIN_BYTES ? VIOLATION_CHAIN_BYTES : VIOLATION_NONE;
  }
}
