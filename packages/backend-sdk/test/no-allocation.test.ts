import { expectNoAllocation } from '@vhostlab/memory/test-kit';
import { describe, it } from 'vitest';

describe('queue pair per burst', () => {
  it('does not allocate', async () => {
    await expectNoAllocation(new URL('./hot/vhost-pair.ts', import.meta.url), { calls: 5000 });
  });
});
