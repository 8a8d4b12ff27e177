import { type ChannelPlan, type RunPlan, TimeBounds } from '@vhostlab/engine';
import { describe, expect, it } from 'vitest';
import { couplingOf } from '../src/run/coupling.ts';
import { RunMeter } from '../src/run/run-meter.ts';

/** A plan whose cores have the names of their services, joined as the list says (nanoseconds). */
function planOf(joins: readonly [string, string, number][], accountFromPs = 0): RunPlan {
  const services = [...new Set([...joins.map(([a]) => a), ...joins.map(([, b]) => b)])].sort();
  return {
    seed: 1,
    windows: [],
    cores: services.map((service) => ({
      id: `${service}.core`,
      service,
      module: 'none',
      config: {},
      mode: 'wait',
      account: 'host',
    })),
    channels: joins.map(
      ([a, b, ns]): ChannelPlan => ({
        id: `${a}-${b}`,
        kind: 'link',
        a: { core: `${a}.core`, end: 'out' },
        b: { core: `${b}.core`, end: 'in' },
        latencyPs: { ab: ns * 1000, ba: ns * 2000 },
      }),
    ),
    sampling: { stride: 0 },
    accountFromPs,
    copyMode: false,
  };
}

const CHAIN = planOf([
  ['guest', 'backend', 60],
  ['backend', 'nic', 250],
  ['nic', 'station', 10_000],
]);

describe('the coupling factor', () => {
  // testbeds: L = 0.5 µs, 10 million events per virtual second, a CPU that executes a million, 50 µs per message
  const facts = { lookaheadPs: 500_000, events: 10_000, spanPs: 1e9, workNs: 1e7, messageNs: 50_000 };

  it('is lookahead times event density over message latency times event rate', () => {
    const { lambda, events_per_virtual_second, events_per_cpu_second } = couplingOf(CHAIN, facts);
    expect(events_per_virtual_second).toBeCloseTo(1e7, 0);
    expect(events_per_cpu_second).toBeCloseTo(1e6, 0);
    expect(lambda).toBeCloseTo(0.1, 6);
  });

  it('advises the cut with the longest lookahead, and what it would be worth', () => {
    const { best_cut, advice } = couplingOf(CHAIN, facts);
    expect(best_cut?.processes).toEqual([['backend', 'guest', 'nic'], ['station']]);
    expect(best_cut?.lookahead_ns).toBe(10_000);
    expect(best_cut?.lambda).toBeCloseTo(2, 6);
    expect(advice).toContain('backend + guest + nic apart from station');
    expect(advice).toMatch(/λ = 0\.10, below 1/);
  });

  it('says what lookahead would pay when the cut is the longest already', () => {
    const { advice } = couplingOf(CHAIN, { ...facts, lookaheadPs: 1e7 });
    expect(advice).toMatch(/λ = 2\.0: .*No cut .* than 10 µs\. A link of 50 µs to cut at would pay\./);
    expect(couplingOf(CHAIN, { ...facts, lookaheadPs: 1e8 }).advice).toMatch(/λ = 20: processes can pay/);
  });

  it('is 0 where nothing was measured', () => {
    const nothing = { lookaheadPs: 60_000, events: 0, spanPs: 0, workNs: 0, messageNs: 0 };
    expect(couplingOf(CHAIN, nothing).lambda).toBe(0);
    const one = couplingOf(planOf([['a', 'a', 5]]), { ...facts, lookaheadPs: Number.POSITIVE_INFINITY });
    expect(one.lambda).toBe(0);
    expect(one.best_cut).toBeUndefined();
  });
});

describe('the meter of a run', () => {
  const MS = 1e6;

  it('charges everybody with the wait for the slowest of each round', () => {
    const bounds = new TimeBounds(CHAIN, (service) => service);
    const meter = new RunMeter(CHAIN, bounds, (service) => service);
    const [backend, guest, nic] = ['backend', 'guest', 'nic'].map((name) => bounds.processes.indexOf(name));
    const counts = (workMs: number, blockedMs: number) => ({
      taskRuns: workMs,
      workNs: workMs * MS,
      blockedNs: blockedMs * MS,
    });
    meter.begin(0);
    meter.window(backend, counts(7, 0), false, true, 10);
    meter.window(nic, counts(2, 0), true, false, 10);
    meter.end();
    meter.begin(20);
    meter.window(guest, counts(4, 5), false, false, 30);
    meter.window(nic, counts(3, 0), false, false, 30);
    meter.end();
    const crossed = [{ channel: 'guest-backend', batches: 3, messages: 9, payloadBytes: 600 }];
    const blocked = new Map([['guest', new Map([['guest-backend', 5 * MS]])]]);
    const measured = meter.measurement('pvp/x', crossed, blocked);
    const wait = (process: string, on: string): number =>
      measured.waits.find((each) => each.process === process && each.on === on)?.ms ?? 0;
    expect(wait('nic', 'backend')).toBe(5);
    expect(wait('station', 'backend')).toBe(7);
    expect(wait('nic', 'guest')).toBe(8);
    expect(wait('backend', 'guest')).toBe(9);
    expect(wait('guest', 'guest')).toBe(0);
    expect(measured).toMatchObject({ rounds: 2, rounds_empty: 1, windows: 4, windows_empty: 2 });
    expect(measured.null_message_ratio).toBe(0.5);
    for (const { work_ms, blocked_ms, waiting_ms } of measured.processes)
      expect(work_ms + blocked_ms + waiting_ms).toBe(7 + 9);
    expect(measured.channels.map(({ channel, between }) => [channel, ...between])).toEqual([
      ['guest-backend', 'guest', 'backend'],
      ['backend-nic', 'backend', 'nic'],
      ['nic-station', 'nic', 'station'],
    ]);
    expect(measured.channels[0]).toMatchObject({ batches: 3, payload_bytes: 600, blocked_ms: { guest: 5 } });
    expect(measured.coupling.lookahead_ns).toBe(60);
  });

  it('takes the events since the start of traffic', () => {
    const plan = planOf([['a', 'b', 1000]], 5e9);
    const bounds = new TimeBounds(plan, (service) => service);
    const meter = new RunMeter(plan, bounds, (service) => service);
    meter.begin(0);
    meter.window(0, { taskRuns: 50, workNs: 1000, blockedNs: 0 }, false, false, 1e9);
    meter.end();
    meter.begin(5e9);
    meter.window(0, { taskRuns: 150, workNs: 3000, blockedNs: 0 }, false, false, 6e9);
    meter.end();
    const { coupling } = meter.measurement('rr/x', [], new Map());
    expect(coupling.events_per_virtual_second).toBeCloseTo(100 / 1e-3, 0);
    expect(coupling.events_per_cpu_second).toBeCloseTo(100 / 2e-6, 0);
  });
});
