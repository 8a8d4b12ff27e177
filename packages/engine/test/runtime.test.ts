import { describe, expect, it } from 'vitest';
import { pingPlan, runGroups } from './ping.ts';

const ALL = ['guest', 'backend', 'nic'];

describe('virtual runtime', () => {
  for (const mode of ['wait', 'poll'] as const) {
    it(`carries every item once and in order (${mode} consumer)`, () => {
      const { statistics } = runGroups(pingPlan(200, mode, false), [ALL]);
      const cores = statistics as { id: string; results: Record<string, unknown> }[];
      const expected = Array.from({ length: 200 }, (_, i) => i * 7 + i);
      expect(cores.find(({ id }) => id === 'sink')?.results.received).toEqual(expected);
    });

    it(`gives the same figures and events with replicas and over processes (${mode} consumer)`, () => {
      const shared = runGroups(pingPlan(300, mode, false), [ALL]);
      const copied = runGroups(pingPlan(300, mode, true), [ALL]);
      const split = runGroups(pingPlan(300, mode, false), [['guest'], ['backend'], ['nic']]);
      const pair = runGroups(pingPlan(300, mode, false), [['guest', 'nic'], ['backend']]);
      expect(copied.statistics).toEqual(shared.statistics);
      expect(split.statistics).toEqual(shared.statistics);
      expect(pair.statistics).toEqual(shared.statistics);
      expect(Buffer.compare(copied.log[0], shared.log[0])).toBe(0);
      const records = (logs: Uint8Array[]) => logs.reduce((sum, log) => sum + log.length, 0);
      expect(records(split.log)).toBe(records(shared.log));
      expect(shared.log[0].length).toBeGreaterThan(300 * 32);
      expect(split.sentBytes).toBeGreaterThan(300 * 4);
    });
  }

  it('repeats itself byte for byte', () => {
    const one = runGroups(pingPlan(100, 'wait', false), [ALL]);
    const two = runGroups(pingPlan(100, 'wait', false), [ALL]);
    expect(Buffer.compare(one.log[0], two.log[0])).toBe(0);
  });

  it('counts nothing of a core that rests since before accounting starts', () => {
    const plan = pingPlan(100, 'wait', false);
    const counted = runGroups(plan, [ALL]).statistics as { ops: object }[];
    const early = runGroups({ ...plan, accountFromPs: 1e12 }, [ALL]).statistics as Record<string, unknown>[];
    for (const core of counted) expect(core.ops).not.toEqual({});
    for (const core of early) expect(core).toMatchObject({ ops: {}, runs: 0, busyPs: 0, usefulPs: 0 });
  });

  it('refuses a channel without latency by name', () => {
    const plan = pingPlan(1, 'wait', false);
    plan.channels[0].latencyPs.ab = 0;
    expect(() => runGroups(plan, [ALL])).toThrow(/channel ring/);
  });
});
