import { finish, mix } from './hash.ts';
import { KEY_WORDS } from './key.ts';

/** What a subtable needs of the table that its flows live in. */
export interface FlowStore {
  /** By flow: its key (KEY_WORDS words), the hash that it is filed under, the next flow of its chain. */
  readonly keys: Uint32Array;
  readonly hashes: Int32Array;
  readonly next: Int32Array;
}

/** All flows of one mask: a hash table over the masked key. Chains run through the store's `next`. */
export class Subtable {
  /** The mask, `KEY_WORDS` words. */
  readonly mask: Uint32Array;
  /** Words of the mask that are not 0, in rising order. */
  readonly #words: Int32Array;
  readonly #bits: Uint32Array;
  readonly #table: FlowStore;
  #heads = new Int32Array(16).fill(-1);
  /** Hash of the mask. */
  readonly maskHash: number;
  /** Flows in it. */
  count = 0;
  /** Hits since the last ranking. */
  hits = 0;

  constructor(table: FlowStore, mask: Uint32Array) {
    this.#table = table;
    this.mask = mask;
    this.maskHash = hashOfMask(mask, 0);
    const words: number[] = [];
    for (let w = 0; w < KEY_WORDS; w++) if (mask[w] !== 0) words.push(w);
    this.#words = Int32Array.from(words);
    this.#bits = Uint32Array.from(words, (w) => mask[w]);
  }

  /** Flow that the key at `at` of `keys` matches, -1 for none. */
  find(keys: Uint32Array, at: number): number {
    const words = this.#words;
    const bits = this.#bits;
    const n = words.length;
    let h = 0;
    for (let i = 0; i < n; i++) h = mix(h, keys[at + words[i]] & bits[i]);
    const heads = this.#heads;
    const hash = finish(h);
    const { next, hashes } = this.#table;
    let flow = heads[hash & (heads.length - 1)];
    while (flow >= 0) {
      if (hashes[flow] === hash && this.matches(flow, keys, at)) return flow;
      flow = next[flow];
    }
    return -1;
  }

  /** True when the key matches `flow`, which must be one of this subtable. */
  matches(flow: number, keys: Uint32Array, at: number): boolean {
    const words = this.#words;
    const bits = this.#bits;
    const stored = this.#table.keys;
    const base = flow * KEY_WORDS;
    for (let i = 0; i < words.length; i++) {
      const w = words[i];
      if (((keys[at + w] ^ stored[base + w]) & bits[i]) !== 0) return false;
    }
    return true;
  }

  /** Links a flow whose masked key is stored already. */
  add(flow: number): void {
    if (this.count >= this.#heads.length) this.#grow();
    const stored = this.#table.keys;
    const base = flow * KEY_WORDS;
    let h = 0;
    for (let i = 0; i < this.#words.length; i++) h = mix(h, stored[base + this.#words[i]] & this.#bits[i]);
    this.#table.hashes[flow] = finish(h);
    this.#link(flow);
    this.count++;
  }

  /** Unlinks a flow. */
  remove(flow: number): void {
    const { next, hashes } = this.#table;
    const bucket = hashes[flow] & (this.#heads.length - 1);
    let p = this.#heads[bucket];
    if (p === flow) this.#heads[bucket] = next[flow];
    else {
      while (next[p] !== flow) p = next[p];
      next[p] = next[flow];
    }
    this.count--;
  }

  #link(flow: number): void {
    const { next, hashes } = this.#table;
    const bucket = hashes[flow] & (this.#heads.length - 1);
    next[flow] = this.#heads[bucket];
    this.#heads[bucket] = flow;
  }

  #grow(): void {
    const old = this.#heads;
    const { next } = this.#table;
    this.#heads = new Int32Array(old.length * 2).fill(-1);
    for (let b = 0; b < old.length; b++) {
      let flow = old[b];
      while (flow >= 0) {
        const following = next[flow];
        this.#link(flow);
        flow = following;
      }
    }
  }
}

/** Subtables in the order in which they are tried; the most hit ones come first after a ranking. */
export class Classifier {
  readonly subtables: Subtable[] = [];
  readonly #table: FlowStore;

  constructor(table: FlowStore) {
    this.#table = table;
  }

  /** Subtable of exactly this mask (at word offset `at`), undefined when there is none. */
  subtable(mask: Uint32Array, at: number): Subtable | undefined {
    const hash = hashOfMask(mask, at);
    for (const subtable of this.subtables) {
      if (subtable.maskHash !== hash) continue;
      let w = 0;
      while (w < KEY_WORDS && subtable.mask[w] === mask[at + w]) w++;
      if (w === KEY_WORDS) return subtable;
    }
    return undefined;
  }

  /** The same; made at the end of the order when there is none. */
  ensure(mask: Uint32Array, at: number): Subtable {
    const found = this.subtable(mask, at);
    if (found !== undefined) return found;
    const made = new Subtable(this.#table, mask.slice(at, at + KEY_WORDS));
    this.subtables.push(made);
    return made;
  }

  /** Removes an empty subtable from the order. */
  drop(subtable: Subtable): void {
    this.subtables.splice(this.subtables.indexOf(subtable), 1);
  }

  /** Puts the subtables in falling order of hits, ties as they were, and starts counting anew. */
  rank(): void {
    this.subtables.sort((a, b) => b.hits - a.hits);
    for (const subtable of this.subtables) subtable.hits = 0;
  }
}

function hashOfMask(mask: Uint32Array, at: number): number {
  let h = 0;
  for (let w = 0; w < KEY_WORDS; w++) h = mix(h, mask[at + w]);
  return finish(h);
}
