import { expectNoAllocation } from '@vhostlab/memory/test-kit';
import { describe, it } from 'vitest';

describe('rings per burst', () => {
  it('do not allocate', async () => {
    await expectNoAllocation(new URL('./hot/rings.ts', import.meta.url), { calls: 50_000 });
  });
});
