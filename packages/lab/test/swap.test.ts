import { BACKENDS, type BackendName, type ScenarioConfig, type SwapEvent } from '@vhostlab/workload';
import { describe, expect, it } from 'vitest';
import { SERVICES } from '../src/services/registry.ts';
import { planOf } from './support/planned.ts';
import { splitHash } from './support/split.ts';
import { expectUnharmed, NO_OFFLOADS, OFFLOADS, PAIRS, swapRun, swapScenario } from './support/swaps.ts';

const GROUPS = [['guest'], ['backend'], ['switch'], ['nic', 'station']];

describe('a guest goes to another back end and back under traffic', () => {
  it.each(PAIRS)('$from to $to and back: nothing lost, twice or out of order', ({ from, to }) => {
    for (const more of [
      { workload: 'tx', guest: 'interrupt' },
      { workload: 'pvp', guest: 'poll', ring: from === 'vhost-net' ? 'split' : 'packed' },
    ] as const) {
      const { changes } = expectUnharmed(swapScenario(from, [to, from], more));
      expect(changes.map((change) => [change.from, change.to])).toEqual([
        [from, to],
        [to, from],
      ]);
      for (const { path, missing, stopped_for_us, downtime_us, drain_complete } of changes) {
        expect(path).toBe(missing.length === 0 ? 'carried' : 'reset');
        expect(drain_complete).toBe(true);
        // what had left the rings before is still on its way
        expect(downtime_us).toBeGreaterThan(0.8 * stopped_for_us);
      }
    }
  });

  it('goes through all of them in one run', () => {
    const { changes } = expectUnharmed(
      swapScenario('vhost-net', ['vdpa', 'vhost-user', 'vhost-net', 'vhost-user', 'vdpa', 'vhost-net'], {
        packets: 2500,
        guest: 'interrupt',
      }),
    );
    expect(changes.map(({ path }) => path)).toEqual(new Array(6).fill('carried'));
  });

  it('says which features are missing, and resets: packed rings to vhost-net', () => {
    const { changes, resubmitted, setup } = expectUnharmed(
      swapScenario('vdpa', ['vhost-net'], {
        workload: 'tx',
        ring: 'packed',
        rate: '3Mpps',
        everyPs: 200_000_000,
      }),
    );
    expect(changes[0]).toMatchObject({
      path: 'reset',
      missing: ['RING_PACKED', 'IN_ORDER'],
      reason: 'vhost-net does not offer RING_PACKED, IN_ORDER',
    });
    expect(resubmitted).toBeGreaterThan(0);
    expect(setup.resets).toBe(1);
    expect(setup.features).not.toContain('RING_PACKED');
  });

  it('does in software what the new back end does not offer: checksums and segments', () => {
    for (const to of ['vhost-user', 'vdpa'] as const) {
      const stream = { workload: 'stream', guest: 'interrupt', offloads: OFFLOADS, rate: '20kpps' } as const;
      const config = swapScenario('vhost-net', [to], { ...stream, packets: 60, toOffloads: NO_OFFLOADS });
      const { changes, resubmitted } = expectUnharmed(config);
      expect(changes[0].missing).toEqual(expect.arrayContaining(['CSUM', 'HOST_TSO4']));
      expect(resubmitted).toBeGreaterThan(0);
    }
  });

  it('is the same run in one process and in several', () => {
    // the second one found a core that parked on what it could not know yet
    for (const config of [
      swapScenario('vhost-user', ['vhost-net'], { packets: 500, ring: 'packed', queues: 2 }),
      swapScenario('vdpa', ['vhost-net', 'vdpa'], { workload: 'rr', guest: 'interrupt', packets: 200 }),
    ]) {
      expect(splitHash('run', planOf(config), GROUPS)).toBe(swapRun(config).hash);
    }
  });
});

describe('what a swap rests on', () => {
  it('without the bases the new device begins anew: frames come twice or the ring breaks', () => {
    const { delivered, offered, order } = swapRun(
      swapScenario('vhost-user', ['vdpa'], { workload: 'tx', guest: 'interrupt' }),
      ['bases'],
    );
    expect(delivered !== offered || order.duplicated > 0).toBe(true);
  });

  it('without the drain frames are lost or overtaken', () => {
    const tried = PAIRS.filter(({ from }) => from !== 'vdpa');
    const harmed = tried.filter(({ from, to }) => {
      const config = swapScenario(from, [to], { workload: 'rx', guest: 'interrupt' });
      const { delivered, offered, order } = swapRun(config, ['drain']);
      return delivered !== offered || order.duplicated + order.reordered > 0;
    });
    expect(harmed).toEqual(tried);
  });
});

describe('the check of a swap', () => {
  const fault = (config: ScenarioConfig) => SERVICES.guest.definition.check(config)[0]?.summary;
  const to = (name: BackendName): SwapEvent => ({
    kind: 'swap',
    atPs: 1e9,
    guest: 0,
    to: name,
    offloads: NO_OFFLOADS,
  });

  it('refuses what makes no sense, with the reason', () => {
    const config = swapScenario('vhost-user', ['vdpa'], {});
    expect(fault(config)).toBeUndefined();
    expect(fault({ ...config, events: [to('vhost-user')] })).toContain('on vhost-user already');
    expect(fault({ ...config, workload: 'v2v', guests: 2 })).toContain('two guests share a bridge');
    expect(fault({ ...config, events: [to('vfio'), to('vdpa')] })).toContain('one other back end');
    expect(fault({ ...config, plugin: { name: 'mine' } })).toContain('the guest is on the plugin mine');
    expect(fault({ ...config, faults: [{ packet: 1, action: 'flip', value: 0 }] })).toContain('Faults');
  });

  it('knows every built-in back end', () => {
    for (const name of BACKENDS) {
      const config = swapScenario(name === 'vdpa' ? 'vhost-net' : 'vdpa', [name], {});
      expect(SERVICES.backend.definition.check(config)).toEqual([]);
    }
  });
});

describe('a guest goes to or from vfio', () => {
  it.each(['vhost-net', 'vhost-user', 'vdpa'] as const)(
    'over the standby device, from and to %s; what is lost has a reason',
    (other) => {
      for (const { from, to, workload, guest } of [
        { from: other, to: 'vfio', workload: 'rx', guest: 'poll' },
        { from: 'vfio', to: other, workload: 'tx', guest: 'interrupt' },
      ] as const) {
        const run = swapRun(swapScenario(from, [to, from], { workload, guest }));
        const lost = Object.values(run.drops).reduce((sum, count) => sum + count, 0);
        expect(run.delivered + lost).toBe(run.offered);
        // a device that is gone has nothing to send; what comes for it until the card knows is lost
        if (workload === 'tx') expect(lost).toBe(0);
        else expect(lost).toBeGreaterThan(0);
        expect(run.order.duplicated).toBe(0);
        expect(run.changes.map(({ path, ...change }) => [change.from, change.to, path])).toEqual([
          [from, to, 'failover'],
          [to, from, 'failover'],
        ]);
        expect(run.changes[0].reason).toContain('hot-unplug, and the standby device');
        expect(run.setup.features).not.toContain('STANDBY');
      }
    },
  );

  it('frames go over the standby device, which offers VIRTIO_NET_F_STANDBY, until the new one is there', () => {
    const { cores } = swapRun(swapScenario('vfio', ['vhost-user'], { workload: 'tx' }));
    const standby = cores.find(({ id }) => id === 'host.vhost0.0@2');
    expect(standby?.ops['tap.xmit']?.count).toBeGreaterThan(10);
    expect(cores.find(({ id }) => id === 'host.pmd0@1')?.ops['nic.pmd_tx']?.count).toBeGreaterThan(10);
  });

  it('is the same run in one process and in several', () => {
    const config = swapScenario('vfio', ['vdpa', 'vfio'], { packets: 700, queues: 2, ring: 'packed' });
    expect(splitHash('run', planOf(config), GROUPS)).toBe(swapRun(config).hash);
  });

  it('a lost request of rr is given up after its time, and the next one goes out', () => {
    const run = swapRun(swapScenario('vfio', ['vhost-net'], { workload: 'rr', packets: 200 }));
    expect(run.delivered).toBeGreaterThan(190);
    expect(run.offered).toBe(200);
  });
});
