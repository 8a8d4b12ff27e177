import { expectNoAllocation } from '@vhostlab/memory/test-kit';
import { describe, it } from 'vitest';

describe('hot functions of virtio-net', () => {
  it('do not allocate', async () => {
    await expectNoAllocation(new URL('./hot/virtio-net.ts', import.meta.url));
  });
});
