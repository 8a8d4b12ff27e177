import type { FlowTable } from './flow-table.ts';
import { sameKey } from './hash.ts';
import { KEY_WORDS } from './key.ts';

/** Positions of an entry: two slices of the hash. */
const WAYS = 2;

/**
 * The exact-match cache of a PMD thread (lib/dpif-netdev.c): whole keys, two possible places each, one insertion
 * in `insertInverse` tries. Entries of deleted flows die by their generation.
 */
export class ExactMatchCache {
  readonly #table: FlowTable;
  readonly #shift: number;
  readonly #keys: Uint32Array;
  readonly #hash: Int32Array;
  readonly #flow: Int32Array;
  readonly #generation: Uint32Array;
  readonly #insertBelow: number;
  #random: number;

  /** `entries`: a power of two. `insertInverse`: 1 inserts always, 0 never. `seed`: of the insertion's chance. */
  constructor(table: FlowTable, entries: number, insertInverse: number, seed: number) {
    if (entries < 2 || (entries & (entries - 1)) !== 0) {
      throw new Error(`an exact-match cache of ${entries} entries: give a power of two`);
    }
    this.#table = table;
    this.#shift = Math.log2(entries);
    this.#keys = new Uint32Array(entries * KEY_WORDS);
    this.#hash = new Int32Array(entries);
    this.#flow = new Int32Array(entries).fill(-1);
    this.#generation = new Uint32Array(entries);
    this.#insertBelow = insertInverse === 0 ? 0 : 0x1_0000_0000 / insertInverse;
    this.#random = seed | 0 || 0x1e3779b9;
  }

  /** Flow of exactly this key, -1 for none. */
  lookup(keys: Uint32Array, at: number, hash: number): number {
    const slots = this.#hash;
    let slot = hash & (slots.length - 1);
    for (let way = 0; way < WAYS; way++) {
      if (
        slots[slot] === hash &&
        this.#isAlive(slot) &&
        sameKey(this.#keys, slot * KEY_WORDS, keys, at, KEY_WORDS)
      ) {
        return this.#flow[slot];
      }
      slot = (hash >>> this.#shift) & (slots.length - 1);
    }
    return -1;
  }

  /** Inserts with the configured probability. */
  maybeInsert(keys: Uint32Array, at: number, hash: number, flow: number): void {
    if (this.#insertBelow === 0) return;
    // xorshift32: deterministic, seeded.
    let x = this.#random;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.#random = x;
    if (x >>> 0 <= this.#insertBelow) this.#insert(keys, at, hash, flow);
  }

  #insert(keys: Uint32Array, at: number, hash: number, flow: number): void {
    const slots = this.#hash;
    let victim = -1;
    let slot = hash & (slots.length - 1);
    for (let way = 0; way < WAYS; way++) {
      if (slots[slot] === hash && sameKey(this.#keys, slot * KEY_WORDS, keys, at, KEY_WORDS)) {
        this.#set(slot, flow);
        return;
      }
      if (
        victim < 0 ||
        (this.#isAlive(victim) && !this.#isAlive(slot)) ||
        (this.#isAlive(victim) === this.#isAlive(slot) && slots[slot] >>> 0 < slots[victim] >>> 0)
      ) {
        victim = slot;
      }
      slot = (hash >>> this.#shift) & (slots.length - 1);
    }
    const to = victim * KEY_WORDS;
    for (let w = 0; w < KEY_WORDS; w++) this.#keys[to + w] = keys[at + w];
    slots[victim] = hash;
    this.#set(victim, flow);
  }

  #set(slot: number, flow: number): void {
    this.#flow[slot] = flow;
    this.#generation[slot] = this.#table.generation[flow];
  }

  #isAlive(slot: number): boolean {
    const flow = this.#flow[slot];
    return flow >= 0 && this.#table.generation[flow] === this.#generation[slot];
  }
}
