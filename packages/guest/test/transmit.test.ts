import { LEARNING_PACKET, type ScenarioConfig } from '@vhostlab/workload';
import { describe, expect, it } from 'vitest';
import { ALL_FEATURES, run, scenario, testProfile, traffic } from './harness.ts';
import { referenceOf } from './reference.ts';

const RINGS: ScenarioConfig['ring'][] = ['split', 'packed'];
const GUESTS: ScenarioConfig['guest'][] = ['poll', 'interrupt'];

describe('a guest that transmits', () => {
  for (const ring of RINGS) {
    for (const guest of GUESTS) {
      for (const polls of [true, false]) {
        it(`sends every frame once and unchanged: ${ring}, ${guest}, device ${polls ? 'polls' : 'waits'}`, () => {
          const spec = traffic(3000, { size: 'imix' });
          const outcome = run(scenario({ ring, guest, traffic: spec }), { device: { polls } });
          const device = outcome.device(0);
          const { sha256, frames } = referenceOf(spec);
          expect({ sha256: device.sha256, frames: device.frames }).toEqual({ sha256, frames });
          expect(outcome.sum('frames.offered')).toBe(3000);
          expect(device.packets).toEqual(Array.from({ length: 3000 }, (_, i) => i));
          if (!polls) expect(device.kicks).toBeGreaterThan(0);
        });
      }
    }
  }

  it('waits for a slow device instead of dropping, and sleeps while the queue is full', () => {
    const config = scenario({ guest: 'interrupt', ringSize: 16, traffic: traffic(500) });
    const outcome = run(config, { device: { polls: false, burst: 4 } });
    expect(outcome.device(0).frames).toBe(500);
    expect(outcome.device(0).calls).toBeGreaterThan(0);
    expect(outcome.core('guest0.vcpu0').ops['kvm.halt_wakeup'].count).toBeGreaterThan(1);
  });

  it('sends one frame ahead for tables to learn from, which counts nowhere', () => {
    const constants = new Map([...testProfile.constants, ['run.learningNs', 1_000_000] as const]);
    for (const guest of GUESTS) {
      const config = scenario({ guest, traffic: traffic(50) });
      const outcome = run(config, { profile: { ...testProfile, constants } });
      const ahead = [LEARNING_PACKET, ...Array.from({ length: 50 }, (_, i) => i)];
      expect(outcome.device(0).packets).toEqual(ahead);
      expect(outcome.sum('frames.offered')).toBe(50);
    }
  });

  it('keeps to the moments of a paced stream', () => {
    for (const guest of GUESTS) {
      const spec = traffic(200, { rate: '1Mpps' });
      const outcome = run(scenario({ guest, traffic: spec }), { device: { polls: false } });
      expect(outcome.device(0).frames).toBe(200);
      expect(outcome.core('guest0.vcpu0').ops['guest.vring_add'].count).toBe(200);
      // 1 µs apart: a kick each unless the device is still awake
      expect(outcome.core('guest0.vcpu0').runs).toBeGreaterThan(200);
    }
  });
});

describe('a bulk stream', () => {
  const spec = traffic(20, { kind: 'tcp-stream', flows: 2, gso: true, checksumOffload: true });
  const { sha256, frames, bytes } = referenceOf(spec);
  const without = (...names: string[]) => ALL_FEATURES.filter((name) => !names.includes(name));
  const plans = {
    'indirect tables': { offers: ALL_FEATURES },
    chains: { offers: without('INDIRECT_DESC') },
    'software segmentation': { offers: without('HOST_TSO4', 'HOST_TSO6') },
    'software checksums': { offers: without('HOST_TSO4', 'HOST_TSO6', 'CSUM') },
  };
  for (const [name, device] of Object.entries(plans)) {
    for (const guest of GUESTS) {
      for (const ring of RINGS) {
        it(`puts the same frames on the wire with ${name}: ${guest}, ${ring}`, () => {
          const config = scenario({ workload: 'stream', guest, ring, traffic: spec });
          const outcome = run(config, { device: { ...device, polls: false } });
          expect(outcome.device(0).sha256).toBe(sha256);
          expect(outcome.device(0).frames).toBe(frames);
          expect(outcome.sum('frames.offered')).toBe(frames);
          expect(outcome.sum('bytes.offered')).toBe(bytes);
          const { ops } = outcome.core('guest0.vcpu0');
          const isCut = name.startsWith('software');
          expect(ops['guest.gso']?.count ?? 0).toBe(isCut ? frames : 0);
          expect(outcome.device(0).lengths.length).toBe(isCut ? frames : 20);
          if (guest === 'interrupt') expect(ops['guest.user_copy'].count).toBe(20);
        });
      }
    }
  }

  it('leaves single segments to the checksum offload, or sums them itself', () => {
    const segments = { ...spec, gso: false, kind: 'tcp-stream' as const };
    const expected = referenceOf(segments).sha256;
    const offloaded = run(scenario({ traffic: segments }));
    expect(offloaded.device(0).sha256).toBe(expected);
    expect(offloaded.device(0).headers[0].flags).toBe(1);
    const summed = run(scenario({ traffic: segments }), {
      device: { offers: without('CSUM', 'HOST_TSO4', 'HOST_TSO6') },
    });
    expect(summed.device(0).sha256).toBe(expected);
    expect(summed.device(0).headers[0].flags).toBe(0);
    expect(summed.core('guest0.vcpu0').ops['guest.checksum'].count).toBe(20);
  });
});
