import { expectNoAllocation } from '@vhostlab/memory/test-kit';
import { describe, it } from 'vitest';

describe('per packet', () => {
  it('allocates nothing', async () => {
    await expectNoAllocation(new URL('./hot/datapath.ts', import.meta.url));
  });
});
