import { describe, expect, it } from 'vitest';
import { concurrentTraffic, observeConcurrently, trafficName } from './kit/concurrent.ts';

/** `observer-concurrent.ci.test.ts` does the same at length. */
describe('nothing is said about correct peers that run on another processor', () => {
  it.each(
    concurrentTraffic()
      .filter((_, at) => at % 3 !== 1)
      .map((each) => [trafficName(each), each] as const),
  )('%s', async (_name, options) => {
    const { found, totals, done } = await observeConcurrently(options, 60, 0, 101);
    expect(found).toEqual([]);
    expect(done).toBeGreaterThan(100);
    expect(totals.samples).toBeGreaterThan(10);
  });
});
