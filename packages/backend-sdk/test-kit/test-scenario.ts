import type { ScenarioConfig } from '@vhostlab/workload';

/** A scenario of small frames for tests of plugins; a part of it may be given. */
export function testScenario(part: Partial<ScenarioConfig> = {}): ScenarioConfig {
  return {
    backend: 'vhost-user',
    workload: 'pvp',
    guests: 1,
    queues: 1,
    ring: 'split',
    ringSize: 64,
    pages: '4K',
    execution: 'rtc',
    guest: 'poll',
    offloads: { csum: false, tso: false, mrg: true },
    nic: { pcie: 'gen4x16', rateGbps: 25 },
    flows: [],
    traffic: { kind: 'udp', packets: 1, size: '64', lineBps: 25e9, seed: 1 },
    faults: [],
    seed: 1,
    ...part,
  };
}
