import { expectNoAllocation } from '@vhostlab/memory/test-kit';
import { describe, it } from 'vitest';

describe('a turn of a queue pair', () => {
  it('allocates nothing', async () => {
    await expectNoAllocation(new URL('./hot.cases.ts', import.meta.url), { calls: 4_000 });
  });
});
