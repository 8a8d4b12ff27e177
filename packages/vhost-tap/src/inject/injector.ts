import type { InjectRule, Target } from './rule.ts';

/** What is to happen to something on its way. */
export interface Decision {
  readonly drop: boolean;
  readonly duplicate: boolean;
  readonly delayNs: number;
  /** Rules that decided it, as they were written. */
  readonly rules: readonly string[];
}

const PASS: Decision = { drop: false, duplicate: false, delayNs: 0, rules: [] };

/** Applies rules, each with a count of its own. */
export class Injector {
  readonly #rules: readonly { rule: InjectRule; seen: number }[];
  /** How often a rule applied. */
  applied = 0;

  constructor(rules: readonly InjectRule[]) {
    this.#rules = rules.map((rule) => ({ rule, seen: 0 }));
  }

  /** True when some rule needs kicks or calls to pass through this process. */
  get needsNotifications(): boolean {
    return this.#rules.some(({ rule }) => rule.target === 'kick' || rule.target === 'call');
  }

  /** `queue`: -1 for what belongs to no ring. */
  decide(target: Target, name: string, queue: number): Decision {
    let decision = PASS;
    for (const entry of this.#rules) {
      const { rule } = entry;
      const matches =
        rule.target === target &&
        (rule.name === null || rule.name === name) &&
        (rule.queue === null || rule.queue === queue);
      if (!matches) continue;
      const count = ++entry.seen;
      if (rule.nth !== null && count !== rule.nth) continue;
      if (rule.every !== null && count % rule.every !== 0) continue;
      this.applied++;
      decision = {
        drop: decision.drop || rule.action === 'drop',
        duplicate: decision.duplicate || rule.action === 'duplicate',
        delayNs: decision.delayNs + (rule.action === 'delay' ? rule.byNs : 0),
        rules: [...decision.rules, rule.text],
      };
    }
    return decision;
  }
}
