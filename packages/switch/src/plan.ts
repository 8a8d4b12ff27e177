import { pollModeSizes, stageRing } from '@vhostlab/datapath';
import type { ComponentPlan } from '@vhostlab/engine';
import { backendInstances, changesBackend, longestFrameBytes, type ScenarioConfig } from '@vhostlab/workload';
import type { HandlerConfig, HandlerDatapath, HandlerPort } from './handler.ts';
import type { LcoreConfig } from './lcore.ts';

/** Number of the bridge's port to the wire, and of the first guest's. */
const WIRE_PORT = 1;
const FIRST_GUEST_PORT = 10;

const HANDLER = 'switch.handler';

/** What a DPDK mbuf has room for, headroom included, and what a frame before segmentation needs. */
const BUFFER_BYTES = 2176;
const HEADROOM_BYTES = 128;
const GSO_BUFFER_BYTES = 66_048;

/** Ports of the bridge: the wire and every guest. */
export function bridgePorts(config: ScenarioConfig): HandlerPort[] {
  const guests = Array.from({ length: config.guests }, (_, guest) => ({
    name: `guest${guest}`,
    number: FIRST_GUEST_PORT + guest,
  }));
  return [{ name: 'wire', number: WIRE_PORT }, ...guests];
}

/** Cores that host a datapath of the bridge: those of other services but for a pipeline. */
function datapathCores(config: ScenarioConfig): { core: string; kind: HandlerDatapath['kind'] }[] {
  const pairs = Array.from({ length: config.queues }, (_, pair) => pair);
  switch (config.backend) {
    case 'vhost-user': {
      const name = config.execution === 'pipeline' ? 'switch.lcore' : 'host.pmd';
      return pairs.map((pair) => ({ core: `${name}${pair}`, kind: 'userspace' }));
    }
    case 'vhost-net': {
      const workers = Array.from({ length: config.guests }, (_, guest) =>
        pairs.map((pair) => ({ core: `host.vhost${guest}.${pair}`, kind: 'kernel' as const })),
      ).flat();
      const softirqs = pairs.map((pair) => ({ core: `host.softirq${pair}`, kind: 'kernel' as const }));
      return config.workload === 'v2v' ? workers : [...workers, ...softirqs];
    }
    default:
      return [{ core: 'nic0', kind: 'offloaded' }];
  }
}

/** The switch service's cores and its control channels to every datapath of the bridge. */
export function planSwitch(config: ScenarioConfig): ComponentPlan {
  const instances = backendInstances(config);
  const found = instances.flatMap((instance) =>
    datapathCores(instance.config).map(({ core, kind }) => ({
      core: kind === 'offloaded' ? core : core + instance.suffix,
      kind,
    })),
  );
  // functions of several instances are behind one embedded switch
  const datapaths = found.filter(({ core }, i) => found.findIndex((other) => other.core === core) === i);
  const handler: HandlerConfig = {
    ports: bridgePorts(config),
    datapaths: datapaths.map(({ core: host, ...own }) => ({ end: `upcall.${host}`, ...own })),
    flows: config.flows,
  };
  const plan: ComponentPlan = {
    cores: [
      {
        id: HANDLER,
        service: 'switch',
        module: 'switch/handler',
        config: handler,
        mode: 'wait',
        account: 'host',
      },
    ],
    windows: [],
    ends: datapaths.map(({ core: host }) => ({
      channel: `upcall.${host}`,
      kind: 'control',
      side: 'b',
      core: HANDLER,
      end: `upcall.${host}`,
      latency: 'netlink',
    })),
  };
  for (const { config: own, suffix } of instances) {
    if (own.backend !== 'vhost-user' || own.execution !== 'pipeline') continue;
    for (let pair = 0; pair < own.queues; pair++) addLcore(plan, own, pair, suffix);
  }
  return plan;
}

/** Bytes of a packet buffer: an ordinary one, or room for the longest frame, which may be one of 64 KiB. */
function bufferBytes(config: ScenarioConfig): number {
  const { traffic, offloads } = config;
  if (offloads.tso && traffic.kind === 'tcp-stream' && traffic.gso === true) return GSO_BUFFER_BYTES;
  return Math.max(BUFFER_BYTES, Math.ceil((longestFrameBytes(config) + HEADROOM_BYTES) / 64) * 64);
}

/** The switching core of a pipeline's queue pair. */
function addLcore(plan: ComponentPlan, config: ScenarioConfig, pair: number, suffix: string): void {
  const core = `switch.lcore${pair}${suffix}`;
  const window = `rings.${core}`;
  const sizes = pollModeSizes(bufferBytes(config));
  const own: LcoreConfig = {
    ...sizes,
    window,
    wirePort: WIRE_PORT,
    stagePorts: Array.from({ length: config.guests }, (_, guest) => FIRST_GUEST_PORT + guest),
    wire: config.workload !== 'v2v',
    ...(changesBackend(config) ? { drains: true } : {}),
  };
  if (changesBackend(config)) {
    const drain = { channel: `drain.${pair}${suffix}`, core, end: 'drain' };
    plan.ends.push({ ...drain, kind: 'control', side: 'b', latency: 'syscall' });
  }
  plan.cores.push({
    id: core,
    service: 'switch',
    module: 'switch/lcore',
    config: own,
    mode: 'poll',
    account: 'host',
  });
  plan.windows.push({ id: window, owner: 'switch', bytes: sizes.windowBytes });
  plan.ends.push(
    {
      channel: `nicq.${core}`,
      kind: 'memory',
      side: 'a',
      core,
      end: 'nic',
      latency: 'dma',
      window,
      queueSizes: [sizes.ringSize, sizes.ringSize],
    },
    {
      channel: `stage.${pair}${suffix}`,
      kind: 'link',
      side: 'b',
      core,
      end: 'stage',
      latency: 'ring',
      ...stageRing(sizes.bufferBytes),
    },
    { channel: `upcall.${core}`, kind: 'control', side: 'a', core, end: 'switch', latency: 'netlink' },
  );
}
