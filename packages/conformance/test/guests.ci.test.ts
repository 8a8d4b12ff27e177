import { describe, expect, it } from 'vitest';
import { checksOf } from '../src/index.ts';
import { readGuestCatches } from './support/caught-by.ts';
import { byId, caughtBy, runAgainstGuest } from './support/run-guest.ts';
import { failuresOf } from './support/run-mutant.ts';

const CHECKS = checksOf('front end');
const byFault = Map.groupBy(readGuestCatches(), ({ fault }) => fault);

describe('our front end and its mutants, in this process', () => {
  it('fails no check', async () => {
    const report = await runAgainstGuest(null, CHECKS);
    expect(failuresOf(report)).toEqual([]);
    expect(report.results).toHaveLength(CHECKS.length);
    expect(report.counts['not-claimed']).toBe(0);
    expect(report.peer).toMatchObject({ role: 'front end', transmits: true, queuePairs: 1 });
  });

  it.each([...byFault.entries()])('%s: every check of that mutant fails', async (fault, own) => {
    const wanted = own.map(({ id, verdict }) => ({ id, verdict, ok: false }));
    expect((await caughtBy(fault)).sort(byId)).toEqual(wanted.sort(byId));
  });
});
