import { RECORD, RECORD_BYTES, RECORD_EVENT } from '@vhostlab/engine';
import type { ScenarioConfig } from '@vhostlab/workload';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Outcome, run, scenario, testProfile, traffic } from './harness.ts';

/** Stage names of the events of one packet, in the order of the log. */
function stagesOf({ log, strings }: Outcome, packet: number): string[] {
  const view = new DataView(log.buffer, log.byteOffset, log.byteLength);
  const stages: { at: number; stage: string }[] = [];
  for (let at = 0; at < log.length; at += RECORD_BYTES) {
    if (view.getUint16(at + RECORD.kind, true) !== RECORD_EVENT) continue;
    if (view.getUint32(at + RECORD.packet, true) !== packet) continue;
    const time =
      view.getUint32(at + RECORD.timePs, true) + view.getUint32(at + RECORD.timePs + 4, true) * 2 ** 32;
    stages.push({ at: time, stage: strings[view.getUint16(at + RECORD.stage, true)] });
  }
  return stages.sort((x, y) => x.at - y.at).map(({ stage }) => stage);
}

describe('events', () => {
  it('follow a packet out of a kernel guest', () => {
    const config = scenario({ guest: 'interrupt', traffic: traffic(40, { rate: '100kpps' }) });
    const outcome = run(config, { stride: 1, device: { polls: false } });
    expect(stagesOf(outcome, 4)).toEqual([
      'guest.skb_alloc',
      'guest.vring_add',
      'guest.kick',
      'kvm.exit',
      'kvm.ioeventfd',
      'guest.tx_reclaim',
    ]);
  });

  it('follow a packet into a kernel guest', () => {
    const spec = traffic(40, { rate: '100kpps' });
    const config = scenario({ workload: 'rx', guest: 'interrupt', traffic: spec });
    const outcome = run(config, { stride: 1, device: { produces: spec, polls: false } });
    expect(stagesOf(outcome, 4)).toEqual(['kvm.inject', 'guest.napi_poll', 'guest.skb_deliver']);
  });

  it('follow a packet through polling guests', () => {
    const out = run(scenario({ traffic: traffic(40) }), { stride: 1 });
    expect(stagesOf(out, 4)).toEqual(['guest.skb_alloc', 'guest.vring_add', 'guest.tx_reclaim']);
    const spec = traffic(40);
    const config = scenario({ workload: 'rx', traffic: spec });
    const into = run(config, { stride: 1, device: { produces: spec } });
    expect(stagesOf(into, 4)).toEqual(['guest.napi_poll', 'guest.skb_deliver']);
  });

  it('are kept for sampled packets only', () => {
    const outcome = run(scenario({ traffic: traffic(100) }), { stride: 10 });
    expect(stagesOf(outcome, 20)).toContain('guest.vring_add');
    expect(stagesOf(outcome, 21)).toEqual([]);
  });
});

describe('a replica of guest memory', () => {
  const cases: Partial<ScenarioConfig>[] = [
    { workload: 'tx', guest: 'poll', ring: 'packed' },
    { workload: 'tx', guest: 'interrupt', queues: 2 },
    { workload: 'pvp', guest: 'poll' },
    { workload: 'rr', guest: 'interrupt', ring: 'packed' },
    { workload: 'stream', guest: 'interrupt' },
  ];
  for (const more of cases) {
    it(`gives the same run: ${JSON.stringify(more)}`, () => {
      const bulk = { kind: 'tcp-stream', gso: true, checksumOffload: true } as const;
      const spec = traffic(more.workload === 'stream' ? 8 : 300, more.workload === 'stream' ? bulk : {});
      const produces = more.workload === 'pvp' || more.workload === 'rr' ? { produces: spec } : {};
      const config = scenario({ ...more, traffic: spec });
      const device = { ...produces, polls: false };
      const shared = run(config, { device, stride: 1 });
      const copied = run(config, { device, stride: 1, copyMode: true });
      expect(copied.statistics).toEqual(shared.statistics);
      expect(Buffer.from(copied.log).equals(Buffer.from(shared.log))).toBe(true);
    });
  }
});

describe('whatever the sizes, speeds and modes', () => {
  it('no frame and no kick is lost', () => {
    const cost = fc.constantFrom(1_000, 30_000, 900_000);
    fc.assert(
      fc.property(
        fc.record({
          ring: fc.constantFrom('split' as const, 'packed' as const),
          guest: fc.constantFrom('poll' as const, 'interrupt' as const),
          ringSize: fc.constantFrom(2, 4, 16, 128),
          workload: fc.constantFrom('tx' as const, 'rx' as const, 'rr' as const),
          rate: fc.constantFrom('unpaced', '200kpps', '3Mpps'),
          burst: fc.integer({ min: 1, max: 40 }),
          polls: fc.boolean(),
          cost,
        }),
        ({ rate, burst, polls, cost: costPs, ...more }) => {
          const spec = traffic(120, { rate });
          const profile = {
            ...testProfile,
            fixedPs: new Float64Array(testProfile.fixedPs.length).fill(costPs),
          };
          const device = { burst, polls, ...(more.workload === 'tx' ? {} : { produces: spec }) };
          const outcome = run(scenario({ ...more, traffic: spec }), { device, profile });
          const arrived = more.workload === 'rx' ? outcome.sum('frames.delivered') : outcome.device(0).frames;
          expect(arrived + outcome.sum('drop.guest-ring-full')).toBe(120);
          expect(outcome.sum('frames.offered')).toBe(120);
        },
      ),
      { numRuns: 30 },
    );
  });
});
