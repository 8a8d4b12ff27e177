import { frameBufferBytes, offeredFeatures, PAGE_SIZES, type ScenarioConfig } from '@vhostlab/backend-sdk';
import { nicPortWindowBytes, pollModeSizes, stageRing } from '@vhostlab/datapath';
import type { ComponentPlan } from '@vhostlab/engine';
import type { PmdConfig, VhostCoreConfig } from './config.ts';

/** Buffers of a core that only passes frames on: two bursts are under way at most. */
const STAGE_BUFFERS = 256;

/** Cores and channel ends of the vhost-user back end. */
export function planVhostUser(config: ScenarioConfig): ComponentPlan {
  const plan: ComponentPlan = { cores: [], windows: [], ends: [] };
  for (let pair = 0; pair < config.queues; pair++) {
    const core = config.execution === 'pipeline' ? addLcore(plan, config, pair) : addPmd(plan, config, pair);
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
  return plan;
}

/** Run to completion: virtqueues, datapath and NIC on one core. */
function addPmd(plan: ComponentPlan, config: ScenarioConfig, pair: number): string {
  const core = `host.pmd${pair}`;
  const window = `rings.${core}`;
  const { ringSize, ...sizes } = pollModeSizes(frameBufferBytes(config));
  const own: PmdConfig = {
    ...vhostCore(config, pair, window),
    ...sizes,
    nicRing: ringSize,
    wire: config.workload !== 'v2v',
  };
  plan.cores.push({
    id: core,
    service: 'backend',
    module: 'vhost-user/pmd',
    config: own,
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

/** Pipeline: virtqueues here, datapath and NIC on the switch service's core behind the ring `stage`. */
function addLcore(plan: ComponentPlan, config: ScenarioConfig, pair: number): string {
  const core = `host.lcore${pair}`;
  const window = `pool.${core}`;
  const bufferBytes = frameBufferBytes(config);
  const windowBytes = nicPortWindowBytes(0, STAGE_BUFFERS, bufferBytes);
  const own: VhostCoreConfig = {
    ...vhostCore(config, pair, window),
    windowBytes,
    buffers: STAGE_BUFFERS,
    bufferBytes,
  };
  plan.cores.push({
    id: core,
    service: 'backend',
    module: 'vhost-user/lcore',
    config: own,
    mode: 'poll',
    account: 'host',
  });
  plan.windows.push({ id: window, owner: 'backend', bytes: windowBytes });
  plan.ends.push({
    channel: `stage.${pair}`,
    kind: 'link',
    side: 'a',
    core,
    end: 'stage',
    latency: 'ring',
    ...stageRing(bufferBytes),
  });
  return core;
}

function vhostCore(config: ScenarioConfig, pair: number, window: string) {
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
