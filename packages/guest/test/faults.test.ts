import { describe, expect, it } from 'vitest';
import { ALL_FEATURES, run, scenario, traffic } from './harness.ts';
import { referenceOf } from './reference.ts';

const spec = traffic(400, { size: '128' });
const clean = referenceOf(spec).sha256;

describe('faults of a scenario', () => {
  it('flip one byte of one frame', () => {
    const faults = [{ packet: 17, action: 'flip' as const, value: 80 }];
    const outcome = run(scenario({ traffic: spec, faults }));
    expect(outcome.device(0).frames).toBe(400);
    expect(outcome.device(0).sha256).not.toBe(clean);
    expect(outcome.sum('fault.flip')).toBe(1);
    // the same byte flipped twice is the frame as it was
    const twice = run(scenario({ traffic: spec, faults: [...faults, ...faults] }));
    expect(twice.device(0).sha256).toBe(clean);
  });

  it('shorten one descriptor', () => {
    const faults = [{ packet: 5, action: 'shorten' as const, value: 60 }];
    const { lengths } = run(scenario({ traffic: spec, faults })).device(0);
    expect(lengths[5]).toBe(60);
    expect(lengths.filter((length) => length === 124)).toHaveLength(399);
  });

  for (const workload of ['tx', 'pvp'] as const) {
    for (const ring of ['split', 'packed'] as const) {
      it(`take the page of one frame out of the device's map: ${workload}, ${ring}`, () => {
        const faults = [{ packet: 7, action: 'unmap' as const, value: 0 }];
        const slow = { ...spec, rate: '500kpps' };
        const config = scenario({ workload, ring, pages: '4K', traffic: slow, faults });
        const outcome = run(config, { device: workload === 'tx' ? {} : { produces: slow } });
        expect(Object.keys(outcome.device(0).faults)).toEqual(['unmapped']);
        expect(outcome.device(0).packets).not.toContain(7);
        expect(outcome.device(0).frames).toBe(399);
        expect(outcome.sum('fault.unmap')).toBe(1);
      });
    }
  }
});

describe('a device that breaks the rules', () => {
  const kinds = { id: 'used_id', length: 'used_length', jump: 'used_jump' };
  for (const [violation, name] of Object.entries(kinds)) {
    for (const guest of ['poll', 'interrupt'] as const) {
      it(`breaks the transmit queue alone: ${violation}, ${guest}`, () => {
        const offers = ALL_FEATURES.filter((feature) => feature !== 'RING_PACKED');
        const device = { offers, violateAfter: 100, violation: violation as 'id' | 'length' | 'jump' };
        const outcome = run(scenario({ guest, traffic: spec }), { device });
        const { counters } = outcome.core('guest0.vcpu0');
        expect(counters[`queue.broken.tx.${name}`]).toBe(1);
        expect(counters['tx.unreclaimed']).toBeGreaterThan(0);
        expect(counters['frames.offered']).toBeLessThan(400 + 1);
      });
    }
  }

  it('makes a forwarder drop with a reason', () => {
    const slow = { ...spec, rate: '500kpps' };
    const config = scenario({ workload: 'pvp', traffic: slow });
    const device = { produces: slow, violateAfter: 100, violation: 'id' as const };
    const outcome = run(config, { device });
    expect(outcome.sum('drop.guest-queue-broken')).toBeGreaterThan(200);
    expect(outcome.device(0).frames + outcome.sum('drop.guest-queue-broken')).toBe(400);
  });
});
