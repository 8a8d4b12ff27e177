import { expectNoAllocation } from '@vhostlab/memory/test-kit';
import { it } from 'vitest';

it('bursts of the fast path allocate nothing', async () => {
  await expectNoAllocation(new URL('./hot.cases.ts', import.meta.url), { calls: 60_000 });
});
