import { expectNoAllocation } from '@vhostlab/memory/test-kit';
import { describe, it } from 'vitest';

describe('a burst through a queue', () => {
  it('allocates nothing', async () => {
    await expectNoAllocation(new URL('./hot.cases.ts', import.meta.url), { calls: 50_000 });
  });
});
