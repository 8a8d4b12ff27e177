import type { FlowAction } from './actions.ts';
import { RuleClassifier } from './classifier.ts';
import type { Wildcards } from './wildcards.ts';
import type { Match } from './words.ts';

/** Number of the first table, and how many there are. */
export const TABLE_COUNT = 255;
/** Priority of a rule that names none. */
export const DEFAULT_PRIORITY = 32_768;

/** A rule to add. */
export interface FlowRule {
  /** 0..254. */
  readonly table: number;
  /** 0..65535. */
  readonly priority: number;
  readonly match: Match;
  readonly actions: readonly FlowAction[];
  readonly cookie: bigint;
}

/** A rule in a table, with what its megaflows reported. */
export interface InstalledRule extends FlowRule {
  packets: number;
  bytes: number;
}

/** The tables of a bridge: rules with priorities and wildcards. */
export class FlowTables {
  readonly #tables: (RuleClassifier<InstalledRule> | undefined)[] = [];
  readonly #rules: Set<InstalledRule> = new Set();
  /** Grows with every change: what was translated before may be stale. */
  version = 0;

  /** Rules in all tables. */
  get size(): number {
    return this.#rules.size;
  }

  /** Adds a rule; one of the same table, match and priority is replaced. */
  add(rule: FlowRule): void {
    const table = (this.#tables[rule.table] ??= new RuleClassifier<InstalledRule>());
    const old = table.find(rule.match, rule.priority);
    if (old !== undefined) this.#remove(old);
    const installed = { ...rule, packets: 0, bytes: 0 };
    table.insert(installed);
    this.#rules.add(installed);
    this.version++;
  }

  /** Deletes the rules that `which` accepts; answers how many. */
  delete(which: (rule: InstalledRule) => boolean): number {
    const victims = [...this.#rules].filter(which);
    for (const rule of victims) this.#remove(rule);
    if (victims.length > 0) this.version++;
    return victims.length;
  }

  /** Best rule of a table for a flow; the bits that decided it are added to `wildcards`. */
  lookup(table: number, flow: Uint32Array, wildcards: Wildcards): InstalledRule | undefined {
    return this.#tables[table]?.lookup(flow, wildcards);
  }

  /** All rules, in the order in which they were added. */
  rules(): IterableIterator<InstalledRule> {
    return this.#rules.values();
  }

  #remove(rule: InstalledRule): void {
    this.#tables[rule.table]?.remove(rule);
    this.#rules.delete(rule);
  }
}
