import { join, sep } from 'node:path';
import { UsageError } from '../scenario/options.ts';

/** The path of something in a folder. Throws UsageError for names that lead out of it. */
export function inside(folder: string, ...names: string[]): string {
  const path = join(folder, ...names);
  if (names.some((name) => name.includes('\0')) || !path.startsWith(folder + sep)) {
    throw new UsageError(`"${names.join('/')}" is not a file of the folder ${folder}`);
  }
  return path;
}
