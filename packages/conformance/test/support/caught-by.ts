import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { VERDICTS, type Verdict } from '../../src/index.ts';
import { FAULTS, type FaultName } from './faults.ts';
import { GUEST_FAULTS, type GuestFaultName } from './guest-faults.ts';

/** A check, and a mutant that it must catch with this verdict. */
export interface Catch<F extends string = FaultName> {
  readonly id: string;
  readonly verdict: Verdict;
  readonly fault: F;
}

/** Checks of a back end and mutants of ours: test/data/caught-by.txt. Throws on a line that says something else. */
export function readCatches(): readonly Catch[] {
  return read<FaultName>('caught-by.txt', FAULTS);
}

/** Checks of a front end and mutants of ours: test/data/caught-by-front-end.txt. */
export function readGuestCatches(): readonly Catch<GuestFaultName>[] {
  return read<GuestFaultName>('caught-by-front-end.txt', GUEST_FAULTS);
}

/** The lines of a table: check, verdict, mutant. */
function read<F extends string>(name: string, faults: Readonly<Record<F, object>>): readonly Catch<F>[] {
  const path = join(import.meta.dirname, '../data', name);
  return readFileSync(path, 'utf8')
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => {
      const [, id, verdict, fault] = /^(\S+) +(\S+) +(\S.*)$/.exec(line) ?? [];
      if (!Object.hasOwn(VERDICTS, verdict) || !Object.hasOwn(faults, fault)) {
        throw new Error(`not "CHECK VERDICT MUTANT": ${line}`);
      }
      return { id, verdict: verdict as Verdict, fault: fault as F };
    });
}
