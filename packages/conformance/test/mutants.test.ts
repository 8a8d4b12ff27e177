import { describe, expect, it } from 'vitest';
import { readCatches } from './support/caught-by.ts';
import { FAULTS } from './support/faults.ts';
import { backEndChecks, runAgainst } from './support/run-mutant.ts';

/** Mutants that are caught at once; `mutants.long.ci.test.ts` runs every check against its own. */
const SAMPLE = [
  'acknowledges malformed messages',
  'answers unasked',
  'dies of ids twice',
  'trusts the used index',
] as const;

const catches = readCatches();

describe('checks', () => {
  it('have each a mutant of our back end that they catch', () => {
    expect([...new Set(catches.map(({ id }) => id))].sort()).toEqual(
      backEndChecks()
        .map(({ id }) => id)
        .sort(),
    );
    expect([...new Set(catches.map(({ fault }) => fault))].sort()).toEqual(Object.keys(FAULTS).sort());
  });

  it.each(SAMPLE)('catch the mutant that %s', async (fault) => {
    const own = catches.filter((one) => one.fault === fault);
    const ids = own.map(({ id }) => id);
    const { results } = await runAgainst(
      fault,
      backEndChecks().filter(({ id }) => ids.includes(id)),
    );
    expect(results.map(({ check, verdict, ok }) => [check.id, verdict, ok])).toEqual(
      own.map(({ id, verdict }) => [id, verdict, false]),
    );
  });
});
