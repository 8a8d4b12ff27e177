import {
  addGuestEnds,
  addPolledCore,
  changesBackend,
  frameBufferBytes,
  type ScenarioConfig,
  vhostCoreConfig,
} from '@vhostlab/backend-sdk';
import { nicPortWindowBytes, stageRing } from '@vhostlab/datapath';
import type { ComponentPlan } from '@vhostlab/engine';
import type { LcoreConfig } from './lcore.ts';

/** Buffers of a core that only passes frames on: two bursts are under way at most. */
const STAGE_BUFFERS = 256;

/** Cores and channel ends of the vhost-user back end. */
export function planVhostUser(config: ScenarioConfig): ComponentPlan {
  const plan: ComponentPlan = { cores: [], windows: [], ends: [] };
  for (let pair = 0; pair < config.queues; pair++) {
    const core =
      config.execution === 'pipeline'
        ? addLcore(plan, config, pair)
        : addPolledCore(plan, config, pair, 'vhost-user/pmd');
    addGuestEnds(plan, config, pair, core);
  }
  return plan;
}

/** Pipeline: virtqueues here, datapath and NIC on the switch service's core behind the ring `stage`. */
function addLcore(plan: ComponentPlan, config: ScenarioConfig, pair: number): string {
  const core = `host.lcore${pair}`;
  const window = `pool.${core}`;
  const bufferBytes = frameBufferBytes(config);
  const windowBytes = nicPortWindowBytes(0, STAGE_BUFFERS, bufferBytes);
  const own: LcoreConfig = {
    ...vhostCoreConfig(config, pair, window),
    ...(changesBackend(config) ? { drains: true } : {}),
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
  if (changesBackend(config)) {
    const drain = { channel: `drain.${pair}`, core, end: 'drain' };
    plan.ends.push({ ...drain, kind: 'control', side: 'a', latency: 'syscall' });
  }
  return core;
}
