import type { Arena } from '@vhostlab/memory';
import { VIRTQ_DESC_F_INDIRECT, VIRTQ_DESC_F_NEXT, VIRTQ_DESC_F_WRITE } from '@vhostlab/virtqueue';
import type { ObservedChain } from './chain.ts';
import { copyGuest } from './guest-bytes.ts';
import type { ObservedMemory, RingToObserve } from './ring-to-observe.ts';

const HIGH_WORD = 2 ** 32;
/** More entries than any queue has descriptors. */
const MAX_ENTRIES = 65536;

/** Follows indirect tables: each entry is copied once and used from the copy. */
export class TableReader {
  readonly #arena: Arena;
  readonly #memory: ObservedMemory;
  readonly #ring: RingToObserve;
  readonly #bytes = new Uint8Array(16);
  readonly #words = new Uint32Array(this.#bytes.buffer);

  constructor(arena: Arena, memory: ObservedMemory, ring: RingToObserve) {
    this.#arena = arena;
    this.#memory = memory;
    this.#ring = ring;
  }

  /** Adds the segments of the table of `bytes` bytes at `address`; what is wrong with it goes into the chain. */
  read(chain: ObservedChain, address: number, bytes: number): void {
    if (!this.#ring.features.has('INDIRECT_DESC')) {
      chain.fail('indirect-feature', 'a descriptor has INDIRECT, which was not negotiated');
      return;
    }
    const entries = bytes >>> 4;
    if (bytes === 0 || (bytes & 15) !== 0 || entries > MAX_ENTRIES) {
      chain.fail('indirect-length', 'an indirect table has % bytes', bytes);
      return;
    }
    if (this.#ring.format === 'split') this.#chained(chain, address, entries);
    else this.#sequence(chain, address, entries);
  }

  #chained(chain: ObservedChain, address: number, entries: number): void {
    let at = 0;
    for (let read = 1; ; read++) {
      if (!this.#load(chain, address + 16 * at)) return;
      const last = this.#words[3];
      if ((last & VIRTQ_DESC_F_INDIRECT) !== 0) {
        chain.fail('indirect-nested', 'entry % of an indirect table has INDIRECT', at);
        return;
      }
      if (!this.#add(chain, (last & VIRTQ_DESC_F_WRITE) !== 0)) return;
      if ((last & VIRTQ_DESC_F_NEXT) === 0) return;
      if (read === entries) {
        chain.fail('chain-loop', 'an indirect table of % entries has a loop', entries);
        return;
      }
      const next = last >>> 16;
      if (next >= entries) {
        chain.fail('next-range', 'next is % in an indirect table of % entries', next, entries);
        return;
      }
      at = next;
    }
  }

  #sequence(chain: ObservedChain, address: number, entries: number): void {
    for (let at = 0; at < entries; at++) {
      if (!this.#load(chain, address + 16 * at)) return;
      const flags = this.#words[3] >>> 16;
      if ((flags & VIRTQ_DESC_F_INDIRECT) !== 0) {
        chain.fail('indirect-nested', 'entry % of an indirect table has INDIRECT', at);
        return;
      }
      if (!this.#add(chain, (flags & VIRTQ_DESC_F_WRITE) !== 0)) return;
    }
  }

  #add(chain: ObservedChain, isWritable: boolean): boolean {
    const { size } = this.#ring;
    if (chain.count === size) {
      chain.fail('chain-long', 'an indirect table makes the chain longer than the queue of %', size);
      return false;
    }
    return chain.add(this.#words[0] + this.#words[1] * HIGH_WORD, this.#words[2], isWritable);
  }

  #load(chain: ObservedChain, address: number): boolean {
    if (copyGuest(this.#arena, this.#memory, address, 16, this.#bytes, 0) < 16) {
      if (this.#ring.knowsAllMemory) {
        chain.fail(
          'indirect-outside',
          'an indirect table has an entry at %x, outside of guest memory',
          address,
        );
      }
      return false;
    }
    for (let i = 0; i < 4; i++) chain.mix(this.#words[i]);
    return true;
  }
}
