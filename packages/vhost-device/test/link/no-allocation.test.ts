import { expectNoAllocation } from '@vhostlab/memory/test-kit';
import { describe, it } from 'vitest';

describe('rings of a link per burst', () => {
  it('do not allocate', async () => {
    await expectNoAllocation(new URL('../hot/link.ts', import.meta.url), { calls: 20_000 });
  });
});
