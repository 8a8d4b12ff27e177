import { describe, expect, it } from 'vitest';
import { chooseCases, median } from './tap.ts';

describe('bench -- tap', () => {
  it('runs every direction and format, or those that are named', () => {
    expect(chooseCases(undefined)).toHaveLength(4);
    expect(chooseCases('packed')).toEqual([
      { direction: 'dequeue', format: 'packed' },
      { direction: 'enqueue', format: 'packed' },
    ]);
    expect(() => chooseCases('forward')).toThrow(
      '--only forward: no case has all of these words; choose from dequeue, enqueue, split, packed',
    );
  });

  it('takes the middle of its windows', () => {
    expect(median([3, 1, 2])).toBe(2);
    expect(median([4, 1, 3, 2])).toBe(3);
  });
});
