import { describe, expect, it } from 'vitest';
import { expectNoAllocation, measureAllocation } from '../test-kit/no-allocation.ts';

describe('the measurement itself', () => {
  it('finds objects and arrays, and finds nothing where there is nothing', async () => {
    const bytes = await measureAllocation(new URL('./hot/allocating.ts', import.meta.url));
    expect(bytes['one object']).toBeGreaterThanOrEqual(16);
    expect(bytes['an array every 8th call']).toBeGreaterThanOrEqual(4);
    expect(bytes['no object']).toBeLessThan(1);
  });

  it('names the guilty', async () => {
    const module = new URL('./hot/allocating.ts', import.meta.url);
    await expect(expectNoAllocation(module)).rejects.toThrow(/allocates: one object: .* bytes/);
  });
});

describe('hot functions of memory', () => {
  it('do not allocate', async () => {
    await expectNoAllocation(new URL('./hot/memory.ts', import.meta.url));
  });
});
