import { describe, expect, it } from 'vitest';
import { concurrentTraffic, observeConcurrently, trafficName } from './kit/concurrent.ts';

describe('nothing is said about correct peers over millions of buffers', () => {
  it.each(concurrentTraffic().map((each) => [trafficName(each), each] as const))(
    '%s',
    async (_name, options) => {
      const plain = {
        ...options,
        chains: false,
        features: options.features.filter((name) => name !== 'INDIRECT_DESC'),
      };
      const all = await observeConcurrently(options, 1000, 0, 100_000);
      const sometimes = await observeConcurrently(plain, 2000, 1, 400_000);
      expect([...all.found, ...sometimes.found]).toEqual([]);
      expect(all.done + sometimes.done).toBeGreaterThanOrEqual(500_000);
    },
  );
});
