import {
  changesBackend,
  frameBufferBytes,
  hasGsoFrames,
  migrationOf,
  offeredFeatures,
  PAGE_SIZES,
  type ScenarioConfig,
  wireBufferBytes,
} from '@vhostlab/backend-sdk';
import { nicPortWindowBytes } from '@vhostlab/datapath';
import { CORE_ARENA_BYTES, type ComponentPlan, type EndPlan } from '@vhostlab/engine';
import type { HostCoreConfig, SoftirqConfig, WorkerConfig } from './config.ts';

/** Descriptors of a NIC ring. */
const NIC_RING = 2048;
/**
 * Frames that a tap's socket may have under way towards the NIC (its send buffer): with a context descriptor each,
 * they fit into the NIC ring, so a guest that is faster than the wire waits instead of losing frames.
 */
const SEND_BUFFERS = 1000;
/** Buffers of a softirq core: a full receive ring, as many waiting for upcalls, and a burst or two. */
const RECEIVE_BUFFERS = 2 * NIC_RING + 256;
/** Frames that a tap's queue can hold at most; how many it takes is `tap.queueLength` of the cost profile. */
const TAP_PLACES = 1024;
/** Frames that a worker may hold while the guest has no buffers: pool of its receive half, outside of windows. */
const HELD_FRAMES = 64;
const TAP_GSO_BYTES = 16 * 1024 * 1024;

/** Guests, queue pairs and what a core of the plan is known by. */
function workerCore(guest: number, pair: number): string {
  return `host.vhost${guest}.${pair}`;
}

function softirqCore(pair: number): string {
  return `host.softirq${pair}`;
}

/** Ends that every core with a datapath has, and those of a NIC queue. */
function hostEnds(core: string, wire: boolean): EndPlan[] {
  const upcalls: EndPlan = {
    channel: `upcall.${core}`,
    kind: 'control',
    side: 'a',
    core,
    end: 'switch',
    latency: 'netlink',
  };
  if (!wire) return [upcalls];
  return [
    upcalls,
    {
      channel: `nicq.${core}`,
      kind: 'memory',
      side: 'a',
      core,
      end: 'nic',
      latency: 'dma',
      window: `rings.${core}`,
      queueSizes: [NIC_RING, NIC_RING],
    },
  ];
}

/** Cores and channel ends of the vhost-net back end: a worker per guest and queue pair, a softirq core per NIC queue. */
export function planVhostNet(config: ScenarioConfig): ComponentPlan {
  const plan: ComponentPlan = { cores: [], windows: [], ends: [] };
  const wire = config.workload !== 'v2v';
  const drains = wire && changesBackend(config);
  const bufferBytes = frameBufferBytes(config);
  const roomBytes = (bufferBytes + 63) & ~63;
  const tap = {
    kind: 'link',
    latency: 'ring',
    capacity: TAP_PLACES,
    bufferBytes: hasGsoFrames(config) ? TAP_GSO_BYTES : TAP_PLACES * roomBytes,
  } as const;

  const addCore = (core: string, module: string, wakeOp: string, own: WorkerConfig | SoftirqConfig) => {
    plan.cores.push({
      id: core,
      service: 'backend',
      module,
      config: own,
      mode: 'wait',
      account: 'host',
      wakeOp,
      arenaBytes:
        CORE_ARENA_BYTES + (wire ? HELD_FRAMES : HELD_FRAMES + own.buffers) * (own.bufferBytes + 64),
    });
    if (wire) plan.windows.push({ id: own.window, owner: 'backend', bytes: own.windowBytes });
    plan.ends.push(...hostEnds(core, wire));
  };
  const host = (core: string, buffers: number, bufferBytes: number): HostCoreConfig => ({
    window: `rings.${core}`,
    windowBytes: nicPortWindowBytes(NIC_RING, buffers, bufferBytes),
    nicRing: NIC_RING,
    buffers,
    bufferBytes,
  });

  for (let pair = 0; pair < config.queues; pair++) {
    for (let guest = 0; guest < config.guests; guest++) {
      const core = workerCore(guest, pair);
      addCore(
        core,
        'vhost-net/worker',
        'vhost.wakeup',
        worker(config, guest, pair, host(core, SEND_BUFFERS, bufferBytes)),
      );
      plan.ends.push(...vhostEnds(core, guest, pair));
      if (drains) plan.ends.push(drainEnd('a', guest, pair, core, 'drain'));
      if (wire) plan.ends.push({ ...tap, channel: `tap.${guest}.${pair}`, side: 'b', core, end: 'tap' });
      for (let peer = 0; peer < config.guests; peer++) {
        if (peer === guest) continue;
        const channel = `bridge.${Math.min(guest, peer)}.${Math.max(guest, peer)}.${pair}`;
        plan.ends.push({ ...tap, channel, side: guest < peer ? 'a' : 'b', core, end: `bridge.${peer}` });
      }
    }
    if (!wire) continue;
    const core = softirqCore(pair);
    const own: SoftirqConfig = {
      ...host(core, RECEIVE_BUFFERS, wireBufferBytes(config)),
      pair,
      guests: config.guests,
      ...(drains ? { drains } : {}),
    };
    addCore(core, 'vhost-net/softirq', 'softirq.wakeup', own);
    for (let guest = 0; guest < config.guests; guest++) {
      const channel = `tap.${guest}.${pair}`;
      plan.ends.push({ ...tap, channel, side: 'a', core, end: channel });
      if (drains) plan.ends.push(drainEnd('b', guest, pair, core, `drain.${guest}`));
    }
  }
  return plan;
}

function worker(config: ScenarioConfig, guest: number, pair: number, host: HostCoreConfig): WorkerConfig {
  const all = offeredFeatures(config.offloads, { packed: false, inOrder: false, indirect: true });
  const { low, high } = migrationOf(config) === undefined ? all : all.with('LOG_ALL');
  return {
    ...host,
    guest,
    pair,
    peers: Array.from({ length: config.guests }, (_, peer) => peer).filter((peer) => peer !== guest),
    offered: { low, high },
    pageBytes: PAGE_SIZES[config.pages],
    wire: config.workload !== 'v2v',
    ...(changesBackend(config) && config.workload !== 'v2v' ? { drains: true } : {}),
  };
}

/** The worker asks the softirq core of its pair whether anything is still on its way to it. */
function drainEnd(side: 'a' | 'b', guest: number, pair: number, core: string, end: string): EndPlan {
  return { channel: `drain.${guest}.${pair}`, kind: 'control', side, core, end, latency: 'syscall' };
}

function vhostEnds(core: string, guest: number, pair: number): EndPlan[] {
  const virtqueues = `vq.${guest}.${pair}`;
  const requests = `vhost.${guest}.${pair}`;
  return [
    {
      channel: virtqueues,
      kind: 'memory',
      side: 'b',
      core,
      end: virtqueues,
      latency: 'coherent',
      window: `guest${guest}`,
    },
    { channel: requests, kind: 'control', side: 'b', core, end: requests, latency: 'syscall' },
  ];
}
