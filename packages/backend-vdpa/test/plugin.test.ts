import { describe, expect, it } from 'vitest';
import { vdpaPlugin } from '../src/index.ts';
import { scenario } from './rig.ts';

const REQUIRED = 3;
const OFFERED = 2;

function migration(...peer: { name: string; support: number }[]) {
  return vdpaPlugin
    .capabilities(peer as unknown as Parameters<typeof vdpaPlugin.capabilities>[0])
    .find(({ name }) => name === 'migration');
}

describe('plugin vdpa', () => {
  it('migrates through a shadow virtqueue and names what that refuses', () => {
    const { support, reason } = migration() ?? {};
    expect(support).toBe('offered');
    for (const feature of ['VIRTIO_F_IN_ORDER', 'VIRTIO_F_RING_PACKED', 'VIRTIO_F_INDIRECT_DESC']) {
      expect(reason).toContain(feature);
    }
  });

  it('does not migrate with a peer that insists on packed rings', () => {
    expect(migration({ name: 'rings.packed', support: OFFERED })?.support).toBe('offered');
    const { support, reason } = migration({ name: 'rings.packed', support: REQUIRED }) ?? {};
    expect(support).toBe('unsupported');
    expect(reason).toContain('VIRTIO_F_RING_PACKED');
    expect(reason).not.toContain('IN_ORDER');
  });

  it('plans one device per guest for all of its queue pairs', () => {
    const plan = vdpaPlugin.plan(scenario({ guests: 2, queues: 4, workload: 'v2v' }));
    expect(plan.cores.map(({ id }) => id)).toEqual(['host.vdpa0', 'host.vdpa1']);
    expect(plan.ends.map(({ channel, side, end }) => `${channel} ${side} ${end}`)).toEqual([
      'vhost.0.0 b vhost.0.0',
      'vdpa.0 a nic',
      'vhost.1.0 b vhost.1.0',
      'vdpa.1 a nic',
    ]);
    expect(plan.windows).toEqual([]);
    expect(JSON.parse(JSON.stringify(plan))).toEqual(plan);
  });
});
