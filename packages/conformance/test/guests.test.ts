import { describe, expect, it } from 'vitest';
import { checksOf } from '../src/index.ts';
import { readGuestCatches } from './support/caught-by.ts';
import { GUEST_FAULTS } from './support/guest-faults.ts';
import { byId, caughtBy, runAgainstGuest } from './support/run-guest.ts';
import { failuresOf } from './support/run-mutant.ts';

/** One check in so many, so that all kinds are among them; `guests.ci.test.ts` runs every one. */
const STRIDE = 6;
/** Mutants that are caught at once. */
const SAMPLE = ['dies of silence', 'hoards requests', 'dies of used ids'] as const;

const catches = readGuestCatches();

describe('checks of a front end', () => {
  it('have each a mutant of our front end that they catch', () => {
    const ids = checksOf('front end').map(({ id }) => id);
    expect([...new Set(catches.map(({ id }) => id))].sort()).toEqual(ids.sort());
    expect([...new Set(catches.map(({ fault }) => fault))].sort()).toEqual(Object.keys(GUEST_FAULTS).sort());
  });

  it('let our front end pass: every sixth', async () => {
    const checks = checksOf('front end').filter((_, at) => at % STRIDE === 0);
    const report = await runAgainstGuest(null, checks);
    expect(failuresOf(report)).toEqual([]);
    expect(report.results).toHaveLength(checks.length);
    expect(report.counts['not-claimed']).toBe(0);
  });

  it.each(SAMPLE)('catch the mutant that %s', async (fault) => {
    const own = catches.filter((one) => one.fault === fault);
    const wanted = own.map(({ id, verdict }) => ({ id, verdict, ok: false }));
    expect((await caughtBy(fault)).sort(byId)).toEqual(wanted.sort(byId));
  });
});
