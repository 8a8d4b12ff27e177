import { guestLayout, type ScenarioConfig } from '@vhostlab/workload';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checkGuest, guestDefinition, guestModules, planGuest } from '../src/index.ts';
import { scenario, traffic } from './harness.ts';

describe('the plan of a guest', () => {
  it('has a vCPU per queue pair and a VMM, joined by channels that are named alike everywhere', () => {
    const plan = planGuest(scenario({ queues: 2, guest: 'interrupt' }));
    expect(plan.cores.map(({ id, mode, account }) => [id, mode, account])).toEqual([
      ['guest0.vcpu0', 'wait', 'guest'],
      ['guest0.vcpu1', 'wait', 'guest'],
      ['guest0.vmm', 'wait', 'host'],
    ]);
    expect(
      plan.ends.map(({ channel, side, core, end, latency }) => [channel, side, core, end, latency]),
    ).toEqual([
      ['vq.0.0', 'a', 'guest0.vcpu0', 'vq', 'coherent'],
      ['vq.0.1', 'a', 'guest0.vcpu1', 'vq', 'coherent'],
      ['ipi.0.1', 'a', 'guest0.vcpu0', 'ipi1', 'ipi'],
      ['ipi.0.1', 'b', 'guest0.vcpu1', 'ipi', 'ipi'],
      ['pci.0', 'a', 'guest0.vcpu0', 'pci', 'register'],
      ['pci.0', 'b', 'guest0.vmm', 'pci', 'register'],
      ['vhost.0.0', 'a', 'guest0.vmm', 'vhost0', 'syscall'],
      ['vhost.0.1', 'a', 'guest0.vmm', 'vhost1', 'syscall'],
    ]);
    for (const { module } of plan.cores) expect(guestModules.has(module)).toBe(true);
  });

  it('leaves the registers of a passed-through function to the NIC', () => {
    const plan = planGuest(scenario({ backend: 'vfio' }));
    expect(plan.cores.map(({ id }) => id)).toEqual(['guest0.vcpu0']);
    const pci = plan.ends.filter(({ channel }) => channel === 'pci.0');
    expect(pci.map(({ side, latency }) => [side, latency])).toEqual([['a', 'dma']]);
  });

  it('has one control channel for a vDPA device, whatever its queues', () => {
    const plan = planGuest(scenario({ backend: 'vdpa', queues: 3 }));
    expect(
      plan.ends.filter(({ channel }) => channel.startsWith('vhost.')).map(({ channel }) => channel),
    ).toEqual(['vhost.0.0']);
  });
});

describe('guest memory', () => {
  const scenarios = fc.record({
    queues: fc.integer({ min: 1, max: 4 }),
    ringSize: fc.constantFrom(2, 64, 256, 1024),
    ring: fc.constantFrom('split' as const, 'packed' as const),
    pages: fc.constantFrom('4K' as const, '2M' as const, '1G' as const),
    workload: fc.constantFrom('tx' as const, 'rx' as const, 'stream' as const),
    size: fc.constantFrom('64', '1518', '9018'),
    unmapped: fc.uniqueArray(fc.integer({ min: 0, max: 1000 }), { maxLength: 3 }),
  });

  it('has areas that do not overlap, in regions of whole pages that leave the unmapped pages out', () => {
    fc.assert(
      fc.property(scenarios, ({ unmapped, size, ...more }) => {
        const faults = unmapped.map((packet) => ({ packet, action: 'unmap' as const, value: 0 }));
        const config = scenario({ ...more, traffic: traffic(10, { size }), faults });
        const layout = guestLayout(config, 0);
        const areas = [
          { gpa: layout.controlRing, bytes: 64 * 26 },
          { gpa: layout.controlPage, bytes: 4096 },
          ...layout.pairs.flatMap((pair) => [
            { gpa: pair.rxRing, bytes: more.ringSize * 26 },
            { gpa: pair.txRing, bytes: more.ringSize * 26 },
            { gpa: pair.tables, bytes: more.ringSize * 16 * 36 },
            { gpa: pair.small.gpa, bytes: pair.small.count * pair.small.stride },
            { gpa: pair.large.gpa, bytes: pair.large.count * pair.large.stride },
            ...pair.faultBuffers,
          ]),
        ].filter(({ bytes }) => bytes > 0);
        areas.sort((x, y) => x.gpa - y.gpa);
        for (let i = 1; i < areas.length; i++) {
          expect(areas[i].gpa).toBeGreaterThanOrEqual(areas[i - 1].gpa + areas[i - 1].bytes);
        }
        const last = areas[areas.length - 1];
        expect(last.gpa + last.bytes).toBeLessThanOrEqual(layout.bytes);
        const inside = (gpa: number) => layout.regions.some((r) => gpa >= r.gpa && gpa < r.gpa + r.bytes);
        const holes = new Set(layout.pairs.flatMap((pair) => pair.faultBuffers.map(({ gpa }) => gpa)));
        for (const { gpa, bytes } of areas) {
          expect(inside(gpa)).toBe(!holes.has(gpa));
          expect(inside(gpa + bytes - 1)).toBe(!holes.has(gpa));
        }
        for (const { gpa, bytes } of layout.regions) {
          expect(gpa % layout.pageBytes).toBe(0);
          expect(bytes % layout.pageBytes).toBe(0);
        }
      }),
      { numRuns: 60 },
    );
  });
});

describe('the check of a configuration', () => {
  const wrong: [string, Partial<ScenarioConfig>, RegExp][] = [
    ['backend', { backend: 'vhost' as never }, /vhost-net, vhost-user, vfio, vdpa/],
    ['queues', { queues: 17 }, /1 to 16/],
    ['guests', { guests: 2 }, /1 to 1/],
    ['ringSize', { ringSize: 100 }, /power of two/],
    ['offloads.tso', { offloads: { csum: false, tso: true, mrg: true } }, /csum/],
    [
      'faults.0.action',
      { faults: [{ packet: 1, action: 'burn' as never, value: 0 }] },
      /flip, shorten, unmap/,
    ],
    ['faults.0', { pages: '1G', faults: [{ packet: 1, action: 'unmap', value: 0 }] }, /4K or 2M/],
    ['faults', { workload: 'rx', faults: [{ packet: 1, action: 'flip', value: 0 }] }, /remove/],
    ['traffic', { traffic: traffic(10, { size: '20' }) }, /outside 64/],
    ['capture', { traffic: traffic(10, { kind: 'pcap' }) }, /capture/],
    ['queues', { queues: 16, ringSize: 32768 }, /GiB/],
  ];
  for (const [field, more, text] of wrong) {
    it(`names ${field}: ${JSON.stringify(more).slice(0, 60)}`, () => {
      const faults = checkGuest(scenario(more));
      expect(faults.map((fault) => fault.field)).toEqual([field]);
      expect(faults[0].summary).toMatch(text);
    });
  }

  it('finds nothing wrong with what runs', () => {
    expect(checkGuest(scenario())).toEqual([]);
    expect(checkGuest(scenario({ workload: 'v2v', guests: 2, ring: 'packed', ringSize: 300 }))).toEqual([]);
    expect(guestDefinition.check(scenario({ queues: 16 }))).toEqual([]);
    expect(guestDefinition.modules).toEqual(expect.arrayContaining(['guest/vcpu', 'guest/vmm']));
  });
});
