import { expectNoAllocation } from '@vhostlab/memory/test-kit';
import { describe, it } from 'vitest';

describe('hot functions of workload', () => {
  it('do not allocate', async () => {
    await expectNoAllocation(new URL('./hot/workload.ts', import.meta.url));
  });
});
