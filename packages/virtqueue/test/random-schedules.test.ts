import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { drain, queueCommands } from './kit/commands.ts';
import { Oracle } from './kit/oracle.ts';
import { expectEqualsOracle, scheduleOptions } from './kit/random-schedules.ts';
import { allOptions, makeRig, optionsName } from './kit/rig.ts';

describe('driver and device over random schedules with delayed visibility equal the oracle', () => {
  it.each(scheduleOptions())('%s', (_name, options) => expectEqualsOracle(options, 10));
});

describe('a range that ring code does not cover', () => {
  const options = allOptions({ split: 8, packed: 7 }).filter((each) => each.copy);
  const sides = ['toDevice', 'toDriver'] as const;
  const cases = options.flatMap((each) => sides.map((side) => [optionsName(each), side, each] as const));
  it.each(cases)('is missed on the other side: %s, %s', (_name, side, each) => {
    const property = fc.property(queueCommands(true), fc.nat(20), (commands, skipped) => {
      const model = new Oracle(each.size, each.features.inOrder);
      const rig = makeRig(each);
      rig[side].skippedCover = skipped;
      fc.modelRun(() => ({ model, real: rig }), commands);
      drain(model, rig);
    });
    expect(fc.check(property, { numRuns: 200, endOnFailure: true }).failed).toBe(true);
  });
});
