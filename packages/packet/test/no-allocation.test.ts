import { expectNoAllocation } from '@vhostlab/memory/test-kit';
import { describe, it } from 'vitest';

describe('hot functions of packet', () => {
  it('do not allocate', async () => {
    await expectNoAllocation(new URL('./hot/packet.ts', import.meta.url));
  });
});
