import { finish, mix } from '@vhostlab/datapath';
import { PrefixTrie, prefixLength, prefixMask } from './prefix-trie.ts';
import type { Wildcards } from './wildcards.ts';
import { type Match, P_NW_DST, P_NW_SRC, P_PORTS, P_TYPE, P_WORDS, stageOf } from './words.ts';

/** What the classifier needs of a rule. */
export interface ClassifiedRule {
  readonly priority: number;
  readonly match: Match;
}

/** Words whose prefixes have a trie, in the order in which Open vSwitch 3.1 asks them. */
const TRIE_WORDS = [P_NW_DST, P_NW_SRC];

/** Rules of one mask and value, highest priority first. */
interface Chain<R> {
  readonly value: Uint32Array;
  readonly rules: R[];
}

class RuleSubtable<R extends ClassifiedRule> {
  readonly mask: Uint32Array;
  maxPriority = 0;
  count = 0;
  /** Words of the mask that are not 0, by stages that have any; one empty stage when there is none. */
  readonly stages: number[][];
  /** For every stage but the last: how many values have this hash up to here. */
  readonly indices: Map<number, number>[];
  readonly chains = new Map<number, Chain<R>[]>();
  readonly prefixLengths: number[];
  readonly portsLength: number;
  readonly portsTrie = new PrefixTrie();

  constructor(mask: Uint32Array) {
    this.mask = mask;
    const stages: number[][] = [[], [], [], []];
    for (let w = 0; w < P_WORDS; w++) if (mask[w] !== 0) stages[stageOf(w)].push(w);
    this.stages = stages.filter((words) => words.length > 0);
    if (this.stages.length === 0) this.stages.push([]);
    this.indices = this.stages.slice(1).map(() => new Map<number, number>());
    this.prefixLengths = TRIE_WORDS.map((w) => prefixLength(mask[w]));
    this.portsLength = mask[P_PORTS] === 0 ? 0 : 32 - trailingZeros(mask[P_PORTS]);
  }

  /** Hash of the masked words of a stage, on top of that of the stages before it. */
  stageHash(flow: Uint32Array, stage: number, before: number): number {
    let h = before;
    for (const w of this.stages[stage]) h = mix(h, flow[w] & this.mask[w]);
    return h;
  }

  find(flow: Uint32Array, hash: number): Chain<R> | undefined {
    const chains = this.chains.get(hash);
    if (chains === undefined) return undefined;
    for (const chain of chains) if (this.#matches(chain.value, flow)) return chain;
    return undefined;
  }

  #matches(value: Uint32Array, flow: Uint32Array): boolean {
    for (const words of this.stages) {
      for (const w of words) if (((value[w] ^ flow[w]) & this.mask[w]) !== 0) return false;
    }
    return true;
  }
}

/**
 * Tuple space search with priorities, and the bits that each lookup depended on: staged lookup, prefix tries and
 * the trie of ports narrow them as Open vSwitch 3.1 does (lib/classifier.c), subtable order included.
 */
export class RuleClassifier<R extends ClassifiedRule> {
  #subtables: RuleSubtable<R>[] = [];
  readonly #byMask = new Map<string, RuleSubtable<R>>();
  readonly #tries = TRIE_WORDS.map(() => new PrefixTrie());
  readonly #tried = TRIE_WORDS.map(() => ({ isDone: false, isUsable: false, bits: 0, lengths: 0 }));

  /** Adds a rule; one with the same match and priority must have been removed before. */
  insert(rule: R): void {
    const maskName = rule.match.mask.join();
    let subtable = this.#byMask.get(maskName);
    if (subtable === undefined) {
      subtable = new RuleSubtable<R>(rule.match.mask);
      subtable.maxPriority = rule.priority;
      this.#byMask.set(maskName, subtable);
      this.#subtables.push(subtable);
    }
    const { value } = rule.match;
    const hash = this.#index(subtable, value, 0);
    let chain = subtable.find(value, hash);
    if (chain === undefined) {
      this.#index(subtable, value, 1);
      chain = { value, rules: [] };
      const chains = subtable.chains.get(hash);
      if (chains === undefined) subtable.chains.set(hash, [chain]);
      else chains.push(chain);
    }
    chain.rules.push(rule);
    chain.rules.sort((a, b) => b.priority - a.priority);
    subtable.count++;
    if (rule.priority > subtable.maxPriority) subtable.maxPriority = rule.priority;
    this.#sort();
  }

  /** Rule of exactly this match and priority. */
  find(match: Match, priority: number): R | undefined {
    const subtable = this.#byMask.get(match.mask.join());
    if (subtable === undefined) return undefined;
    const chain = subtable.find(match.value, this.#index(subtable, match.value, 0));
    return chain?.rules.find((rule) => rule.priority === priority);
  }

  /** Removes a rule that is there. */
  remove(rule: R): void {
    const maskName = rule.match.mask.join();
    const subtable = this.#byMask.get(maskName);
    const { value } = rule.match;
    const hash = subtable === undefined ? 0 : this.#index(subtable, value, 0);
    const chain = subtable?.find(value, hash);
    if (subtable === undefined || chain === undefined) throw new Error('a rule that is not in its table');
    chain.rules.splice(chain.rules.indexOf(rule), 1);
    subtable.count--;
    if (chain.rules.length === 0) {
      this.#index(subtable, value, -1);
      const rest = (subtable.chains.get(hash) ?? []).filter((other) => other !== chain);
      if (rest.length === 0) subtable.chains.delete(hash);
      else subtable.chains.set(hash, rest);
    }
    if (subtable.count === 0) {
      this.#byMask.delete(maskName);
      this.#subtables = this.#subtables.filter((other) => other !== subtable);
      return;
    }
    if (rule.priority < subtable.maxPriority) return;
    let max = 0;
    for (const chains of subtable.chains.values()) {
      for (const { rules } of chains) if (rules[0].priority > max) max = rules[0].priority;
    }
    subtable.maxPriority = max;
    this.#sort();
  }

  /** Best rule for a flow, undefined for none. Bits of the flow that decided it are added to `wildcards`. */
  lookup(flow: Uint32Array, wildcards: Wildcards): R | undefined {
    for (const tried of this.#tried) tried.isDone = false;
    let best: R | undefined;
    for (const subtable of this.#subtables) {
      if (best !== undefined && subtable.maxPriority <= best.priority) break;
      const rule = this.#lookupIn(subtable, flow, wildcards);
      if (rule !== undefined && (best === undefined || rule.priority > best.priority)) best = rule;
    }
    return best;
  }

  #lookupIn(subtable: RuleSubtable<R>, flow: Uint32Array, wildcards: Wildcards): R | undefined {
    const last = subtable.stages.length - 1;
    let h = 0;
    for (let stage = 0; stage <= last; stage++) {
      if (this.#isRuledOut(subtable, stage, flow, wildcards)) {
        fold(subtable, stage, wildcards);
        return undefined;
      }
      h = subtable.stageHash(flow, stage, h);
      if (stage < last && !subtable.indices[stage].has(h)) {
        fold(subtable, stage + 1, wildcards);
        return undefined;
      }
    }
    const chain = subtable.find(flow, finish(h));
    if (chain === undefined && subtable.portsLength > 0) {
      subtable.portsTrie.lookup((flow[P_PORTS] & subtable.mask[P_PORTS]) >>> 0);
      wildcards.add(P_PORTS, subtable.mask[P_PORTS] & prefixMask(subtable.portsTrie.bits));
      fold(subtable, last + 1, wildcards, P_PORTS);
      return undefined;
    }
    fold(subtable, last + 1, wildcards);
    return chain?.rules[0];
  }

  /** True when the prefixes of the table say that no rule of the subtable can match. */
  #isRuledOut(subtable: RuleSubtable<R>, stage: number, flow: Uint32Array, wildcards: Wildcards): boolean {
    for (let i = 0; i < TRIE_WORDS.length; i++) {
      const length = subtable.prefixLengths[i];
      const word = TRIE_WORDS[i];
      if (length === 0 || !subtable.stages[stage].includes(word)) continue;
      const tried = this.#tried[i];
      if (!tried.isDone) this.#try(i, flow);
      if (!tried.isUsable || (tried.lengths >>> (length - 1)) & 1) continue;
      const needed = prefixMask(tried.bits);
      if (tried.bits <= length) {
        wildcards.add(word, needed);
        return true;
      }
      if ((needed & ~wildcards.bits[word]) === 0) return true;
    }
    return false;
  }

  #try(i: number, flow: Uint32Array): void {
    const tried = this.#tried[i];
    tried.isDone = true;
    tried.isUsable = flow[P_TYPE] === 0x0800;
    if (!tried.isUsable) return;
    this.#tries[i].lookup(flow[TRIE_WORDS[i]]);
    tried.bits = this.#tries[i].bits;
    tried.lengths = this.#tries[i].lengths;
  }

  /** Hash of a value; with `by`, also counts it in or out of the stage indices and tries. */
  #index(subtable: RuleSubtable<R>, value: Uint32Array, by: 0 | 1 | -1): number {
    let h = 0;
    for (let stage = 0; stage < subtable.stages.length; stage++) {
      h = subtable.stageHash(value, stage, h);
      if (by === 0 || stage === subtable.stages.length - 1) continue;
      const index = subtable.indices[stage];
      const count = (index.get(h) ?? 0) + by;
      if (count === 0) index.delete(h);
      else index.set(h, count);
    }
    if (by !== 0) {
      subtable.prefixLengths.forEach((length, i) => {
        if (length > 0) this.#tries[i].change(value[TRIE_WORDS[i]], length, by);
      });
      if (subtable.portsLength > 0) subtable.portsTrie.change(value[P_PORTS], subtable.portsLength, by);
    }
    return finish(h);
  }

  #sort(): void {
    this.#subtables.sort((a, b) => b.maxPriority - a.maxPriority);
  }
}

function fold<R extends ClassifiedRule>(
  subtable: RuleSubtable<R>,
  stages: number,
  wildcards: Wildcards,
  except = -1,
): void {
  for (let stage = 0; stage < stages; stage++) {
    for (const w of subtable.stages[stage]) if (w !== except) wildcards.add(w, subtable.mask[w]);
  }
}

function trailingZeros(x: number): number {
  return 31 - Math.clz32(x & -x);
}
