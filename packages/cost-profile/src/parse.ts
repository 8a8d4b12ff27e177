import { parse } from 'yaml';
import { CostProfileError } from './compile.ts';
import { type CostProfile, costProfileSchema } from './schema.ts';

/** Reads a profile file's text. Throws CostProfileError naming the first field that is wrong. */
export function parseCostProfile(text: string, origin: string): CostProfile {
  let data: unknown;
  try {
    data = parse(text);
  } catch (error) {
    throw new CostProfileError(`${origin} is not YAML: ${(error as Error).message.split('\n')[0]}`);
  }
  const result = costProfileSchema.safeParse(data);
  if (!result.success) {
    const issue = result.error.issues[0];
    throw new CostProfileError(`${origin}: ${issue.path.join('.') || 'the file'}: ${issue.message}`);
  }
  return result.data;
}
