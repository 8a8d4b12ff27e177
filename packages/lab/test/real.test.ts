import { describe, expect, it } from 'vitest';
import { spreadOf } from '../src/real/compare-real.ts';
import { parseRealOptions } from '../src/real/real-options.ts';

describe('parseRealOptions', () => {
  it('has defaults for everything', () => {
    expect(parseRealOptions({})).toEqual({
      workloads: ['pvp', 'v2v', 'rr'],
      backends: ['vhost-user', 'user-interrupt', 'sw-vdpa', 'vhost-net', 'vdpa'],
      size: '64',
      queues: 1,
      ring: 'split',
      ringSize: 256,
      repeat: 3,
      seconds: 1,
    });
  });

  it.each([
    [
      { workloads: ['stream'] },
      '--workload: workload "stream" is not measured on the real clock; there are tx, rx, pvp, v2v, rr',
    ],
    [{ backends: ['vfio'] }, '--backends: back end "vfio" is not measured on the real clock'],
    [{ repeat: 0 }, '--repeat: '],
    [{ seconds: 0 }, '--duration: '],
    [{ size: '-5' }, '--size: '],
    [{ profile: 'reference' }, 'profile means nothing with --clock real'],
  ])('names the flag of %j', (input, text) => {
    expect(() => parseRealOptions(input)).toThrow(text);
  });
});

describe('spreadOf', () => {
  it('is the middle one, or between the two middle ones', () => {
    expect(spreadOf([3, 1, 2])).toEqual({ median: 2, least: 1, most: 3 });
    expect(spreadOf([4, 1, 2, 3])).toEqual({ median: 2.5, least: 1, most: 4 });
    expect(() => spreadOf([])).toThrow('needs a value');
  });
});
