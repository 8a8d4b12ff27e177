import {
  guestMemoryRegions,
  type ScenarioConfig,
  serveVhost,
  type VhostReplyInit,
} from '@vhostlab/backend-sdk';
import { runComponents, type TestOutcome } from '@vhostlab/datapath/test-kit';
import { type ComponentPlan, type CoreContext, type CoreModule, IDLE } from '@vhostlab/engine';
import { describe, expect, it } from 'vitest';
import { vfioPlugin } from '../src/index.ts';

function scenario(part: Partial<ScenarioConfig> = {}): ScenarioConfig {
  return {
    backend: 'vfio',
    workload: 'tx',
    guests: 1,
    queues: 2,
    ring: 'packed',
    ringSize: 256,
    pages: '2M',
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

interface Mapping {
  iova: number;
  bytes: number;
  user: number;
  window: string;
  offset: number;
  pageBytes: number;
  access: number;
}

/** A NIC for tests: maps what it is asked to map, or refuses the mapping at `refuses`. */
const nicModule: CoreModule = {
  create(context: CoreContext, config: { ends: string[]; refuses: number }): void {
    const mappings: Mapping[] = [];
    for (const end of config.ends) {
      serveVhost(context.control(end), (request, answer: (reply: VhostReplyInit) => void) => {
        if (request.case !== 'dmaMap') return answer({ error: 95, reason: 'not a mapping' });
        const { iova, sizeBytes, userAddr, window, windowOffset, pageBytes, access } = request.value;
        if (Number(iova) === config.refuses) return answer({ error: 28, reason: 'the IOMMU is full' });
        mappings.push({
          iova: Number(iova),
          bytes: Number(sizeBytes),
          user: Number(userAddr),
          window,
          offset: Number(windowOffset),
          pageBytes: Number(pageBytes),
          access,
        });
        answer({});
      });
    }
    context.onCollect('mappings', () => mappings);
    context.addTask({ name: 'test.nic', run: () => IDLE });
  },
};

function run(config: ScenarioConfig, refuses = -1): TestOutcome & { mappings: Mapping[] } {
  const ends = Array.from({ length: config.guests }, (_, guest) => `vfio${guest}`);
  const nic: ComponentPlan = {
    cores: [
      {
        id: 'nic0',
        service: 'nic',
        module: 'test/nic',
        config: { ends, refuses },
        mode: 'hardware',
        account: 'none',
      },
    ],
    windows: [],
    ends: ends.map((end, guest) => ({
      channel: `vfio.${guest}`,
      kind: 'control',
      side: 'b',
      core: 'nic0',
      end,
      latency: 'syscall',
    })),
  };
  const modules = new Map<string, CoreModule>([...vfioPlugin.modules, ['test/nic', nicModule]]);
  const outcome = runComponents([vfioPlugin.plan(config), nic], modules);
  return { ...outcome, mappings: outcome.core('nic0').results.mappings as Mapping[] };
}

describe('vfio', () => {
  it('maps the whole memory of a guest before anything else happens', () => {
    const config = scenario();
    const { mappings, core } = run(config);
    const [{ gpa, bytes }] = guestMemoryRegions(config, 0);
    expect(gpa).toBe(0);
    expect(mappings).toEqual([
      {
        iova: 0,
        bytes,
        user: 0x7f00_0000_0000,
        window: 'guest0',
        offset: 0,
        pageBytes: 2 * 1024 * 1024,
        access: 3,
      },
    ]);
    expect(core('host.vfio0').counters).toEqual({ 'dma.mapped_bytes': bytes });
  });

  it('leaves pages out that a fault takes from the device', () => {
    const faults = [
      { packet: 3, action: 'unmap' as const, value: 0 },
      { packet: 4, action: 'flip' as const, value: 9 },
    ];
    // such pages lie behind everything else, so what is mapped is the memory of a guest without the fault
    const { mappings } = run(scenario({ pages: '4K', faults }));
    expect(mappings).toEqual(run(scenario({ pages: '4K' })).mappings);
  });

  it.each(['4K', '2M', '1G'] as const)('maps whole pages of %s', (pages) => {
    const pageBytes = { '4K': 4096, '2M': 2 ** 21, '1G': 2 ** 30 }[pages];
    for (const { iova, bytes } of run(scenario({ pages })).mappings) {
      expect(iova % pageBytes).toBe(0);
      expect(bytes % pageBytes).toBe(0);
    }
  });

  it('maps each guest in its own window, with addresses of its own in the host', () => {
    const { mappings } = run(scenario({ guests: 2, workload: 'v2v' }));
    expect(mappings.map(({ window }) => window).sort()).toEqual(['guest0', 'guest1']);
    expect(new Set(mappings.map(({ user }) => user)).size).toBe(2);
  });

  it('stops at a refusal and counts it', () => {
    const { mappings, core } = run(scenario(), 0);
    expect(mappings).toEqual([]);
    expect(core('host.vfio0').counters).toEqual({ 'dma.mapped_bytes': 0, 'setup.refused': 1 });
  });

  it('costs no host time afterwards', () => {
    expect(run(scenario()).core('host.vfio0').busyPs).toBe(0);
  });
});

describe('plugin vfio', () => {
  it('refuses migration and says why', () => {
    expect(vfioPlugin.capabilities([]).find(({ name }) => name === 'migration')).toEqual({
      name: 'migration',
      support: 'unsupported',
      reason: 'no VFIO_DEVICE_FEATURE_MIGRATION',
    });
  });

  it('offers packed rings and in-order use', () => {
    const offered = vfioPlugin.capabilities([]).filter(({ support }) => support === 'offered');
    expect(offered.map(({ name }) => name)).toEqual(
      expect.arrayContaining(['rings.packed', 'rings.in-order']),
    );
  });

  it('plans plain data', () => {
    const plan = vfioPlugin.plan(scenario());
    expect(JSON.parse(JSON.stringify(plan))).toEqual(plan);
    expect(plan.ends).toHaveLength(1);
  });
});
