import { describe, expect, it } from 'vitest';
import type { SinkResult } from '../src/index.ts';
import { ALL_FEATURES, run, scenario, traffic } from './harness.ts';
import { referenceOf } from './reference.ts';

describe('several queue pairs', () => {
  for (const guest of ['poll', 'interrupt'] as const) {
    for (const ring of ['split', 'packed'] as const) {
      it(`each have a vCPU of their own that sends its share: ${guest}, ${ring}`, () => {
        const spec = traffic(2000, { flows: 16 });
        const outcome = run(scenario({ guest, ring, queues: 4, traffic: spec }), {
          device: { polls: false },
        });
        for (let q = 0; q < 4; q++) {
          expect(outcome.device(q).sha256).toBe(referenceOf(spec, q, 4).sha256);
          expect(outcome.device(q).packets[3]).toBe(12 + q);
        }
        expect(outcome.sum('frames.offered')).toBe(2000);
      });
    }
  }

  it('are turned on over the control queue', () => {
    const outcome = run(scenario({ queues: 3, traffic: traffic(30) }), { stride: 1 });
    expect(outcome.strings.join('\n')).toContain('guest 0: 3 queue pairs in use');
    const setup = outcome.core('guest0.vcpu0').results.setup as { features: string[] };
    expect(setup.features).toContain('MQ');
    expect(setup.features).toContain('CTRL_VQ');
  });

  it('each have a sink of their own', () => {
    const spec = traffic(1200, { flows: 6 });
    const config = scenario({ workload: 'rx', queues: 3, guest: 'interrupt', traffic: spec });
    const outcome = run(config, { device: { produces: spec, polls: false } });
    for (let q = 0; q < 3; q++) {
      const sink = outcome.core(`guest0.vcpu${q}`).results.sink as SinkResult;
      expect(sink.queues[0]).toEqual({ queue: q, ...referenceOf(spec, q, 3) });
    }
  });

  it('also exist sixteen at a time', () => {
    const spec = traffic(1600, { flows: 32 });
    const outcome = run(scenario({ queues: 16, ringSize: 64, pages: '4K', traffic: spec }));
    expect(outcome.sum('frames.offered')).toBe(1600);
    const frames = Array.from({ length: 16 }, (_, q) => outcome.device(q).frames);
    expect(frames.reduce((sum, count) => sum + count, 0)).toBe(1600);
  });
});

describe('two guests', () => {
  it('are a source and a sink', () => {
    const spec = traffic(500);
    const config = scenario({ workload: 'v2v', guests: 2, traffic: spec });
    const outcome = run(config, { device: { offers: ALL_FEATURES } });
    expect(outcome.core('guest0.vcpu0').counters['frames.offered']).toBe(500);
    expect(outcome.device(0).frames).toBe(500);
    expect(outcome.core('guest1.vcpu0').results.sink).toBeDefined();
    expect(outcome.core('guest1.vcpu0').counters['frames.offered']).toBeUndefined();
  });
});
