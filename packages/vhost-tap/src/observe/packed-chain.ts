import type { Arena } from '@vhostlab/memory';
import {
  VIRTQ_DESC_F_AVAIL,
  VIRTQ_DESC_F_INDIRECT,
  VIRTQ_DESC_F_NEXT,
  VIRTQ_DESC_F_USED,
  VIRTQ_DESC_F_WRITE,
} from '@vhostlab/virtqueue';
import type { ObservedChain } from './chain.ts';
import type { ObservedMemory, RingToObserve } from './ring-to-observe.ts';
import { TableReader } from './table-reader.ts';

const HIGH_WORD = 2 ** 32;
const AVAIL_USED = VIRTQ_DESC_F_AVAIL | VIRTQ_DESC_F_USED;

/** AVAIL and USED as they mean available in the lap with this wrap counter. */
export function availableFlags(wrap: number): number {
  return wrap === 1 ? VIRTQ_DESC_F_AVAIL : VIRTQ_DESC_F_USED;
}

/** Follows lists of descriptors of a packed ring. */
export class PackedChainReader {
  readonly #u32: Uint32Array;
  readonly #descWord: number;
  readonly #size: number;
  readonly #tables: TableReader;

  constructor(arena: Arena, memory: ObservedMemory, ring: RingToObserve) {
    this.#u32 = arena.u32;
    this.#descWord = ring.descOffset >>> 2;
    this.#size = ring.size;
    this.#tables = new TableReader(arena, memory, ring);
  }

  /**
   * Reads the list that begins at `slot`, in the lap with counter `wrap`. A list that is not available (any more) has 0
   * slots and no fault. @hot
   */
  read(chain: ObservedChain, slot: number, wrap: number): void {
    const u32 = this.#u32;
    const size = this.#size;
    let expected = availableFlags(wrap);
    let at = slot;
    chain.begin();
    for (let read = 1; ; read++) {
      const w = this.#descWord + at * 4;
      const last = u32[w + 3];
      const low = u32[w];
      const high = u32[w + 1];
      const length = u32[w + 2];
      const flags = last >>> 16;
      const both = flags & AVAIL_USED;
      if (read === 1 && both !== expected) return;
      chain.mix(low);
      chain.mix(high);
      chain.mix(length);
      chain.mix(last);
      chain.slots = read;
      chain.ringLength = length;
      chain.id = last & 0xffff;
      if (both !== expected) {
        chain.isDoubtful = both === (expected === VIRTQ_DESC_F_AVAIL ? AVAIL_USED : 0);
        chain.fail(
          'chain-torn',
          'descriptor % of the list at % has flags %x: not available',
          at,
          slot,
          flags,
        );
        return;
      }
      if ((flags & VIRTQ_DESC_F_INDIRECT) !== 0) {
        if ((flags & VIRTQ_DESC_F_NEXT) !== 0 || read > 1) {
          chain.fail('indirect-next', 'descriptor % has INDIRECT in a list linked by NEXT', at);
          return;
        }
        this.#tables.read(chain, low + high * HIGH_WORD, length);
        break;
      }
      if (!chain.add(low + high * HIGH_WORD, length, (flags & VIRTQ_DESC_F_WRITE) !== 0)) return;
      if ((flags & VIRTQ_DESC_F_NEXT) === 0) break;
      if (read === size) {
        chain.fail('chain-loop', 'the list at % has NEXT in all % descriptors', slot, size);
        return;
      }
      if (++at === size) {
        at = 0;
        expected ^= AVAIL_USED;
      }
    }
    if (chain.id >= size) {
      chain.fail('id-range', 'the list at % has buffer id % in a queue of %', slot, chain.id, size);
    }
  }
}
