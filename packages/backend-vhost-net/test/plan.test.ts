import { scenarioSchema } from '@vhostlab/backend-sdk';
import type { ComponentPlan } from '@vhostlab/engine';
import { FeatureSet } from '@vhostlab/virtio-net';
import { describe, expect, it } from 'vitest';
import { vhostNetPlugin } from '../src/index.ts';
import { scenario } from './rig.ts';

function channels(plan: ComponentPlan): string[] {
  return plan.ends.map(({ channel, side }) => `${channel} ${side}`).sort();
}

describe('plan of vhost-net', () => {
  it('has a worker and a softirq core per queue pair, joined by a tap', () => {
    const plan = vhostNetPlugin.plan(scenario({ queues: 2 }));
    expect(plan.cores.map(({ id, module }) => `${id} ${module}`)).toEqual([
      'host.vhost0.0 vhost-net/worker',
      'host.softirq0 vhost-net/softirq',
      'host.vhost0.1 vhost-net/worker',
      'host.softirq1 vhost-net/softirq',
    ]);
    const pair = (q: number) => [
      `nicq.host.softirq${q} a`,
      `nicq.host.vhost0.${q} a`,
      `tap.0.${q} a`,
      `tap.0.${q} b`,
      `upcall.host.softirq${q} a`,
      `upcall.host.vhost0.${q} a`,
      `vhost.0.${q} b`,
      `vq.0.${q} b`,
    ];
    expect(channels(plan)).toEqual([...pair(0), ...pair(1)].sort());
    expect(plan.windows.map(({ id }) => id).sort()).toEqual([
      'rings.host.softirq0',
      'rings.host.softirq1',
      'rings.host.vhost0.0',
      'rings.host.vhost0.1',
    ]);
  });

  it('joins guests without a wire by one link, without NIC and softirq', () => {
    const plan = vhostNetPlugin.plan(scenario({ workload: 'v2v', guests: 2 }));
    expect(plan.cores.map(({ id }) => id)).toEqual(['host.vhost0.0', 'host.vhost1.0']);
    expect(plan.windows).toEqual([]);
    expect(channels(plan)).toEqual(
      [
        'bridge.0.1.0 a',
        'bridge.0.1.0 b',
        'upcall.host.vhost0.0 a',
        'upcall.host.vhost1.0 a',
        'vhost.0.0 b',
        'vhost.1.0 b',
        'vq.0.0 b',
        'vq.1.0 b',
      ].sort(),
    );
  });

  it('is plain data', () => {
    const plan = vhostNetPlugin.plan(scenario());
    expect(JSON.parse(JSON.stringify(plan))).toEqual(plan);
  });

  it('gives buffers the room of the longest frame, and room for segmentation to workers only', () => {
    const bufferBytes = (part: Parameters<typeof scenario>[0]) => {
      const { cores } = vhostNetPlugin.plan(scenario(part));
      return cores.map(({ config }) => (config as { bufferBytes: number }).bufferBytes);
    };
    const udp = scenario().traffic;
    expect(bufferBytes({})).toEqual([2176, 2176]);
    expect(bufferBytes({ traffic: { ...udp, size: '9018' } })[1]).toBeGreaterThanOrEqual(9014 + 128);
    const stream = { ...udp, kind: 'tcp-stream' as const, gso: true };
    const offloads = { csum: true, tso: true, mrg: true };
    const [worker, softirq] = bufferBytes({ workload: 'stream', traffic: stream, offloads });
    expect(worker).toBeGreaterThan(65_536);
    expect(softirq).toBe(2176);
  });

  it('offers what the kernel does: split rings with indirect descriptors and event indexes', () => {
    const offloads = { csum: true, tso: true, mrg: true };
    const { cores } = vhostNetPlugin.plan(scenario({ offloads, ring: 'packed' }));
    const { low, high } = (cores[0].config as { offered: { low: number; high: number } }).offered;
    const offered = new FeatureSet(low, high);
    for (const name of ['EVENT_IDX', 'INDIRECT_DESC', 'MRG_RXBUF', 'CSUM', 'HOST_TSO4'] as const) {
      expect(offered.has(name)).toBe(true);
    }
    for (const name of ['RING_PACKED', 'IN_ORDER'] as const) expect(offered.has(name)).toBe(false);
  });
});

describe('plugin vhost-net', () => {
  it('says what it cannot do, and why', () => {
    const capabilities = vhostNetPlugin.capabilities([]);
    expect(capabilities.map(({ name }) => name)).toEqual([...capabilities.map(({ name }) => name)].sort());
    expect(capabilities.find(({ name }) => name === 'rings.packed')).toEqual({
      name: 'rings.packed',
      support: 'unsupported',
      reason: 'the vhost-net driver knows split rings only',
    });
    for (const { support, reason } of capabilities) {
      if (support === 'unsupported') expect(reason).toMatch(/\w+ \w+/);
    }
  });

  it('takes a scenario and refuses unknown keys by name', () => {
    expect(vhostNetPlugin.configSchema).toBe(scenarioSchema);
    expect(vhostNetPlugin.configSchema.safeParse(scenario()).success).toBe(true);
    const wrong = vhostNetPlugin.configSchema.safeParse({ ...scenario(), zeroCopy: true });
    expect(wrong.error?.message).toContain('zeroCopy');
  });
});
