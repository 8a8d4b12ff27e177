import type { ComponentPlan, CoreModule, EndPlan } from '@vhostlab/engine';
import { eventsOf, PAGE_SIZES, type ScenarioConfig } from '@vhostlab/workload';
import { type DeviceConfig, deviceModule, type FunctionConfig, type HostQueueConfig } from './device.ts';
import { linkRoom } from './link/link-room.ts';
import { type StationConfig, stationModule } from './station/station.ts';

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
  const hostCores = hostDriverCores(config);
  const offloaded = config.backend === 'vfio' || config.backend === 'vdpa';
  const guests = offloaded ? Array.from({ length: config.guests }, (_, g) => g) : [];
  const device: DeviceConfig = {
    pcie: config.nic.pcie,
    rateGbps: config.nic.rateGbps,
    pageBytes: PAGE_SIZES[config.pages],
    memory: MEMORY,
    maxQueueSize: Math.max(2 ** Math.ceil(Math.log2(config.ringSize)), LEAST_QUEUE_SIZE),
    offloads: config.offloads,
    host: hostCores.map(
      (core): HostQueueConfig => ({
        end: `nicq.${core}`,
        window: `rings.${core}`,
        bufferBytes: config.offloads.tso ? HOST_GSO_BUFFER_BYTES : HOST_BUFFER_BYTES,
      }),
    ),
    functions: guests.map(
      (guest): FunctionConfig => ({
        kind: config.backend === 'vfio' ? 'vfio' : 'vdpa',
        guest,
        port: FIRST_GUEST_PORT + guest,
        pairs: config.queues,
        mac: [0x52, 0x54, 0, 0, 0, guest + 1],
      }),
    ),
    ...linkEvents(config),
  };
  const ends: EndPlan[] = [wireEnd(config, 'a', STATION), wireEnd(config, 'b', NIC)];
  for (const core of hostCores) ends.push(memoryEnd(`nicq.${core}`, `nicq.${core}`, `rings.${core}`));
  for (const guest of guests) ends.push(...functionEnds(config, guest));
  if (offloaded) {
    ends.push({
      channel: `upcall.${NIC}`,
      kind: 'control',
      side: 'a',
      core: NIC,
      end: 'switch',
      latency: 'netlink',
    });
  }
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
    ...linkEvents(config),
  };
}

/** Queue pairs of one function, and what its front is driven by. */
function functionEnds(config: ScenarioConfig, guest: number): EndPlan[] {
  const ends: EndPlan[] = [];
  for (let q = 0; q < config.queues; q++) {
    ends.push(memoryEnd(`vq.${guest}.${q}`, `vq.${guest}.${q}`, `guest${guest}`));
  }
  const front = config.backend === 'vfio' ? 'vfio' : 'vdpa';
  ends.push({
    channel: `${front}.${guest}`,
    kind: 'control',
    side: 'b',
    core: NIC,
    end: `${front}${guest}`,
    latency: 'syscall',
  });
  if (front === 'vfio') ends.push(memoryEnd(`pci.${guest}`, `pci${guest}`, `guest${guest}`));
  return ends;
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
