import type { HotCases } from '../../test-kit/no-allocation.ts';

const kept: unknown[] = [];

/** What the measurement must find, and what it must not. */
export const hotCases: HotCases = {
  'one object': () => (call) => {
    kept[0] = { call };
  },
  'an array every 8th call': () => (call) => {
    if ((call & 7) === 0) kept[0] = [call, call];
  },
  'no object': () => {
    const sums = new Float64Array(1);
    return (call) => {
      sums[0] += call;
    };
  },
};
