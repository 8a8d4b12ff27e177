import type { z } from 'zod';

/** What is wrong with a value, where the schema has no message of its own: a part of a sentence after its name. */
export function describeIssue(issue: z.core.$ZodRawIssue): string | undefined {
  if (issue.code === 'invalid_type') {
    const names: Record<string, string> = {
      string: 'text',
      array: 'a list',
      object: 'a mapping',
      int: 'a whole number',
    };
    const wanted = names[issue.expected] ?? `a ${issue.expected}`;
    return issue.input === undefined
      ? `is missing; it must be ${wanted}`
      : `must be ${wanted}, not ${show(issue.input)}`;
  }
  if (issue.code === 'invalid_value') {
    return `must be ${issue.values.join(', ').replace(/, ([^,]*)$/, ' or $1')}, not ${show(issue.input)}`;
  }
  if (issue.code === 'too_small' || issue.code === 'too_big') {
    const limit = issue.code === 'too_small' ? `at least ${issue.minimum}` : `at most ${issue.maximum}`;
    const number = issue.code === 'too_small' ? issue.minimum : issue.maximum;
    if (issue.origin === 'array') return `must have ${limit} ${number === 1 ? 'entry' : 'entries'}`;
    if (issue.origin === 'string') return `must have ${limit} ${number === 1 ? 'character' : 'characters'}`;
    return `must be ${limit}, not ${show(issue.input)}`;
  }
  return undefined;
}

function show(input: unknown): string {
  if (input === null) return 'empty';
  return typeof input === 'number' ? String(input) : JSON.stringify(input);
}
