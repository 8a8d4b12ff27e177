import type { CheckInfo } from '../check.ts';

/**
 * The checks that one of the patterns names: an id, with `*` for any characters, or `item:N` for a bad input of the
 * list. No pattern: all of them. A pattern that names none is an error, in one sentence.
 */
export function selectChecks<C extends CheckInfo>(
  checks: readonly C[],
  patterns: readonly string[],
): readonly C[] | string {
  if (patterns.length === 0) return checks;
  const chosen = new Set<C>();
  for (const pattern of patterns) {
    const found = checks.filter((check) => isMeant(check, pattern));
    if (found.length === 0) return `no check is named ${pattern}: --list names them all`;
    for (const check of found) chosen.add(check);
  }
  return checks.filter((check) => chosen.has(check));
}

function isMeant({ id, item }: CheckInfo, pattern: string): boolean {
  if (pattern.startsWith('item:')) return String(item) === pattern.slice(5);
  return patternOf(pattern).test(id);
}

/** The ids that a pattern means: `*` stands for any characters. */
export function patternOf(pattern: string): RegExp {
  const parts = pattern.split('*').map((part) => part.replace(/[\\^$.+?()[\]{}|]/g, '\\$&'));
  return new RegExp(`^${parts.join('.*')}$`);
}
