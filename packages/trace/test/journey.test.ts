import { describe, expect, it } from 'vitest';
import {
  type Journey,
  packetJourney,
  packetJourneys,
  readLog,
  representativeJourney,
  stageShares,
} from '../src/index.ts';
import { merged, partOf, type Run } from './support.ts';

/** Three packets through a vCPU, a poller and a NIC; packet 4 is dropped, packet 8 waits longer. */
const RUNS: Run[] = [
  {
    core: 'guest0.vcpu0',
    task: 'tx',
    startPs: 1000,
    endPs: 1600,
    entries: [
      { timePs: 1200, stage: 'guest.skb_alloc', packet: 0, address: 0x1000, length: 60 },
      { timePs: 1500, stage: 'guest.vring_add', packet: 0, address: 0x1000, length: 60 },
      { timePs: 1500, stage: 'guest.vring_add', packet: 4 },
      { timePs: 1500, stage: 'guest.vring_add', packet: 8 },
      { timePs: 1600, stage: 'guest.kick' },
    ],
  },
  {
    core: 'host.pmd0',
    task: 'poll',
    startPs: 2000,
    endPs: 2700,
    entries: [
      { timePs: 2300, stage: 'vhost.fetch', packet: 0 },
      { timePs: 2300, stage: 'vhost.fetch', packet: 4 },
      { timePs: 2700, stage: 'vhost.copy', packet: 0 },
    ],
  },
  {
    core: 'nic0',
    task: 'tx',
    startPs: 3000,
    endPs: 3000,
    entries: [
      { timePs: 4500, stage: 'wire.tx', packet: 0 },
      { timePs: 9500, stage: 'wire.tx', packet: 8 },
      { timePs: 3500, stage: 'nic.dma_read', packet: 0 },
    ],
  },
];

function section() {
  return readLog(merged({ name: 'tx/vhost-user', parts: [partOf(RUNS)] })).sections[0];
}

describe('packetJourneys', () => {
  it('tells steps in the order of time with work and waiting apart', () => {
    const journey = packetJourney(section(), 0);
    expect(
      journey?.steps.map(({ stage, startPs, endPs, waitPs }) => [stage, startPs, endPs, waitPs]),
    ).toEqual([
      ['guest.skb_alloc', 1000, 1200, 0],
      ['guest.vring_add', 1200, 1500, 0],
      ['vhost.fetch', 2000, 2300, 500],
      ['vhost.copy', 2300, 2700, 0],
      ['nic.dma_read', 3000, 3500, 300],
      ['wire.tx', 3500, 4500, 0],
    ]);
    expect(journey?.startPs).toBe(1000);
    expect(journey?.endPs).toBe(4500);
    expect(journey?.steps[0]).toMatchObject({ core: 'guest0.vcpu0', address: 0x1000, length: 60 });
  });

  it('accounts for every picosecond between first and last event', () => {
    for (const { startPs, endPs, steps } of packetJourneys(section())) {
      const sum = steps.reduce((total, step) => total + step.waitPs + step.endPs - step.startPs, 0);
      expect(sum).toBe(endPs - startPs);
    }
  });

  it('knows no journey of a packet that was not sampled', () => {
    expect(packetJourney(section(), 3)).toBeUndefined();
  });
});

describe('representativeJourney', () => {
  const journey = (packet: number, steps: number, endPs: number): Journey => ({
    packet,
    startPs: 0,
    endPs,
    steps: Array.from({ length: steps }, () => ({
      stage: 'vhost.copy',
      core: 'host.pmd0',
      startPs: 0,
      endPs: 0,
      waitPs: 0,
      address: 0,
      length: 0,
    })),
  });

  it('is the lower median of the packets that were not dropped, however many were', () => {
    const dropped = Array.from({ length: 10 }, (_, i) => journey(100 + i, 2, 5));
    const delivered = [journey(0, 9, 900), journey(1, 8, 100), journey(2, 8, 300), journey(3, 8, 200)];
    expect(representativeJourney([...dropped, ...delivered])?.packet).toBe(3);
  });

  it('is undefined for nothing', () => {
    expect(representativeJourney([])).toBeUndefined();
  });
});

describe('stageShares', () => {
  const spent = (ps: number) => ({ count: 1, bytes: 0, ps });

  it('adds cores of one account, orders by the way of a packet and keeps idle polls apart', () => {
    const cores = [
      { account: 'host' as const, ops: { 'vhost.copy': spent(40_000), 'vhost.poll_empty': spent(10_000) } },
      { account: 'host' as const, ops: { 'vhost.copy': spent(20_000), 'vhost.fetch': spent(5000) } },
      { account: 'guest' as const, ops: { 'guest.kick': spent(3000), 'guest.kick_check': spent(1000) } },
      { account: 'none' as const, ops: { 'wire.tx': spent(70_000) } },
    ];
    expect(stageShares(cores, 10)).toEqual([
      { stage: 'guest.kick', account: 'guest', nsPerPacket: 0.4 },
      { stage: 'vhost.fetch', account: 'host', nsPerPacket: 0.5 },
      { stage: 'vhost.copy', account: 'host', nsPerPacket: 6 },
      { stage: 'idle poll', account: 'host', nsPerPacket: 1 },
      { stage: 'wire.tx', account: 'hardware', nsPerPacket: 7 },
    ]);
  });

  it('has no time per packet without packets', () => {
    expect(stageShares([{ account: 'host', ops: { 'vhost.copy': spent(1) } }], 0)).toEqual([]);
  });
});
