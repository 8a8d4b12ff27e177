import type { ScenarioConfig } from '@vhostlab/workload';
import { decodeFromCompressedBase64 } from 'hdr-histogram-js';
import { describe, expect, it } from 'vitest';
import type { SinkResult } from '../src/index.ts';
import { ALL_FEATURES, run, scenario, traffic } from './harness.ts';
import { referenceOf } from './reference.ts';

const RINGS: ScenarioConfig['ring'][] = ['split', 'packed'];
const GUESTS: ScenarioConfig['guest'][] = ['poll', 'interrupt'];

describe('a guest that receives', () => {
  for (const ring of RINGS) {
    for (const guest of GUESTS) {
      it(`hashes what arrives: ${ring}, ${guest}`, () => {
        const spec = traffic(2500, { size: 'imix' });
        const config = scenario({ workload: 'rx', ring, guest, traffic: spec });
        const outcome = run(config, { device: { produces: spec, polls: false } });
        const sink = outcome.core('guest0.vcpu0').results.sink as SinkResult;
        const { sha256, frames, bytes } = referenceOf(spec);
        expect(sink.queues).toEqual([{ queue: 0, sha256, frames, bytes }]);
        expect(outcome.sum('frames.delivered')).toBe(2500);
        expect(outcome.sum('bytes.delivered')).toBe(bytes);
        const latency = decodeFromCompressedBase64(sink.latency);
        expect(latency.totalCount).toBe(2500);
        expect(latency.minNonZeroValue).toBeGreaterThanOrEqual(60);
        expect(sink.lastPs).toBeGreaterThan(sink.firstPs);
        expect(outcome.device(0).calls > 0).toBe(guest === 'interrupt');
      });
    }
  }

  it('takes every interrupt that it sleeps for', () => {
    const spec = traffic(150, { rate: '100kpps' });
    const config = scenario({ workload: 'rx', guest: 'interrupt', traffic: spec });
    const outcome = run(config, { device: { produces: spec, polls: false } });
    expect(outcome.sum('frames.delivered')).toBe(150);
    const { ops } = outcome.core('guest0.vcpu0');
    expect(ops['kvm.halt_wakeup'].count).toBe(150);
    expect(ops['kvm.inject_posted'].count).toBe(150);
    expect(ops['guest.skb_deliver'].count).toBe(150);
  });

  it('does not sum what the device vouches for', () => {
    const spec = traffic(64);
    const config = scenario({ workload: 'rx', guest: 'interrupt', traffic: spec });
    const vouched = run(config, { device: { produces: spec, flags: 2 } });
    const plain = run(config, { device: { produces: spec } });
    expect(vouched.core('guest0.vcpu0').ops['guest.checksum']).toBeUndefined();
    expect(plain.core('guest0.vcpu0').ops['guest.checksum'].count).toBe(64);
  });

  it('drops a frame whose header asks for what was not negotiated, and gives the buffer back', () => {
    const spec = traffic(600);
    const config = scenario({ workload: 'rx', traffic: spec });
    const offers = ALL_FEATURES.filter((name) => !name.startsWith('GUEST_'));
    const outcome = run(config, { device: { produces: spec, flags: 1, offers } });
    expect(outcome.sum('drop.guest-rx-csum-not-negotiated')).toBe(600);
    expect(outcome.sum('frames.delivered')).toBe(0);
  });

  for (const guest of GUESTS) {
    it(`puts merged GSO frames together: ${guest}`, () => {
      const spec = traffic(12, { kind: 'tcp-stream', gso: true, checksumOffload: true });
      const config = scenario({ workload: 'rx', guest, traffic: spec });
      const outcome = run(config, { device: { produces: spec, burst: 48 } });
      const sink = outcome.core('guest0.vcpu0').results.sink as SinkResult;
      const { sha256, frames, bytes } = referenceOf(spec);
      expect(sink.queues).toEqual([{ queue: 0, sha256, frames, bytes }]);
    });
  }

  it('has room for jumbo frames without mergeable buffers', () => {
    const spec = traffic(300, { size: '9018' });
    const config = scenario({ workload: 'rx', traffic: spec });
    const offers = ALL_FEATURES.filter((name) => name !== 'MRG_RXBUF');
    const outcome = run(config, { device: { produces: spec, offers } });
    expect(outcome.sum('frames.delivered')).toBe(300);
  });
});

describe('a guest that sends on what it receives', () => {
  for (const ring of RINGS) {
    for (const guest of GUESTS) {
      it(`forwards frames as they are, answers them turned round: ${ring}, ${guest}`, () => {
        const spec = traffic(1500, { rate: '500kpps' });
        for (const workload of ['pvp', 'rr'] as const) {
          const config = scenario({ workload, ring, guest, traffic: spec });
          const outcome = run(config, { device: { produces: spec, polls: false } });
          const { sha256, frames } = referenceOf(spec, 0, 1, workload === 'rr');
          expect(outcome.device(0).sha256).toBe(sha256);
          expect(outcome.device(0).frames).toBe(frames);
          expect(outcome.device(0).packets[7]).toBe(7);
        }
      });
    }
  }

  it('counts what finds no room in the transmit queue', () => {
    const spec = traffic(4000);
    const config = scenario({ workload: 'pvp', ringSize: 64, traffic: spec });
    const outcome = run(config, { device: { produces: spec, burst: 64 } });
    expect(outcome.device(0).frames + outcome.sum('drop.guest-ring-full')).toBe(4000);
  });

  it('passes partial checksums on, or completes them', () => {
    const spec = traffic(30, { kind: 'tcp-stream', checksumOffload: true });
    const config = scenario({ workload: 'pvp', traffic: spec });
    const expected = referenceOf(spec).sha256;
    const passed = run(config, { device: { produces: spec } });
    expect(passed.device(0).sha256).toBe(expected);
    expect(passed.device(0).headers[0].flags).toBe(1);
    const offers = ALL_FEATURES.filter((name) => !['CSUM', 'HOST_TSO4', 'HOST_TSO6'].includes(name));
    const completed = run(config, { device: { produces: spec, offers } });
    expect(completed.device(0).sha256).toBe(expected);
    expect(completed.device(0).headers[0].flags).toBe(0);
  });

  it('forwards merged frames as chains, and drops them where the device cannot cut them', () => {
    const spec = traffic(10, { kind: 'tcp-stream', gso: true, checksumOffload: true, mssBytes: 1400 });
    const config = scenario({ workload: 'pvp', traffic: spec });
    const device = { produces: { ...spec, mssBytes: 8000 }, burst: 48 };
    expect(run(config, { device }).device(0).sha256).toBe(referenceOf(device.produces).sha256);
    const offers = ALL_FEATURES.filter((name) => !name.startsWith('HOST_'));
    const refused = run(config, { device: { ...device, offers } });
    expect(refused.sum('drop.guest-offload')).toBe(10);
  });
});
