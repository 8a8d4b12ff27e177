import { BACKENDS } from '@vhostlab/workload';
import { afterAll, beforeAll, describe, it } from 'vitest';
import type { OpenLab } from '../src/index.ts';
import { expectSameApart } from './support/apart.ts';
import { expectRepeats, expectSamePlacement } from './support/placement.ts';
import { openProcesses } from './support/run.ts';

describe.each([
  { workload: 'pvp', packets: 200 },
  { workload: 'rr', packets: 50 },
] as const)('embedded $workload', ({ workload, packets }) => {
  it.each(BACKENDS)('repeats itself, with replicas too, over %s', async (backend) => {
    await expectRepeats(backend, workload, packets);
  });
});

describe.each([
  { workload: 'pvp', packets: 2000 },
  { workload: 'rr', packets: 500 },
] as const)('service processes, $packets of $workload', ({ workload, packets }) => {
  let lab: OpenLab;
  beforeAll(async () => {
    lab = await openProcesses();
  });
  afterAll(() => lab.close());

  it.each(BACKENDS)('write the log that one process writes over %s', async (backend) => {
    await expectSamePlacement(lab, backend, workload, packets);
  });
});

describe('services apart', () => {
  it('write the log that they write together, however fast each of them is', () => expectSameApart(25));
});
