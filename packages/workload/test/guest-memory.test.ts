import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  FRAME_OFFSET,
  guestLayout,
  guestMemoryRegions,
  longestFrameBytes,
  PAGE_SIZES,
  type ScenarioConfig,
  TABLE_ENTRIES,
} from '../src/index.ts';

function scenario(part: Partial<ScenarioConfig> = {}): ScenarioConfig {
  return {
    backend: 'vfio',
    workload: 'tx',
    guests: 1,
    queues: 1,
    ring: 'split',
    ringSize: 256,
    pages: '4K',
    execution: 'rtc',
    guest: 'poll',
    offloads: { csum: true, tso: true, mrg: true },
    nic: { pcie: 'gen4x16', rateGbps: 25 },
    flows: [],
    traffic: { kind: 'udp', packets: 10, size: '64', lineBps: 25e9, seed: 1 },
    faults: [],
    seed: 1,
    ...part,
  };
}

/** Every area of the memory: name, first byte, bytes. */
function areas(config: ScenarioConfig): [string, number, number][] {
  const layout = guestLayout(config, 0);
  const ringBytes = 26 * config.ringSize + 12;
  return [
    ['control page', layout.controlPage, 4096],
    ...layout.pairs.flatMap((pair, q): [string, number, number][] => [
      [`rx ring ${q}`, pair.rxRing, ringBytes],
      [`tx ring ${q}`, pair.txRing, ringBytes],
      [`tables ${q}`, pair.tables, config.ringSize * TABLE_ENTRIES * 16],
      [`small ${q}`, pair.small.gpa, pair.small.count * pair.small.stride],
      [`large ${q}`, pair.large.gpa, pair.large.count * pair.large.stride],
      ...pair.faultBuffers.map(({ packet, gpa, bytes }): [string, number, number] => [
        `fault ${q}.${packet}`,
        gpa,
        bytes,
      ]),
    ]),
  ];
}

describe('layout of guest memory', () => {
  const scenarios = fc.record({
    queues: fc.integer({ min: 1, max: 4 }),
    ringSize: fc.constantFrom(2, 100, 256, 1024),
    pages: fc.constantFrom('4K' as const, '2M' as const),
    faults: fc.uniqueArray(fc.integer({ min: 0, max: 99 }), { maxLength: 3 }),
    stream: fc.boolean(),
  });

  it('keeps all areas apart, and the pages of unmap faults out of the memory table', () => {
    fc.assert(
      fc.property(scenarios, ({ queues, ringSize, pages, faults, stream }) => {
        const config = scenario({
          queues,
          ringSize,
          pages,
          faults: faults.map((packet) => ({ packet, action: 'unmap', value: 0 })),
          ...(stream
            ? { workload: 'stream', traffic: { kind: 'tcp-stream', gso: true, lineBps: 25e9, seed: 1 } }
            : {}),
        });
        const layout = guestLayout(config, 0);
        const sorted = areas(config)
          .filter(([, , bytes]) => bytes > 0)
          .sort((x, y) => x[1] - y[1]);
        for (let i = 0; i < sorted.length; i++) {
          const [, at, bytes] = sorted[i];
          expect(at).toBeGreaterThanOrEqual(4096);
          expect(at + bytes).toBeLessThanOrEqual(sorted[i + 1]?.[1] ?? layout.bytes);
        }
        const regions = guestMemoryRegions(config, 0);
        const mapped = (at: number) => regions.some(({ gpa, bytes }) => at >= gpa && at < gpa + bytes);
        for (const [name, at, bytes] of sorted) {
          expect(mapped(at)).toBe(!name.startsWith('fault'));
          expect(mapped(at + bytes - 1)).toBe(!name.startsWith('fault'));
        }
        for (const { gpa, bytes } of regions) {
          expect(gpa % PAGE_SIZES[pages]).toBe(0);
          expect(bytes % PAGE_SIZES[pages]).toBe(0);
        }
      }),
      { numRuns: 100 },
    );
  });

  it('has room for the longest frame behind the headroom', () => {
    for (const size of ['64', '1518', '9018', '16000']) {
      const { stride } = guestLayout(scenario({ traffic: { ...scenario().traffic, size } }), 0).pairs[0]
        .small;
      expect(stride).toBeGreaterThanOrEqual(FRAME_OFFSET + Number(size) - 4);
    }
  });

  it('ignores faults of guests that send nothing', () => {
    const faults = [{ packet: 1, action: 'unmap' as const, value: 0 }];
    const receiver = scenario({ workload: 'rx', faults });
    expect(guestLayout(receiver, 0)).toEqual(guestLayout(scenario({ workload: 'rx' }), 0));
  });
});

describe('longest frame', () => {
  it('is that of the size, of the mix, of the segments', () => {
    const udp = scenario().traffic;
    expect(longestFrameBytes({ traffic: { ...udp, size: '64' } })).toBe(60);
    expect(longestFrameBytes({ traffic: { ...udp, size: 'imix' } })).toBe(1514);
    expect(longestFrameBytes({ traffic: { ...udp, kind: 'tcp-stream', mssBytes: 500 } })).toBe(590);
  });

  it('throws for a capture that is none', () => {
    const traffic = { ...scenario().traffic, kind: 'pcap' as const };
    expect(() => longestFrameBytes({ traffic, capture: 'aGVsbG8=' })).toThrow(/not a pcap/);
  });
});
