import { describe, it } from 'vitest';
import { expectEqualsOracle, scheduleOptions } from './kit/random-schedules.ts';

describe('driver and device over many random schedules with delayed visibility equal the oracle', () => {
  it.each(scheduleOptions())('%s', (_name, options) => expectEqualsOracle(options, 100));
});
