import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { RingFormat } from '../src/index.ts';
import { MUTANTS, type Mutant, Sleepers } from './kit/sleepers.ts';

const schedules = fc.array(fc.nat(3), { minLength: 0, maxLength: 200, size: '+2' });

/** No schedule leaves both sides asleep with packets on the way. */
function noNotificationIsLost(format: RingFormat, eventIdx: boolean, mutant: Mutant) {
  return fc.property(schedules, fc.integer({ min: 1, max: 4 }), (schedule, burst) => {
    const sleepers = new Sleepers(format, eventIdx, mutant, burst);
    for (const choice of schedule) sleepers.choose(choice);
    return sleepers.settle();
  });
}

const rings = (['split', 'packed'] as const).flatMap((format) =>
  [false, true].map(
    (eventIdx) => [`${format}, EVENT_IDX ${eventIdx ? 'on' : 'off'}`, format, eventIdx] as const,
  ),
);

describe.each(rings)('a driver and a device that sleep until notified (%s)', (_name, format, eventIdx) => {
  it('never miss each other (virtio 1.3, 2.7.13.4.1 and 2.8.21.3.1)', () => {
    fc.assert(noNotificationIsLost(format, eventIdx, 'none'), { numRuns: 1000 });
  });

  it.each(MUTANTS)('sleep for ever in some schedule with %s', (mutant) => {
    const outcome = fc.check(noNotificationIsLost(format, eventIdx, mutant), {
      numRuns: 20_000,
      endOnFailure: true,
    });
    expect(outcome.failed).toBe(true);
    expect(String(outcome.errorInstance)).toContain('Property failed by returning false');
  });
});
