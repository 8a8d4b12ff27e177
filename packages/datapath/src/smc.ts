import type { FlowTable } from './flow-table.ts';
import { W_IN_PORT } from './key.ts';

const WAYS = 4;
/** Flow indices have 16 bits here: later flows are not cached. */
const NO_FLOW = 0xffff;

/**
 * The signature-match cache (lib/dpif-netdev.c): 16 bits of hash name a flow, which is then compared under its
 * own mask. Four entries a bucket; a full bucket loses a random one.
 */
export class SignatureMatchCache {
  readonly #table: FlowTable;
  readonly #buckets: number;
  readonly #signature: Uint16Array;
  readonly #flow: Uint16Array;
  #random: number;

  /** `entries`: a power of two, at least 4. */
  constructor(table: FlowTable, entries: number, seed: number) {
    if (entries < WAYS || (entries & (entries - 1)) !== 0) {
      throw new Error(`a signature-match cache of ${entries} entries: give a power of two, 4 or more`);
    }
    this.#table = table;
    this.#buckets = entries / WAYS;
    this.#signature = new Uint16Array(entries);
    this.#flow = new Uint16Array(entries).fill(NO_FLOW);
    this.#random = seed | 0 || 0x2545f491;
  }

  /** Flow that the key matches, -1 when the cache does not know. */
  lookup(keys: Uint32Array, at: number, hash: number): number {
    const signature = hash >>> 16;
    const first = (hash & (this.#buckets - 1)) * WAYS;
    for (let i = first; i < first + WAYS; i++) {
      const flow = this.#flow[i];
      if (this.#signature[i] !== signature || flow === NO_FLOW || !this.#table.isLive(flow)) continue;
      const subtable = this.#table.subtables[flow];
      if (subtable.matches(flow, keys, at) && keys[at + W_IN_PORT] === this.#table.inPortOf(flow)) {
        subtable.hits++;
        return flow;
      }
    }
    return -1;
  }

  insert(hash: number, flow: number): void {
    if (flow >= NO_FLOW) return;
    const signature = hash >>> 16;
    const first = (hash & (this.#buckets - 1)) * WAYS;
    let free = -1;
    for (let i = first; i < first + WAYS; i++) {
      if (this.#flow[i] === NO_FLOW) {
        if (free < 0) free = i;
      } else if (this.#signature[i] === signature) {
        this.#flow[i] = flow;
        return;
      }
    }
    const victim = free >= 0 ? free : first + this.#draw();
    this.#signature[victim] = signature;
    this.#flow[victim] = flow;
  }

  #draw(): number {
    let x = this.#random;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.#random = x;
    return x & (WAYS - 1);
  }
}
