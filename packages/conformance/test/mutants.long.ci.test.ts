import { describe, expect, it } from 'vitest';
import { type Catch, readCatches } from './support/caught-by.ts';
import { FAULTS, type FaultName } from './support/faults.ts';
import { backEndChecks, runAgainst } from './support/run-mutant.ts';

const catches = readCatches();
const byFault = Map.groupBy(catches, ({ fault }: Catch) => fault);

describe('mutants of our back end', () => {
  it('are there for every check, and none without a check that it fails', () => {
    expect([...new Set(catches.map(({ id }) => id))].sort()).toEqual(
      backEndChecks()
        .map(({ id }) => id)
        .sort(),
    );
    expect([...byFault.keys()].sort()).toEqual(Object.keys(FAULTS).sort());
  });

  it.each([...byFault.entries()])('%s: every check of it fails', async (fault: FaultName, own) => {
    const ids = new Set(own.map(({ id }) => id));
    const { results } = await runAgainst(
      fault,
      backEndChecks().filter(({ id }) => ids.has(id)),
      32,
    );
    const found = results.map(({ check, verdict, ok }) => ({ id: check.id, verdict, ok }));
    const wanted = own.map(({ id, verdict }) => ({ id, verdict, ok: false }));
    const byId = (a: { id: string }, b: { id: string }) => (a.id < b.id ? -1 : 1);
    expect(found.sort(byId)).toEqual(wanted.sort(byId));
  });
});
