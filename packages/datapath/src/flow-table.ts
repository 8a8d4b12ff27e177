import { KEY_WORDS, W_IN_PORT } from './key.ts';
import { Classifier, type Subtable } from './subtable.ts';

/** Statistics of a flow as plain data. */
export interface FlowStats {
  readonly packets: number;
  readonly bytes: number;
  /** Moment of the last packet, -1 when there was none. */
  readonly lastUsedPs: number;
}

/** Result of `FlowTable.put`: no place left. */
export const FLOW_TABLE_FULL = -1;
const INITIAL_FLOWS = 256;
/** Programs that are remembered for sharing between flows. */
const SHARED_PROGRAMS = 4096;

/**
 * The megaflows of a datapath, as a struct of arrays: a flow is its index. An index is used again after a
 * deletion; `generation` tells one use from the next. Keys are stored masked.
 */
export class FlowTable {
  /** Masked keys, `KEY_WORDS` words a flow. */
  keys: Uint32Array = new Uint32Array(INITIAL_FLOWS * KEY_WORDS);
  /** Hash of the masked key. */
  hashes: Int32Array = new Int32Array(INITIAL_FLOWS);
  /** Next flow of the hash chain, or of the free list. */
  next: Int32Array = new Int32Array(INITIAL_FLOWS);
  /** Changes when the index gets another flow or none: odd while it holds one. */
  generation: Uint32Array = new Uint32Array(INITIAL_FLOWS);
  packets: Float64Array = new Float64Array(INITIAL_FLOWS);
  bytes: Float64Array = new Float64Array(INITIAL_FLOWS);
  lastUsedPs: Float64Array = new Float64Array(INITIAL_FLOWS);
  createdPs: Float64Array = new Float64Array(INITIAL_FLOWS);
  /** Subtable of each flow. */
  readonly subtables: Subtable[] = [];
  /** Program of each flow (`actions.ts`). */
  readonly programs: Uint32Array[] = [];
  /** Flows that fit. */
  readonly capacity: number;
  /** Flows there are. */
  count = 0;
  /** Indices given out so far: flows lie below it. */
  top = 0;
  #free = -1;
  readonly #shared = new Map<string, Uint32Array>();
  readonly #perPort: boolean;
  readonly #classifiers: Classifier[] = [];
  readonly #empty: Classifier;

  /** `perPort`: one classifier for each in_port (below 65536), whose bits must all be in every mask. */
  constructor(capacity: number, perPort: boolean) {
    this.capacity = capacity;
    this.#perPort = perPort;
    this.#empty = new Classifier(this);
  }

  /** The classifier that frames of this port look into. */
  classifier(inPort: number): Classifier {
    return this.#classifiers[this.#perPort ? inPort : 0] ?? this.#empty;
  }

  /** Ranks the subtables of every classifier by hits. */
  rank(): void {
    for (const classifier of this.#classifiers) classifier?.rank();
  }

  /** Masks in use, over all classifiers. */
  get maskCount(): number {
    return this.#classifiers.reduce((sum, classifier) => sum + classifier.subtables.length, 0);
  }

  /** Flow with exactly this key (under the mask) and mask, -1 for none. */
  find(key: Uint32Array, mask: Uint32Array): number {
    const subtable = this.classifier(key[W_IN_PORT]).subtable(mask, 0);
    return subtable === undefined ? -1 : subtable.find(key, 0);
  }

  /**
   * Installs a flow, or gives the flow of the same key and mask another program and keeps its statistics.
   * Answers its index, `FLOW_TABLE_FULL` without room. A flow that overlaps another one is accepted: lookups
   * then answer the one whose mask is tried first, as in Open vSwitch.
   */
  put(key: Uint32Array, mask: Uint32Array, program: Uint32Array, nowPs: number): number {
    const existing = this.find(key, mask);
    if (existing >= 0) {
      this.programs[existing] = this.#share(program);
      return existing;
    }
    if (this.count >= this.capacity) return FLOW_TABLE_FULL;
    const flow = this.#takeIndex();
    const base = flow * KEY_WORDS;
    for (let w = 0; w < KEY_WORDS; w++) this.keys[base + w] = key[w] & mask[w];
    const subtable = this.#classifierToChange(key[W_IN_PORT]).ensure(mask, 0);
    this.subtables[flow] = subtable;
    this.programs[flow] = this.#share(program);
    this.generation[flow]++;
    this.packets[flow] = 0;
    this.bytes[flow] = 0;
    this.lastUsedPs[flow] = -1;
    this.createdPs[flow] = nowPs;
    subtable.add(flow);
    this.count++;
    return flow;
  }

  /** Deletes a flow; its index must hold one. */
  remove(flow: number): void {
    if (!this.isLive(flow)) throw new Error(`flow ${flow} of a datapath is not there`);
    const subtable = this.subtables[flow];
    subtable.remove(flow);
    if (subtable.count === 0) this.classifier(this.keys[flow * KEY_WORDS + W_IN_PORT]).drop(subtable);
    this.generation[flow]++;
    this.next[flow] = this.#free;
    this.#free = flow;
    this.count--;
  }

  /** True when the index holds a flow. */
  isLive(flow: number): boolean {
    return flow >= 0 && flow < this.top && (this.generation[flow] & 1) === 1;
  }

  /** A copy of the masked key of a flow. */
  keyOf(flow: number): Uint32Array {
    return this.keys.slice(flow * KEY_WORDS, (flow + 1) * KEY_WORDS);
  }

  /** The mask of a flow: that of all flows of its subtable, not to be changed. */
  maskOf(flow: number): Uint32Array {
    return this.subtables[flow].mask;
  }

  /** Value of in_port of a flow (0 when its mask leaves it out). */
  inPortOf(flow: number): number {
    return this.keys[flow * KEY_WORDS + W_IN_PORT];
  }

  /** Counts packets and bytes of a flow that passed at `nowPs`. */
  account(flow: number, packets: number, bytes: number, nowPs: number): void {
    this.packets[flow] += packets;
    this.bytes[flow] += bytes;
    this.lastUsedPs[flow] = nowPs;
  }

  /** Statistics of a flow. */
  stats(flow: number): FlowStats {
    return { packets: this.packets[flow], bytes: this.bytes[flow], lastUsedPs: this.lastUsedPs[flow] };
  }

  /** Indices of all flows, in rising order. Flows may be removed meanwhile. */
  *all(): Generator<number> {
    for (let flow = 0; flow < this.top; flow++) if (this.isLive(flow)) yield flow;
  }

  /** Moment since which a flow is unused: its last packet, or its installation. */
  idleSincePs(flow: number): number {
    return Math.max(this.lastUsedPs[flow], this.createdPs[flow]);
  }

  #classifierToChange(inPort: number): Classifier {
    const at = this.#perPort ? inPort : 0;
    while (this.#classifiers.length <= at) this.#classifiers.push(new Classifier(this));
    return this.#classifiers[at];
  }

  /** Most flows of a bridge do one of few things. */
  #share(program: Uint32Array): Uint32Array {
    const name = program.join();
    const known = this.#shared.get(name);
    if (known !== undefined) return known;
    if (this.#shared.size >= SHARED_PROGRAMS) this.#shared.clear();
    this.#shared.set(name, program);
    return program;
  }

  #takeIndex(): number {
    if (this.#free >= 0) {
      const flow = this.#free;
      this.#free = this.next[flow];
      return flow;
    }
    if (this.top === this.hashes.length) this.#grow();
    return this.top++;
  }

  #grow(): void {
    const size = this.hashes.length * 2;
    this.keys = widen(new Uint32Array(size * KEY_WORDS), this.keys);
    this.hashes = widen(new Int32Array(size), this.hashes);
    this.next = widen(new Int32Array(size), this.next);
    this.generation = widen(new Uint32Array(size), this.generation);
    this.packets = widen(new Float64Array(size), this.packets);
    this.bytes = widen(new Float64Array(size), this.bytes);
    this.lastUsedPs = widen(new Float64Array(size), this.lastUsedPs);
    this.createdPs = widen(new Float64Array(size), this.createdPs);
  }
}

function widen<T extends Uint32Array | Int32Array | Float64Array>(to: T, from: T): T {
  to.set(from);
  return to;
}
