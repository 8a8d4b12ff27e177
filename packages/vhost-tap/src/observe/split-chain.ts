import type { Arena } from '@vhostlab/memory';
import { VIRTQ_DESC_F_INDIRECT, VIRTQ_DESC_F_NEXT, VIRTQ_DESC_F_WRITE } from '@vhostlab/virtqueue';
import type { ObservedChain } from './chain.ts';
import type { ObservedMemory, RingToObserve } from './ring-to-observe.ts';
import { TableReader } from './table-reader.ts';

const HIGH_WORD = 2 ** 32;

/** Follows chains of a split ring's descriptor table. */
export class SplitChainReader {
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

  /** Reads the chain that begins at `head`, which is a descriptor of the table. @hot */
  read(chain: ObservedChain, head: number): void {
    const u32 = this.#u32;
    const size = this.#size;
    chain.begin();
    let at = head;
    for (let read = 1; ; read++) {
      const w = this.#descWord + at * 4;
      const low = u32[w];
      const high = u32[w + 1];
      const length = u32[w + 2];
      const last = u32[w + 3];
      chain.mix(low);
      chain.mix(high);
      chain.mix(length);
      chain.mix(last);
      chain.slots = read;
      if ((last & VIRTQ_DESC_F_INDIRECT) !== 0) {
        if ((last & VIRTQ_DESC_F_NEXT) !== 0) {
          chain.fail('indirect-next', 'descriptor % has INDIRECT and NEXT', at);
          return;
        }
        this.#tables.read(chain, low + high * HIGH_WORD, length);
        return;
      }
      if (!chain.add(low + high * HIGH_WORD, length, (last & VIRTQ_DESC_F_WRITE) !== 0)) return;
      if ((last & VIRTQ_DESC_F_NEXT) === 0) return;
      if (read === size) {
        chain.fail('chain-loop', 'the chain has more descriptors than the queue of %', size);
        return;
      }
      const next = last >>> 16;
      if (next >= size) {
        chain.fail('next-range', 'next of descriptor % is % in a queue of %', at, next, size);
        return;
      }
      at = next;
    }
  }
}
