import { pollModeSizes } from '@vhostlab/datapath';
import type { ComponentPlan } from '@vhostlab/engine';
import { PAGE_SIZES, type ScenarioConfig } from '@vhostlab/workload';
import { offeredFeatures } from '../features.ts';
import { frameBufferBytes } from '../frame-buffers.ts';
import type { PolledCoreConfig, VhostCoreConfig } from './polled-config.ts';

/**
 * A plan of polled cores: one per queue pair, each with its NIC queue. `module` is the plugin's module of them, `own` is
 * added to the configuration of each.
 */
export function planPolledCores(config: ScenarioConfig, module: string, own: object = {}): ComponentPlan {
  const plan: ComponentPlan = { cores: [], windows: [], ends: [] };
  for (let pair = 0; pair < config.queues; pair++) {
    addGuestEnds(plan, config, pair, addPolledCore(plan, config, pair, module, own));
  }
  return plan;
}

/** Ends of queue pair `pair` of every guest on `core`: rings and vhost requests. */
export function addGuestEnds(plan: ComponentPlan, config: ScenarioConfig, pair: number, core: string): void {
  for (let guest = 0; guest < config.guests; guest++) {
    plan.ends.push(
      {
        channel: `vq.${guest}.${pair}`,
        kind: 'memory',
        side: 'b',
        core,
        end: `vq.${guest}.${pair}`,
        latency: 'coherent',
        window: `guest${guest}`,
      },
      {
        channel: `vhost.${guest}.${pair}`,
        kind: 'control',
        side: 'b',
        core,
        end: `vhost.${guest}.${pair}`,
        latency: 'syscall',
      },
    );
  }
}

/** Adds one core, run to completion, with virtqueues, NIC and requests to the switch; answers its id. */
export function addPolledCore(
  plan: ComponentPlan,
  config: ScenarioConfig,
  pair: number,
  module: string,
  own: object = {},
): string {
  const core = `host.pmd${pair}`;
  const window = `rings.${core}`;
  const { ringSize, ...sizes } = pollModeSizes(frameBufferBytes(config));
  const polled: PolledCoreConfig = {
    ...own,
    ...vhostCoreConfig(config, pair, window),
    ...sizes,
    nicRing: ringSize,
    wire: config.workload !== 'v2v',
  };
  plan.cores.push({
    id: core,
    service: 'backend',
    module,
    config: polled,
    mode: 'poll',
    account: 'host',
  });
  plan.windows.push({ id: window, owner: 'backend', bytes: sizes.windowBytes });
  plan.ends.push(
    {
      channel: `nicq.${core}`,
      kind: 'memory',
      side: 'a',
      core,
      end: 'nic',
      latency: 'dma',
      window,
      queueSizes: [ringSize, ringSize],
    },
    { channel: `upcall.${core}`, kind: 'control', side: 'a', core, end: 'switch', latency: 'netlink' },
  );
  return core;
}

/** What every core with virtqueues is told, with all rings and features that the SDK handles. */
export function vhostCoreConfig(
  config: ScenarioConfig,
  pair: number,
  window: string,
): Omit<VhostCoreConfig, 'windowBytes' | 'buffers' | 'bufferBytes'> {
  const rings = { packed: true, inOrder: true, indirect: true };
  const { low, high } = offeredFeatures(config.offloads, rings).with('PROTOCOL_FEATURES', 'LOG_ALL');
  return {
    pair,
    guests: config.guests,
    offered: { low, high },
    pageBytes: PAGE_SIZES[config.pages],
    window,
  };
}
