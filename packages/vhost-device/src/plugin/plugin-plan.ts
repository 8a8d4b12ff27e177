import type { PluginDefinition } from '@vhostlab/backend-sdk';
import { vdpaPlugin } from '@vhostlab/backend-vdpa';
import { vhostNetPlugin } from '@vhostlab/backend-vhost-net';
import { vhostUserPlugin } from '@vhostlab/backend-vhost-user';
import { CORE_ARENA_BYTES, type ComponentPlan, type EndPlan, type ModuleRegistry } from '@vhostlab/engine';
import { nicModules, offeredFeatures, planNic } from '@vhostlab/nic';
import { type HandlerConfig, type HandlerDatapath, switchModules } from '@vhostlab/switch';
import { FeatureSet } from '@vhostlab/virtio-net';
import type { ScenarioConfig } from '@vhostlab/workload';
import { guestPorts } from './guest-ports.ts';
import type { PluginName, PluginSpec } from './plugin-spec.ts';

const HANDLER = 'switch.handler';
/** Buffers of a link between two workers, and what else the thread takes. */
const SPARE_BYTES = 8 * 1024 * 1024;

interface Hosted {
  readonly definition: PluginDefinition;
  readonly backend: ScenarioConfig['backend'];
  readonly datapath: HandlerDatapath['kind'];
}

const HOSTED: Readonly<Record<PluginName, Hosted>> = {
  'vhost-user': { definition: vhostUserPlugin, backend: 'vhost-user', datapath: 'userspace' },
  'user-interrupt': { definition: vhostNetPlugin, backend: 'vhost-net', datapath: 'kernel' },
  'sw-vdpa': { definition: vdpaPlugin, backend: 'vdpa', datapath: 'offloaded' },
};

/** The NIC's core, and the channel of its wire, which ends at the edge of the thread. */
const NIC = 'nic0';
export const WIRE = 'wire';

/** The components of one thread: the plugin's cores and the bridge that switches between its guests. */
export interface PluginPlan {
  readonly components: readonly ComponentPlan[];
  readonly modules: ModuleRegistry;
  /** Virtio features that the plugin's cores offer, LOG_ALL and PROTOCOL_FEATURES among them. */
  readonly offered: bigint;
  /** Memory that the thread takes for itself. */
  readonly arenaBytes: number;
}

/**
 * Lays out a plugin for `guests` devices of `queuePairs` queue pairs each, all on one thread.
 * `external`: what `loadExternal` made of the specification.
 */
export function planPlugin(
  spec: PluginSpec,
  guests: number,
  queuePairs: number,
  external?: PluginDefinition,
): PluginPlan {
  const { backend, datapath, definition: builtIn } = HOSTED[spec.plugin];
  const definition = external ?? builtIn;
  const own =
    external === undefined ? {} : { plugin: { name: external.name, options: spec.external?.options ?? {} } };
  const config = { ...scenario(spec, backend, guests, queuePairs), ...own };
  const plan = definition.plan(config);
  const parts = spec.plugin === 'sw-vdpa' ? [plan, nicOnly(planNic(config))] : [plan];
  const components = [...parts, planHandler(parts, spec.flows, guests, datapath)];
  return {
    components,
    modules: new Map([...definition.modules, ...nicModules, ...switchModules]),
    offered: offeredBy(plan, config),
    arenaBytes: bytesOf(components),
  };
}

/** The NIC without the station at the far end of its wire. */
function nicOnly({ cores, windows, ends }: ComponentPlan): ComponentPlan {
  return {
    cores: cores.filter(({ id }) => id === NIC),
    windows,
    ends: ends.filter(({ core }) => core === NIC),
  };
}

/** What the plugin needs to know of a run; what only virtual runs use has no effect here. */
function scenario(
  { csum, tso }: PluginSpec,
  backend: ScenarioConfig['backend'],
  guests: number,
  queues: number,
): ScenarioConfig {
  return {
    backend,
    workload: 'v2v',
    guests,
    queues,
    ring: 'split',
    ringSize: 256,
    pages: '4K',
    execution: 'rtc',
    guest: 'poll',
    offloads: { csum, tso, mrg: true },
    nic: { pcie: 'gen4x16', rateGbps: 100 },
    flows: [],
    traffic: tso
      ? { kind: 'tcp-stream', packets: 1, gso: true, lineBps: 100e9, seed: 1 }
      : { kind: 'udp', packets: 1, size: '1518', lineBps: 100e9, seed: 1 },
    faults: [],
    seed: 1,
  };
}

/** The switch service's part: it answers the misses of every datapath of the plugin. */
function planHandler(
  parts: readonly ComponentPlan[],
  flows: readonly string[],
  guests: number,
  kind: HandlerDatapath['kind'],
): ComponentPlan {
  const upcalls = parts
    .flatMap(({ ends }) => ends)
    .filter(({ kind: channel, end }) => channel === 'control' && end === 'switch');
  const config: HandlerConfig = {
    ports: guestPorts(guests),
    datapaths: upcalls.map(({ channel }) => ({ end: channel, kind })),
    flows,
  };
  return {
    cores: [
      { id: HANDLER, service: 'switch', module: 'switch/handler', config, mode: 'wait', account: 'host' },
    ],
    windows: [],
    ends: upcalls.map(
      ({ channel, latency }): EndPlan => ({
        channel,
        kind: 'control',
        side: 'b',
        core: HANDLER,
        end: channel,
        latency,
      }),
    ),
  };
}

function offeredBy(plan: ComponentPlan, { backend, offloads, queues }: ScenarioConfig): bigint {
  // the IOMMU is the VMM's business, address and link the device configuration's
  if (backend === 'vdpa') {
    return offeredFeatures(offloads, queues, false)
      .without('ACCESS_PLATFORM', 'MAC', 'STATUS', 'MTU', 'MQ')
      .toBigInt();
  }
  const config = plan.cores.find(({ config }) => Object.hasOwn(config as object, 'offered'))?.config;
  const { offered } = config as { offered: { low: number; high: number } };
  return new FeatureSet(offered.low, offered.high).toBigInt();
}

/** Windows, what cores take for themselves, and both directions of every link between two of them. */
function bytesOf(components: readonly ComponentPlan[]): number {
  const sum = (values: number[]): number => values.reduce((total, value) => total + value, 0);
  return (
    SPARE_BYTES +
    sum(components.flatMap(({ windows }) => windows).map(({ bytes }) => bytes + 4096)) +
    sum(components.flatMap(({ cores }) => cores).map(({ arenaBytes }) => arenaBytes ?? CORE_ARENA_BYTES)) +
    sum(
      components
        .flatMap(({ ends }) => ends)
        .filter(({ kind }) => kind === 'link')
        // each end brings one of the two directions, and a queue is twice as long as what it holds
        .map(({ bufferBytes = 0 }) => 2 * bufferBytes + 4096),
    )
  );
}
