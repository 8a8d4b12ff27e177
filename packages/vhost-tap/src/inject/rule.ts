/** What a rule is about. Messages are the front end's requests, replies the back end's answers. */
export type Target = 'message' | 'reply' | 'kick' | 'call';
export type Action = 'drop' | 'delay' | 'duplicate';

/** One fault to put between two peers. */
export interface InjectRule {
  readonly action: Action;
  readonly target: Target;
  /** Of messages and replies: only this one, such as SET_VRING_ENABLE; null: all. */
  readonly name: string | null;
  /** Only this ring; null: all. */
  readonly queue: number | null;
  /** Only the nth time that the rest matches, from 1; null: every time. */
  readonly nth: number | null;
  /** Only every nth time; null: every time. */
  readonly every: number | null;
  /** Of delays, in nanoseconds. */
  readonly byNs: number;
  /** As it was written. */
  readonly text: string;
}

const FORM =
  'drop|delay|duplicate, then message NAME, reply NAME, kick or call, then queue=N, nth=N, every=N, by=5ms';
const ACTIONS: readonly string[] = ['drop', 'delay', 'duplicate'];
const TARGETS: readonly string[] = ['message', 'reply', 'kick', 'call'];
const UNITS: Readonly<Record<string, number>> = { us: 1e3, ms: 1e6, s: 1e9 };

/**
 * Reads a rule such as `drop kick queue=1 nth=3`, `delay call queue=0 by=5ms every=10` or
 * `duplicate message SET_VRING_ENABLE nth=1`. Throws a RangeError of one sentence.
 */
export function parseInjectRule(text: string): InjectRule {
  const words = text.trim().split(/\s+/);
  const [action = '', target = ''] = words;
  const fail = (what: string): never => {
    throw new RangeError(`inject rule "${text}": ${what}; a rule is ${FORM}.`);
  };
  if (!ACTIONS.includes(action)) fail(`"${action}" is no action`);
  if (!TARGETS.includes(target)) fail(`"${target}" is nothing to ${action}`);
  const numbers: Record<string, number> = {};
  let name: string | null = null;
  let byNs = 0;
  for (const word of words.slice(2)) {
    const [key, value] = word.split('=') as [string, string | undefined];
    if (value === undefined) {
      if (name !== null || (target !== 'message' && target !== 'reply')) fail(`"${word}" has no place there`);
      name = word.replace(/^VHOST_USER_/, '');
    } else if (key === 'by') byNs = durationNs(value) ?? fail(`"${value}" is no time`);
    else if (['queue', 'nth', 'every'].includes(key) && /^\d+$/.test(value)) numbers[key] = Number(value);
    else fail(`"${word}" is unknown`);
  }
  if (action === 'delay' && byNs === 0) fail('a delay needs by=TIME');
  if (numbers.nth === 0 || numbers.every === 0) fail('nth and every count from 1');
  return {
    action: action as Action,
    target: target as Target,
    name,
    queue: numbers.queue ?? null,
    nth: numbers.nth ?? null,
    every: numbers.every ?? null,
    byNs,
    text: words.join(' '),
  };
}

function durationNs(text: string): number | null {
  const [, amount, unit] = /^(\d+(?:\.\d+)?)(us|ms|s)$/.exec(text) ?? [];
  return amount === undefined ? null : Number(amount) * UNITS[unit!]!;
}
