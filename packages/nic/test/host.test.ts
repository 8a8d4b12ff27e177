import type { ComponentPlan } from '@vhostlab/engine';
import { build } from '@vhostlab/packet';
import { createSource, FrameHasher, type TrafficSpec } from '@vhostlab/workload';
import { describe, expect, it } from 'vitest';
import { type DeviceConfig, nicModules, type SinkReport, type StationConfig } from '../src/index.ts';
import type { HostConfig } from './host-core.ts';
import { resultOf, run } from './kit.ts';

const WINDOW = 32 * 1024 * 1024;
const NO_OFFLOAD = { flags: 0, gsoType: 0, hdrLen: 0, gsoSize: 0, csumStart: 0, csumOffset: 0 };

interface Setup {
  traffic: TrafficSpec;
  hosts?: number;
  host?: Partial<HostConfig>;
  station?: Partial<StationConfig>;
}

function plan(setup: Setup): ComponentPlan[] {
  const hosts = Array.from({ length: setup.hosts ?? 1 }, (_, h) => `host.pmd${h}`);
  const device: DeviceConfig = {
    pcie: 'gen3x8',
    rateGbps: 25,
    pageBytes: 4096,
    memory: { window: 'nic0.memory', bytes: 1 << 20 },
    maxQueueSize: 1024,
    offloads: { csum: false, tso: false, mrg: false },
    host: hosts.map((core) => ({ end: `nicq.${core}`, window: `rings.${core}`, bufferBytes: 2048 })),
    functions: [],
  };
  const station: StationConfig = {
    sends: true,
    receives: true,
    transacts: false,
    queues: 1,
    rateGbps: 25,
    traffic: setup.traffic,
    ...setup.station,
  };
  const nic: ComponentPlan = {
    cores: [
      { id: 'nic0', service: 'nic', module: 'nic/device', config: device, mode: 'hardware', account: 'none' },
      {
        id: 'station',
        service: 'nic',
        module: 'nic/station',
        config: station,
        mode: 'hardware',
        account: 'none',
      },
    ],
    windows: [{ id: 'nic0.memory', owner: 'nic', bytes: 1 << 20 }],
    ends: [
      {
        channel: 'wire',
        kind: 'link',
        side: 'a',
        core: 'station',
        end: 'wire',
        latency: 'wire',
        capacity: 4096,
        bufferBytes: 1 << 24,
      },
      {
        channel: 'wire',
        kind: 'link',
        side: 'b',
        core: 'nic0',
        end: 'wire',
        latency: 'wire',
        capacity: 4096,
        bufferBytes: 1 << 24,
      },
    ],
  };
  const backend: ComponentPlan = { cores: [], windows: [], ends: [] };
  for (const core of hosts) {
    const config: HostConfig = {
      window: `rings.${core}`,
      windowBytes: WINDOW,
      ringSize: 256,
      role: 'forward',
      interrupts: false,
      charges: 1,
      count: 0,
      frame: '',
      offload: NO_OFFLOAD,
      ...setup.host,
    };
    const mode = config.interrupts ? ('wait' as const) : ('poll' as const);
    backend.cores.push({ id: core, service: 'backend', module: 'test/host', config, mode, account: 'host' });
    backend.windows.push({ id: `rings.${core}`, owner: 'backend', bytes: WINDOW });
    const ends = {
      channel: `nicq.${core}`,
      kind: 'memory' as const,
      latency: 'dma' as const,
      window: `rings.${core}`,
    };
    backend.ends.push({ ...ends, side: 'a', core, end: 'nic', queueSizes: [256, 256] });
    nic.ends.push({ ...ends, side: 'b', core: 'nic0', end: `nicq.${core}` });
  }
  return [nic, backend];
}

function traffic(packets: number, more: Partial<TrafficSpec> = {}): TrafficSpec {
  return { kind: 'udp', packets, size: '64', flows: 1, lineBps: 25e9, seed: 1, ...more };
}

function hashOf(spec: TrafficSpec): string {
  const source = createSource(spec);
  const bytes = new Uint8Array(70_000);
  const hasher = new FrameHasher();
  while (source.next()) hasher.add(bytes, 0, source.write(bytes, 0));
  return hasher.digest();
}

describe('physical function', () => {
  it('brings frames from the wire through host rings and back, unchanged and in order', () => {
    const spec = traffic(2000, { rate: '2Mpps', size: 'imix', flows: 7 });
    const outcome = run(plan({ traffic: spec }));
    expect(outcome.drops).toEqual({});
    expect(outcome.total('frames.offered')).toBe(2000);
    const sink = resultOf<SinkReport>(outcome, 'station', 'sink');
    expect(sink.queues[0].frames).toBe(2000);
    expect(sink.queues[0].sha256).toBe(hashOf(spec));
  });

  it('drops at the ring when the host is slow, and counts every frame', () => {
    const outcome = run(plan({ traffic: traffic(20_000), host: { charges: 30 } }));
    expect(outcome.total('frames.offered')).toBe(20_000);
    expect(outcome.drops['nic-rx-ring-full']).toBeGreaterThan(10_000);
    expect(outcome.total('frames.delivered') + outcome.dropped).toBe(20_000);
  });

  it('gives the same run in copy mode, byte for byte of the log', () => {
    const setup = { traffic: traffic(3000, { rate: '10Mpps', size: 'imix' }), host: { charges: 8 } };
    const shared = run(plan(setup), { stride: 10 });
    const copied = run(plan(setup), { stride: 10, copyMode: true });
    expect(copied.log.equals(shared.log)).toBe(true);
    expect(shared.events.length).toBeGreaterThan(100);
  });

  it('interrupts a sleeping host, moderated, and loses nothing', () => {
    const slow = run(plan({ traffic: traffic(100, { rate: '50000pps' }), host: { interrupts: true } }));
    expect(slow.total('interrupts')).toBeGreaterThanOrEqual(95);
    expect(slow.total('frames.delivered')).toBe(100);
    const fast = run(plan({ traffic: traffic(2000, { rate: '1Mpps' }), host: { interrupts: true } }));
    expect(fast.total('frames.delivered') + fast.dropped).toBe(2000);
    // 2 ms of traffic, a message every 8 us at most unless 32 frames come together
    expect(fast.total('interrupts')).toBeLessThan(260);
    expect(fast.total('interrupts')).toBeGreaterThan(50);
  });

  it('spreads flows over the queues that are enabled, a flow always to the same', () => {
    const outcome = run(
      plan({
        traffic: traffic(4000, { rate: '1Mpps', flows: 64 }),
        hosts: 4,
        host: { role: 'sink' },
        station: { receives: false },
      }),
    );
    const frames = [0, 1, 2, 3].map(
      (h) => resultOf<{ frames: number }>(outcome, `host.pmd${h}`, 'host').frames,
    );
    expect(frames.reduce((sum, n) => sum + n, 0)).toBe(4000);
    for (const n of frames) expect(n).toBeGreaterThan(300);
    const one = run(
      plan({
        traffic: traffic(500, { rate: '1Mpps', flows: 1 }),
        hosts: 4,
        host: { role: 'sink' },
        station: { receives: false },
      }),
    );
    const single = [0, 1, 2, 3].map((h) => resultOf<{ frames: number }>(one, `host.pmd${h}`, 'host').frames);
    expect(single.filter((n) => n > 0)).toEqual([500]);
  });

  it('records a received packet in the order of the stages', () => {
    const outcome = run(plan({ traffic: traffic(4, { rate: '100000pps' }) }), { stride: 1 });
    const stages = outcome.events.filter(({ core, packet }) => core === 'nic0' && packet === 2);
    stages.sort((x, y) => x.atPs - y.atPs);
    expect(stages.map(({ stage }) => stage)).toEqual([
      'wire.rx',
      'nic.dma_write',
      'nic.used_write',
      'nic.desc_read',
      'nic.dma_read',
      'wire.tx',
    ]);
  });

  it('is limited by the wire when the host sends faster, without losing a frame', () => {
    const frame = Buffer.from(
      build([
        { kind: 'ethernet', dst: '02:00:00:00:00:01', src: '02:00:00:00:00:02', etherType: 0x88b5 },
        { kind: 'payload', bytes: new Uint8Array(1000) },
      ]),
    ).toString('base64');
    const outcome = run(
      plan({ traffic: traffic(1), station: { sends: false }, host: { role: 'source', count: 3000, frame } }),
    );
    const sink = resultOf<SinkReport>(outcome, 'station', 'sink');
    expect(outcome.drops).toEqual({});
    expect(sink.queues[0].frames).toBe(3000);
    const wireBits = (1014 + 24) * 8;
    expect((2999 * wireBits * 1000) / (sink.lastPs - sink.firstPs)).toBeCloseTo(25, 2);
  });
});

it('has its modules under the names of the plan', () => {
  expect([...nicModules.keys()]).toEqual(['nic/device', 'nic/station']);
});
