import { describe, expect, it } from 'vitest';
import { main } from '../src/main.ts';
import { fakeIo } from './fake-io.ts';

interface Walk {
  clock: string;
  profile: string;
  backend: string;
  steps: { stage: string; core: string; clause?: string; counts: { exits: number; copies: number } }[];
}

async function walk(backend: string, show: string): Promise<Walk> {
  const io = fakeIo();
  expect(await main(['walk', backend, '--show', show, '--json'], io)).toBe(0);
  return JSON.parse(io.stdout()) as Walk;
}

/** Stages of a walk, each once, in the order of their first appearance. */
function stages({ steps }: Walk): string[] {
  return [...new Set(steps.map(({ stage }) => stage))];
}

function sum(told: Walk, what: 'exits' | 'copies'): number {
  return told.steps.reduce((total, { counts }) => total + counts[what], 0);
}

describe('vhostlab walk', () => {
  it('tells transmit over vhost-net from skb to notification in the order of a packet', async () => {
    const told = await walk('vhost-net', 'tx');
    const order = [
      'guest.skb_alloc',
      'guest.vring_add',
      'guest.kick',
      'kvm.exit',
      'kvm.ioeventfd',
      'vhost.wakeup',
      'vhost.fetch',
      'vhost.copy',
      'tap.xmit',
      'switch.parse',
      'switch.lookup',
      'switch.actions',
      'nic.doorbell',
      'vhost.used',
      'vhost.call',
    ];
    expect(stages(told).filter((stage) => order.includes(stage))).toEqual(order);
    expect([sum(told, 'exits'), sum(told, 'copies')]).toEqual([1, 1]);
    expect(told.steps.find(({ stage }) => stage === 'guest.vring_add')?.clause).toBe('virtio 1.3, 2.7.13');
    expect([told.clock, told.profile]).toEqual(['virtual', 'reference']);
  });

  it('tells receive over vhost-net from wire to stack', async () => {
    const order = [
      'wire.rx',
      'nic.interrupt',
      'softirq.poll',
      'tap.enqueue',
      'vhost.wakeup',
      'vhost.copy',
      'vhost.call',
      'kvm.inject',
      'guest.napi_poll',
      'guest.skb_deliver',
    ];
    const told = stages(await walk('vhost-net', 'rx'));
    expect(told.filter((stage) => order.includes(stage))).toEqual(order);
  });

  it('shows vhost-user without kick and exit, vfio without copy', async () => {
    const user = await walk('vhost-user', 'tx');
    expect(stages(user)).not.toContain('guest.kick');
    expect([sum(user, 'exits'), sum(user, 'copies')]).toEqual([0, 1]);
    const vfio = await walk('vfio', 'tx');
    expect([sum(vfio, 'exits'), sum(vfio, 'copies')]).toEqual([0, 0]);
    expect(vfio.steps.every(({ core }) => !core.startsWith('host.'))).toBe(true);
  });

  it('tells set-up as text, and that times are modelled', async () => {
    const io = fakeIo();
    expect(await main(['walk', 'vhost-user', '--show', 'setup'], io)).toBe(0);
    expect(io.stdout()).toContain('SET_MEM_TABLE');
    expect(io.stdout()).toContain('times are modelled with the cost profile "reference"');
  });

  it('says so when the back end lacks an option', async () => {
    const io = fakeIo();
    expect(await main(['walk', 'vhost-net', '--ring', 'packed'], io)).toBe(0);
    expect(io.stdout()).toContain('--ring packed: not applicable: vhost-net has no packed rings');
  });

  it('refuses an unknown back end with status 2', async () => {
    const io = fakeIo();
    expect(await main(['walk', 'vhost-blk'], io)).toBe(2);
    expect(io.stderr()).toContain('vhost-blk');
  });
});
