import { describe, expect, it } from 'vitest';
import type { CompareOptionsInput, Result } from '../src/index.ts';
import { runRows } from './support/run.ts';

/** Rows by back end. */
async function rows(input: CompareOptionsInput): Promise<Record<string, Result>> {
  return Object.fromEntries((await runRows(input)).map((row) => [row.backend, row]));
}

const coresPerMpps = (row: Result): number => row.host_cores / row.throughput_mpps;

/** A rate that no back end carries. */
const saturated = rows({ workloads: ['pvp'], packets: 20_000 });

describe('order of the back ends', () => {
  it('pvp: less software in the path is faster and needs fewer host cores', async () => {
    const { 'vhost-net': net, 'vhost-user': user, vfio, vdpa } = await saturated;
    expect(net.throughput_mpps).toBeLessThan(user.throughput_mpps);
    expect(user.throughput_mpps).toBeLessThanOrEqual(vdpa.throughput_mpps);
    expect(coresPerMpps(net)).toBeGreaterThan(coresPerMpps(user));
    expect(coresPerMpps(user)).toBeGreaterThan(coresPerMpps(vdpa));
    // the NIC's side of vdpa is that of vfio
    expect(vdpa.throughput_mpps).toBeCloseTo(vfio.throughput_mpps, 1);
  });

  it('pvp: throughput is that of published measurements', async () => {
    const { 'vhost-net': net, 'vhost-user': user, vdpa } = await saturated;
    // 0.77 Mpps (SIGCOMM 2021, Fig. 8) to 0.92 (1.08 Mpps of transmit alone, "tun: rx batching")
    expect(net.throughput_mpps).toBeGreaterThan(0.7);
    expect(net.throughput_mpps).toBeLessThan(1);
    // 2.95 Mpps (SIGCOMM 2021) to 4.73 (Red Hat, two hyperthreads)
    expect(user.throughput_mpps).toBeGreaterThan(2.9);
    expect(user.throughput_mpps).toBeLessThan(4.73);
    // bounded by the guest's driver: 8.86 Mpps ("virtio-net: support AF_XDP zero copy")
    expect(vdpa.throughput_mpps).toBeGreaterThan(8);
    expect(vdpa.throughput_mpps).toBeLessThan(8.87);
  });

  it('rr: a worker that has to be woken answers last', async () => {
    const { 'vhost-net': net, 'vhost-user': user, vfio } = await rows({ workloads: ['rr'], packets: 200 });
    expect(user.latency_us.p50).toBeLessThan(net.latency_us.p50);
    expect(vfio.latency_us.p50).toBeLessThan(net.latency_us.p50);
  });

  it('more queues at the same rate cost vhost-net more: each worker sees fewer packets per wake-up', async () => {
    const options = {
      workloads: ['pvp'],
      backends: ['vhost-net'],
      packets: 3000,
      rate: '500kpps',
      flows: 64,
    } satisfies CompareOptionsInput;
    const { 'vhost-net': one } = await rows({ ...options, queues: 1 });
    const { 'vhost-net': four } = await rows({ ...options, queues: 4 });
    expect(four.frames.delivered).toBe(one.frames.delivered);
    expect(four.per_packet.kicks).toBeGreaterThan(2 * one.per_packet.kicks);
    // kernel P2P: 5.3 times the rate for 9 times the CPU (SIGCOMM 2021)
    expect(four.host_cores).toBeGreaterThan(1.5 * one.host_cores);
  });

  describe('flips where it does in reality', () => {
    it('guest to guest over gen3 x8: frames cross PCIe twice, copies do not', async () => {
      const { 'vhost-user': user, vdpa } = await rows({
        workloads: ['v2v'],
        backends: ['vhost-user', 'vdpa'],
        packets: 8000,
        size: '1518',
        queues: 4,
        flows: 0,
        pcie: 'gen3x8',
      });
      expect(user.throughput_gbps).toBeGreaterThan(vdpa.throughput_gbps);
      // what the link carries in one direction (57.9 Gbps with headers), neither more nor far less
      expect(vdpa.throughput_gbps).toBeGreaterThan(40);
      expect(vdpa.throughput_gbps).toBeLessThan(57.88);
      expect(vdpa.per_packet.dma_bytes).toBeGreaterThan(2 * 1514);
      expect(user.per_packet.dma_bytes).toBe(0);
    });

    it('bulk stream: segmentation left to vhost-net beats segmentation in a guest over vhost-user', async () => {
      const options = { workloads: ['stream'], packets: 1000 } satisfies CompareOptionsInput;
      const { 'vhost-net': net, 'vhost-user': user } = await rows({
        ...options,
        backends: ['vhost-net', 'vhost-user'],
      });
      // 12 against 3.8 Gbps (SIGCOMM 2021)
      expect(user.throughput_gbps).toBeGreaterThan(3);
      expect(user.throughput_gbps).toBeLessThan(5);
      expect(net.throughput_gbps).toBeGreaterThan(2 * user.throughput_gbps);
      const { 'vhost-user': offloaded } = await rows({
        ...options,
        backends: ['vhost-user'],
        vhostUserOffloads: true,
      });
      expect(offloaded.throughput_gbps).toBeGreaterThanOrEqual(net.throughput_gbps);
    });

    it('1,000 packets per second: who sleeps is nearly free, who polls is not', async () => {
      const { 'vhost-net': net, 'vhost-user': user } = await rows({
        workloads: ['rx'],
        backends: ['vhost-net', 'vhost-user'],
        packets: 100,
        rate: '1000pps',
        guest: 'interrupt',
      });
      expect(net.host_cores).toBeLessThan(0.05);
      expect(user.host_cores).toBe(1);
    });
  });
});
