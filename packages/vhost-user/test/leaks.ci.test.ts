import { expect, test } from 'vitest';
import { countLeaks } from './leaks/count-leaks.ts';

test('the four messages 100,000 times leave no descriptor and no mapping (item 7)', async () => {
  const { before, after, closed, mapped, answers } = await countLeaks(100_000);
  expect(after).toBe(before);
  expect(closed).toBeLessThan(before);
  expect(mapped).toBe(0);
  expect(answers).toBe(0);
});
