import { BACKENDS } from '@vhostlab/workload';
import { afterAll, beforeAll, describe, it } from 'vitest';
import type { OpenLab } from '../src/index.ts';
import { expectSamePlacement } from './support/placement.ts';
import { openProcesses } from './support/run.ts';

describe('service processes over a longer run', () => {
  let lab: OpenLab;
  beforeAll(async () => {
    lab = await openProcesses();
  });
  afterAll(() => lab.close());

  it.each(BACKENDS)(
    'write the log that one process writes: 2,000 packets of pvp over %s',
    async (backend) => {
      await expectSamePlacement(lab, backend, 'pvp', 2000);
    },
  );

  it.each(BACKENDS)(
    'write the log that one process writes: 500 transactions of rr over %s',
    async (backend) => {
      await expectSamePlacement(lab, backend, 'rr', 500);
    },
  );
});
