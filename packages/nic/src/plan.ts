import type { ComponentPlan, CoreModule, EndPlan } from '@vhostlab/engine';
import {
  type BackendInstance,
  backendInstances,
  changesBackend,
  deviceWindow,
  eventsOf,
  migrationOf,
  orderedStreams,
  PAGE_SIZES,
  type ScenarioConfig,
  shadowChannel,
  usesFailover,
} from '@vhostlab/workload';
import { type DeviceConfig, deviceModule, type FunctionConfig, type HostQueueConfig } from './device.ts';
import { linkRoom } from './link/link-room.ts';
import { type StationConfig, stationModule } from './station/station.ts';
import type { SteeringTarget } from './steering.ts';

const SERVICE = 'nic';
const NIC = 'nic0';
const STATION = 'station';
/** The NIC's own memory: frames that are put together, and those that wait in the eswitch. */
const MEMORY = { window: `${NIC}.memory`, bytes: 8 * 1024 * 1024 };
/** Port of the bridge of guest 0. */
const FIRST_GUEST_PORT = 10;
/** Room for a frame in receive buffers of host drivers: ordinary ones, and those that take GSO frames. */
const HOST_BUFFER_BYTES = 2048;
const HOST_GSO_BUFFER_BYTES = 65_536;
/** Entries of the control queue that a driver may want at least. */
const LEAST_QUEUE_SIZE = 64;

/** Core modules of the nic service, by name. */
export const nicModules: ReadonlyMap<string, CoreModule> = new Map<string, CoreModule>([
  ['nic/device', deviceModule],
  ['nic/station', stationModule],
]);

/** Cores on which a host driver drives queues of the physical function, in the order of its receive queues. */
export function hostDriverCores(config: ScenarioConfig): string[] {
  const pairs = Array.from({ length: config.queues }, (_, q) => q);
  if (config.backend === 'vhost-user') {
    return pairs.map((q) => (config.execution === 'pipeline' ? `switch.lcore${q}` : `host.pmd${q}`));
  }
  if (config.backend !== 'vhost-net' || config.workload === 'v2v') return [];
  const softirqs = pairs.map((q) => `host.softirq${q}`);
  const guests = Array.from({ length: config.guests }, (_, g) => g);
  return [...softirqs, ...guests.flatMap((g) => pairs.map((q) => `host.vhost${g}.${q}`))];
}

/** Cores and channel ends of the nic service: the NIC and the station at the far end of its wire. Pure. */
export function planNic(config: ScenarioConfig): ComponentPlan {
  const instances = backendInstances(config);
  const parts = instances.map((instance) => partOf(config, instance));
  const device: DeviceConfig = {
    pcie: config.nic.pcie,
    rateGbps: config.nic.rateGbps,
    pageBytes: PAGE_SIZES[config.pages],
    memory: MEMORY,
    maxQueueSize: Math.max(2 ** Math.ceil(Math.log2(config.ringSize)), LEAST_QUEUE_SIZE),
    offloads: config.offloads,
    host: parts.flatMap(({ host }) => host),
    functions: parts.flatMap(({ functions }) => functions),
    ...(instances.length === 1 ? {} : { steering: { end: 'steer', instances: parts.map(steeringOf) } }),
    ...linkEvents(config),
  };
  const ends: EndPlan[] = [
    wireEnd(config, 'a', STATION),
    wireEnd(config, 'b', NIC),
    ...parts.flatMap((part) => part.ends),
  ];
  if (device.functions.length > 0) ends.push(controlEnd('a', `upcall.${NIC}`, 'switch', 'netlink'));
  if (instances.length > 1) ends.push(controlEnd('b', 'steer.0', 'steer', 'syscall'));
  return {
    cores: [
      { id: NIC, service: SERVICE, module: 'nic/device', config: device, mode: 'hardware', account: 'none' },
      {
        id: STATION,
        service: SERVICE,
        module: 'nic/station',
        config: stationConfig(config),
        mode: 'hardware',
        account: 'none',
      },
    ],
    windows: [{ id: MEMORY.window, owner: SERVICE, bytes: MEMORY.bytes }],
    ends,
  };
}

/** What the NIC has for one back end: queues for its host drivers, or functions for its guests. */
interface InstancePart {
  host: HostQueueConfig[];
  functions: FunctionConfig[];
  ends: EndPlan[];
}

function partOf(scenario: ScenarioConfig, instance: BackendInstance): InstancePart {
  const { config, suffix } = instance;
  const host = hostDriverCores(config).map(
    (core): HostQueueConfig => ({
      end: `nicq.${core}${suffix}`,
      window: `rings.${core}${suffix}`,
      bufferBytes: config.offloads.tso ? HOST_GSO_BUFFER_BYTES : HOST_BUFFER_BYTES,
    }),
  );
  const ends = host.map(({ end, window }) => memoryEnd(end, end, window));
  const { backend } = config;
  const functions: FunctionConfig[] = [];
  if (backend === 'vfio' || backend === 'vdpa') {
    for (let guest = 0; guest < config.guests; guest++) {
      functions.push({
        kind: backend,
        guest,
        port: FIRST_GUEST_PORT + guest,
        pairs: config.queues,
        mac: [0x52, 0x54, 0, 0, 0, guest + 1],
        ...(suffix === '' ? {} : { suffix }),
        ...(hasShadow(scenario, instance, guest) ? { shadow: true } : {}),
        ...(backend === 'vdpa' && config.vdpaLacks !== undefined ? { lacks: config.vdpaLacks } : {}),
        ...(config.offloads === scenario.offloads ? {} : { offloads: config.offloads }),
      });
      ends.push(...functionEnds(instance, guest));
      if (hasShadow(scenario, instance, guest)) ends.push(...shadowEnds(instance, guest));
    }
  }
  return { host, functions, ends };
}

/** True when the guest migrates from this function, whose rings are then the VMM's for a while. */
function hasShadow(scenario: ScenarioConfig, { index, backend }: BackendInstance, guest: number): boolean {
  return backend === 'vdpa' && index === 0 && migrationOf(scenario)?.guest === guest;
}

function shadowEnds(instance: BackendInstance, guest: number): EndPlan[] {
  return Array.from({ length: instance.config.queues }, (_, q) => {
    const channel = shadowChannel(guest, q);
    return memoryEnd(channel, channel, deviceWindow(instance, guest));
  });
}

/** What the NIC steers to when an instance has the guest's device: queues of its host drivers, or its function. */
function steeringOf({ host, functions }: InstancePart): SteeringTarget {
  const [fn] = functions;
  return {
    host: host.map(({ end }) => end),
    ...(fn === undefined ? {} : { functionSuffix: fn.suffix ?? '' }),
  };
}

function stationConfig(config: ScenarioConfig): StationConfig {
  const { workload } = config;
  return {
    sends: workload === 'rx' || workload === 'pvp',
    receives: workload === 'tx' || workload === 'pvp' || workload === 'stream',
    transacts: workload === 'rr',
    queues: workload === 'tx' || workload === 'stream' ? config.queues : 1,
    rateGbps: config.nic.rateGbps,
    traffic: config.traffic,
    ...(config.capture === undefined ? {} : { capture: config.capture }),
    // segments of one frame have its number
    ...(changesBackend(config) && config.traffic.kind !== 'tcp-stream'
      ? { streams: orderedStreams(config) }
      : {}),
    ...(usesFailover(config) ? { isLossy: true } : {}),
    ...linkEvents(config),
  };
}

/** Queue pairs of one function, and what its front is driven by. */
function functionEnds(instance: BackendInstance, guest: number): EndPlan[] {
  const { config, suffix } = instance;
  const window = deviceWindow(instance, guest);
  const ends: EndPlan[] = [];
  for (let q = 0; q < config.queues; q++) {
    const channel = `vq.${guest}.${q}${suffix}`;
    ends.push(memoryEnd(channel, channel, window));
  }
  const front = config.backend === 'vfio' ? 'vfio' : 'vdpa';
  ends.push(controlEnd('b', `${front}.${guest}${suffix}`, `${front}${guest}${suffix}`, 'syscall'));
  if (front === 'vfio') ends.push(memoryEnd(`pci.${guest}${suffix}`, `pci${guest}${suffix}`, window));
  return ends;
}

function controlEnd(side: 'a' | 'b', channel: string, end: string, latency: 'netlink' | 'syscall'): EndPlan {
  return { channel, kind: 'control', side, core: NIC, end, latency };
}

function memoryEnd(channel: string, end: string, window: string): EndPlan {
  return { channel, kind: 'memory', side: 'b', core: NIC, end, latency: 'dma', window };
}

/** What is done to the wire: a key of a core's configuration, absent when it is nothing. */
function linkEvents(config: ScenarioConfig): Pick<DeviceConfig & StationConfig, 'link'> {
  const link = eventsOf(config, 'link');
  return link.length === 0 ? {} : { link };
}

function wireEnd(config: ScenarioConfig, side: 'a' | 'b', core: string): EndPlan {
  return {
    channel: 'wire',
    kind: 'link',
    side,
    core,
    end: 'wire',
    latency: 'wire',
    ...linkRoom(eventsOf(config, 'link'), config.nic.rateGbps),
  };
}
