import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { VERDICTS, type Verdict } from '../../src/index.ts';
import { FAULTS, type FaultName } from './faults.ts';

/** A check, and a mutant that it must catch with this verdict. */
export interface Catch {
  readonly id: string;
  readonly verdict: Verdict;
  readonly fault: FaultName;
}

/** The lines of test/data/caught-by.txt: check, verdict, mutant. Throws on a line that says something else. */
export function readCatches(): readonly Catch[] {
  const path = join(import.meta.dirname, '../data/caught-by.txt');
  return readFileSync(path, 'utf8')
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => {
      const [, id, verdict, fault] = /^(\S+) +(\S+) +(\S.*)$/.exec(line) ?? [];
      if (!Object.hasOwn(VERDICTS, verdict) || !Object.hasOwn(FAULTS, fault)) {
        throw new Error(`not "CHECK VERDICT MUTANT": ${line}`);
      }
      return { id, verdict: verdict as Verdict, fault: fault as FaultName };
    });
}
