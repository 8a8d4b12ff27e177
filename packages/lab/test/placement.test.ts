import type { BackendName, WorkloadName } from '@vhostlab/workload';
import { describe, it } from 'vitest';
import { expectSameApart } from './support/apart.ts';
import { expectRepeats } from './support/placement.ts';

/** Every back end and both workloads; placement.ci.test.ts has every pair of them, processes.test.ts the processes. */
const PAIRS: [packets: number, WorkloadName, BackendName][] = [
  [50, 'rr', 'vhost-net'],
  [200, 'pvp', 'vhost-user'],
  [50, 'rr', 'vfio'],
  [200, 'pvp', 'vdpa'],
];

describe('embedded', () => {
  it.each(PAIRS)(
    '%i of %s over %s repeat themselves, with replicas too',
    async (packets, workload, backend) => {
      await expectRepeats(backend, workload, packets);
    },
  );
});

describe('services apart', () => {
  it('write the log that they write together, however fast each of them is', () => expectSameApart(8));
});
