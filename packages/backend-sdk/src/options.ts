import type { z } from 'zod';

/** A remark on an option: the field that it is about and one sentence. */
export interface OptionFault {
  readonly field: string;
  readonly summary: string;
}

/** What is wrong with options, each fault with its field; `prefix` stands before the fields. */
export function optionFaults(schema: z.ZodType | undefined, options: unknown, prefix: string): OptionFault[] {
  if (schema === undefined) {
    const [first] = Object.keys(options ?? {});
    return first === undefined
      ? []
      : [{ field: `${prefix}${first}`, summary: `Option "${first}" is unknown: this plugin has none.` }];
  }
  const result = schema.safeParse(options ?? {});
  if (result.success) return [];
  return result.error.issues.flatMap((issue) => {
    const path = issue.path.join('.');
    if (issue.code !== 'unrecognized_keys') return [{ field: `${prefix}${path}`, summary: issue.message }];
    const inside = path === '' ? prefix : `${prefix}${path}.`;
    return issue.keys.map((key) => ({ field: `${inside}${key}`, summary: `Option "${key}" is unknown.` }));
  });
}
