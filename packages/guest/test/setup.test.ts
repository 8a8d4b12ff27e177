import { describe, expect, it } from 'vitest';
import { ALL_FEATURES, run, scenario, testProfile, traffic } from './harness.ts';

type Setup = { ok: boolean; features: string[]; dropped: string[]; failure: string; detail: string };

describe('bringing the device up', () => {
  it('asks a vhost back end in the order of QEMU', () => {
    const config = scenario({ backend: 'vhost-net', traffic: traffic(10) });
    const { requests } = run(config).device(0);
    expect(requests).toEqual([
      'setOwner',
      'getFeatures',
      'setFeatures',
      'setMemTable',
      'setVring',
      'setVring',
    ]);
  });

  it('negotiates protocol features with a vhost-user back end that has them', () => {
    const offers = [...ALL_FEATURES, 'PROTOCOL_FEATURES'];
    const { requests } = run(scenario({ traffic: traffic(10) }), { device: { offers } }).device(0);
    expect(requests.slice(0, 5)).toEqual([
      'setOwner',
      'getFeatures',
      'getProtocolFeatures',
      'setProtocolFeatures',
      'setFeatures',
    ]);
  });

  it('maps memory and moves the status of a vDPA device', () => {
    const config = scenario({ backend: 'vdpa', traffic: traffic(10) });
    const outcome = run(config);
    expect(outcome.device(0).requests).toEqual([
      'setOwner',
      'getFeatures',
      'setStatus',
      'setFeatures',
      'setStatus',
      'dmaMap',
      'setVring',
      'setVring',
      'setStatus',
    ]);
    expect(outcome.device(0).frames).toBe(10);
    // the doorbell page is mapped: no exits while frames flow
    expect(outcome.core('guest0.vcpu0').ops['kvm.exit']).toBeUndefined();
  });

  it('pays an exit per kick where a vDPA doorbell is relayed, and per interrupt where none is posted', () => {
    const constants = new Map([
      ...testProfile.constants,
      ['vdpa.doorbellMapped', 0] as const,
      ['kvm.postedInterrupts', 0] as const,
    ]);
    const spec = traffic(20, { rate: '100kpps' });
    const config = scenario({ backend: 'vdpa', workload: 'rr', guest: 'interrupt', traffic: spec });
    const device = { produces: spec, polls: false };
    const { ops } = run(config, { device, profile: { ...testProfile, constants } }).core('guest0.vcpu0');
    expect(ops['vdpa.doorbell_relay'].count).toBeGreaterThanOrEqual(20);
    expect(ops['guest.doorbell']).toBeUndefined();
    expect(ops['kvm.inject_exit'].count).toBe(20);
  });

  it('takes what both sides can: polling guests in-order rings, interrupt guests event indices', () => {
    const features = (guest: 'poll' | 'interrupt', offers = ALL_FEATURES) => {
      const outcome = run(scenario({ guest, ring: 'packed', traffic: traffic(10) }), { device: { offers } });
      return (outcome.core('guest0.vcpu0').results.setup as Setup).features;
    };
    expect(features('poll')).toContain('IN_ORDER');
    expect(features('poll')).not.toContain('EVENT_IDX');
    expect(features('interrupt')).toContain('EVENT_IDX');
    expect(features('interrupt')).not.toContain('IN_ORDER');
    expect(features('poll')).toContain('RING_PACKED');
    const split = ALL_FEATURES.filter((name) => name !== 'RING_PACKED');
    expect(features('poll', split)).not.toContain('RING_PACKED');
  });

  it('runs split rings on a back end without packed ones, with a size that split rings have', () => {
    const offers = ALL_FEATURES.filter((name) => name !== 'RING_PACKED');
    const config = scenario({ ring: 'packed', ringSize: 300, traffic: traffic(900) });
    const outcome = run(config, { device: { offers } });
    expect(outcome.device(0).frames).toBe(900);
    const setup = outcome.core('guest0.vcpu0').results.setup as Setup;
    expect(setup.dropped).toContain('RING_PACKED: not-offered');
  });

  for (const refuses of ['getFeatures', 'setMemTable', 'setVring', 'setFeatures']) {
    it(`sends nothing when the back end refuses ${refuses}, and says so`, () => {
      const outcome = run(scenario({ traffic: traffic(10) }), { device: { refuses } });
      const setup = outcome.core('guest0.vcpu0').results.setup as Setup;
      expect(setup.ok).toBe(false);
      expect(outcome.sum('setup.failed')).toBe(1);
      expect(outcome.sum('setup.refused')).toBe(1);
      expect(outcome.sum('frames.offered')).toBe(0);
      expect(setup.detail.length).toBeGreaterThan(0);
    });
  }

  it('records every step with what it carried', () => {
    const { strings } = run(scenario({ traffic: traffic(10) }), { stride: 1 });
    const text = strings.join('\n');
    expect(text).toMatch(/guest 0, pair 0: SET_FEATURES .*VERSION_1/);
    expect(text).toMatch(/guest 0, pair 0: SET_VRING 1/);
    expect(text).toMatch(/guest 0: negotiated .*MRG_RXBUF/);
    expect(text).toMatch(/guest 0: without EVENT_IDX: not-wanted/);
  });
});
