import { describe, expect, it } from 'vitest';
import type { SinkReport } from '../src/index.ts';
import { resultOf, run } from './kit.ts';
import { traffic, virtioPlan } from './virtio-plan.ts';

interface NicReport {
  eswitch: { flows: number; upcalls: number; installed: number; refused: number };
}

interface GuestReport {
  sha256: string;
  frames: number;
}

describe('eswitch', () => {
  it('asks once for a flow and keeps the order of the frames that wait with it', () => {
    const spec = traffic(300, { rate: '2Mpps' });
    const outcome = run(virtioPlan({ backend: 'vfio', workload: 'rx', traffic: spec }), { stride: 1 });
    const { eswitch } = resultOf<NicReport>(outcome, 'nic0', 'nic');
    expect(eswitch).toEqual({ flows: 1, upcalls: 1, installed: 1, refused: 0 });
    expect(outcome.drops).toEqual({});
    const order = outcome.events
      .filter(({ stage }) => stage === 'nic.used_write')
      .map(({ packet }) => packet);
    expect(order).toEqual([...order].sort((a, b) => a - b));
    expect(order.length).toBe(300);
    const waited = outcome.events.filter(({ stage }) => stage === 'representor.rx').length;
    expect(waited).toBeGreaterThan(10);
    expect(waited).toBeLessThan(300);
  });

  it('keeps order where many flows are new at once', () => {
    const spec = traffic(300, { rate: '500kpps', flows: 40 });
    const outcome = run(
      virtioPlan({ backend: 'vfio', workload: 'rx', traffic: spec, handler: { exact: true } }),
      { stride: 1 },
    );
    expect(resultOf<NicReport>(outcome, 'nic0', 'nic').eswitch.flows).toBe(40);
    const order = outcome.events
      .filter(({ stage }) => stage === 'nic.used_write')
      .map(({ packet }) => packet);
    expect(order.length).toBe(300);
    expect(order).toEqual([...order].sort((a, b) => a - b));
  });

  it('drops what finds no room while a line-rate stream waits for its flow, and counts it', () => {
    const outcome = run(virtioPlan({ backend: 'vfio', workload: 'rx', traffic: traffic(5000) }), {
      constants: { 'eswitch.holdFrames': 32 },
    });
    expect(outcome.drops['eswitch-miss-overflow']).toBeGreaterThan(100);
    expect(outcome.total('frames.delivered') + outcome.dropped).toBe(5000);
  });

  it('makes a guest wait instead: nothing that it sends is lost in the switch', () => {
    const frame = Buffer.alloc(12 + 60).toString('base64');
    const outcome = run(
      virtioPlan({
        backend: 'vfio',
        workload: 'tx',
        traffic: traffic(1),
        guests: [{ frames: [frame], count: 2000 }],
      }),
      { constants: { 'eswitch.holdFrames': 8 } },
    );
    expect(outcome.drops).toEqual({});
    expect(outcome.total('frames.delivered')).toBe(2000);
  });

  it('goes at the pace of the switch service when every packet is a new flow', () => {
    const rateOf = (flows: number) => {
      const spec = traffic(400, { rate: '2Mpps', flows });
      const outcome = run(
        virtioPlan({
          backend: 'vfio',
          workload: 'pvp',
          traffic: spec,
          handler: { exact: true },
          guests: [{ forwards: true }],
        }),
      );
      expect(outcome.total('frames.delivered') + outcome.dropped).toBe(400);
      const { firstPs, lastPs } = resultOf<SinkReport>(outcome, 'station', 'sink');
      return (outcome.total('frames.delivered') - 1) / (lastPs - firstPs);
    };
    expect(rateOf(0)).toBeLessThan(rateOf(1));
  });

  it('installs flows at the rate of its table, and sends frames the slow way until then', () => {
    const spec = traffic(200, { rate: '500kpps' });
    const lastAt = (insertsPerSecond: number) => {
      const outcome = run(virtioPlan({ backend: 'vfio', workload: 'rx', traffic: spec }), {
        constants: { 'eswitch.insertsPerSecond': insertsPerSecond },
        stride: 1,
      });
      expect(outcome.drops).toEqual({});
      return outcome.events.filter(({ stage }) => stage === 'representor.rx').length;
    };
    // the flow is in hardware after 10 us, or only after 300 us: more frames take the slow path
    expect(lastAt(100_000)).toBeLessThan(lastAt(3333));
  });

  it('pushes and pops tags on the way, and leaves the guest memory alone', () => {
    const spec = traffic(20, { rate: '100kpps' });
    const actions = {
      1: [
        { type: 'push_vlan' as const, tpid: 0x8100, tci: 0x1064 },
        { type: 'output' as const, port: 10 },
      ],
      10: [{ type: 'pop_vlan' as const }, { type: 'output' as const, port: 1 }],
    };
    const outcome = run(
      virtioPlan({
        backend: 'vfio',
        workload: 'pvp',
        traffic: spec,
        handler: { actions },
        guests: [{ forwards: true }],
      }),
      { stride: 1 },
    );
    const plain = run(
      virtioPlan({ backend: 'vfio', workload: 'pvp', traffic: spec, guests: [{ forwards: true }] }),
    );
    expect(resultOf<SinkReport>(outcome, 'station', 'sink').queues).toEqual(
      resultOf<SinkReport>(plain, 'station', 'sink').queues,
    );
    const written = outcome.events.filter(({ stage, core }) => stage === 'nic.dma_write' && core === 'nic0');
    expect(written.every(({ length }) => length === 12 + 64)).toBe(true);
  });

  it('counts frames that a flow sends nowhere', () => {
    const spec = traffic(30, { rate: '100kpps' });
    const none = run(
      virtioPlan({ backend: 'vfio', workload: 'rx', traffic: spec, handler: { actions: {} } }),
    );
    expect(none.drops).toEqual({ 'flow-drop': 30 });
    const actions = { 1: [{ type: 'output' as const, port: 77 }] };
    const unknown = run(virtioPlan({ backend: 'vfio', workload: 'rx', traffic: spec, handler: { actions } }));
    expect(unknown.drops).toEqual({ 'no-port': 30 });
  });

  it('copies frames to several ports', () => {
    const frame = Buffer.from(Uint8Array.from({ length: 12 + 100 }, (_, i) => (i < 12 ? 0 : i))).toString(
      'base64',
    );
    const actions = {
      10: [
        { type: 'output' as const, port: 11 },
        { type: 'output' as const, port: 1 },
      ],
    };
    const outcome = run(
      virtioPlan({
        backend: 'vfio',
        workload: 'v2v',
        traffic: traffic(1),
        handler: { actions },
        guests: [{ frames: [frame], count: 50 }, {}],
      }),
    );
    expect(resultOf<GuestReport>(outcome, 'guest1.vcpu0', 'guest').frames).toBe(50);
    // v2v has no sink at the station: it says so
    expect(outcome.drops).toEqual({ 'station-not-receiving': 50 });
  });
});
