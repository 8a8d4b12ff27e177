import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Cleanup } from './cleanup.ts';
import { ensureHugePages, hugePages } from './hugepages.ts';
import { netVhost } from './net-vhost.ts';
import { ovsDpdk } from './ovs-dpdk.ts';
import { isListening } from './process.ts';
import { storageDaemon } from './storage-daemon.ts';
import { virtioUser } from './virtio-user.ts';

let cleanup: Cleanup;
beforeEach(() => {
  cleanup = new Cleanup();
});
afterEach(() => cleanup.stop());

describe('DPDK against DPDK', () => {
  it.each([
    { packed: false, queues: 1, hugepages: false },
    { packed: true, queues: 2, hugepages: true },
  ])('virtio-user sends to net_vhost: %o', async ({ packed, queues, hugepages }) => {
    const socketPath = cleanup.path('s');
    const back = await cleanup.add(netVhost({ socketPath, mode: 'rxonly', queues }));
    const front = await cleanup.add(
      virtioUser({ socketPath, mode: 'txonly', packed, queues, hugepages, size: 1000 }),
    );
    expect(front.hugepages).toBe(hugepages && ensureHugePages(0));
    await back.process.waitUntil(async () => (await back.stats()).rxPackets > 1000, 'packets have arrived');
    const [sent] = await front.halt();
    const stats = await back.stats();
    expect(stats.rxBytes).toBe(stats.rxPackets * 1000);
    expect(stats.rxPackets).toBeLessThanOrEqual(sent!.txPackets);
    const counters = await front.xstats();
    for (let queue = 0; queue < queues; queue += 1) {
      expect(counters[`tx_q${queue}_good_packets`]).toBeGreaterThan(0);
    }
    expect(back.output()).toContain(`negotiated Virtio features: 0x${packed ? 'd' : '9'}`);
  });

  it('virtio-user in server mode takes one net_vhost client after another', async () => {
    const socketPath = cleanup.path('s');
    const front = await cleanup.add(virtioUser({ socketPath, server: true, mode: 'txonly' }));
    for (const round of [1, 2]) {
      const back = await cleanup.add(netVhost({ socketPath, client: true, mode: 'rxonly' }));
      if (round === 1) await front.ready();
      await back.process.waitUntil(async () => (await back.stats()).rxPackets > 500, 'packets have arrived');
      await back.kill();
    }
    expect(front.process.running).toBe(true);
  });

  it('says what is wrong with a device', async () => {
    const socketPath = cleanup.path('absent');
    await expect(virtioUser({ socketPath, mode: 'txonly' })).rejects.toThrow(
      /^virtio-user: [\s\S]*it wrote last:[\s\S]*connect error, No such file or directory/,
    );
  });
});

it('OVS-DPDK switches between two front ends that listen', async () => {
  const ovs = await cleanup.add(ovsDpdk());
  const [left, right] = [cleanup.path('left'), cleanup.path('right')];
  const fronts = [
    await cleanup.add(virtioUser({ socketPath: left, server: true, mode: 'txonly' })),
    await cleanup.add(virtioUser({ socketPath: right, server: true, mode: 'rxonly', packed: true })),
  ];
  await ovs.addPort('left', left);
  await ovs.addPort('right', right);
  for (const front of fronts) await front.ready();
  await ovs.daemon.waitUntil(async () => (await fronts[1]!.stats()).rxPackets > 500, 'packets have arrived');
  expect((await ovs.portStats('left')).rxPackets).toBeGreaterThan(500);
  expect((await ovs.portStats('right')).txPackets).toBeGreaterThan(500);
  await ovs.removePort('left');
  expect(await ovs.vsctl('list-ports', ovs.bridge)).toBe('right\n');
});

it('the storage daemon listens, and stops listening when it is stopped', async () => {
  const socketPath = cleanup.path('s');
  const daemon = await cleanup.add(storageDaemon({ socketPath }));
  expect(isListening(socketPath)).toBe(true);
  await daemon.stop();
  expect(isListening(socketPath)).toBe(false);
  expect(daemon.running).toBe(false);
});

it('huge pages are counted as the kernel counts them', () => {
  expect(ensureHugePages(2 * hugePages().pageBytes)).toBe(true);
  const { free, total } = hugePages();
  expect(free).toBeGreaterThanOrEqual(2);
  expect(total).toBeGreaterThanOrEqual(free);
});
