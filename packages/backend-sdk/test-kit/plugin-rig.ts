import {
  hex,
  type NicCoreConfig,
  type NicCoreResult,
  nicCoreModule,
  type RunComponentsOptions,
  runComponents,
  switchCoreModule,
  type TestOutcome,
  testFrame,
  testProfile,
} from '@vhostlab/datapath/test-kit';
import type { ComponentPlan, CorePlan, EndPlan, ModuleRegistry } from '@vhostlab/engine';
import type { RingFormat } from '@vhostlab/virtqueue';
import { type BurstPlugin, burstBackend, embeddedBurst, type PluginDefinition } from '../src/index.ts';
import { guestComponent } from './guest-component.ts';
import { type GuestCoreConfig, type GuestCoreResult, guestCoreModule } from './guest-core.ts';
import { testScenario } from './test-scenario.ts';

/** When the test guest and the test NIC begin to send. */
export const START_PS = 100_000_000;

const FEATURES = ['VERSION_1', 'EVENT_IDX', 'INDIRECT_DESC'];
/** What back ends that sleep ask of a cost profile, besides the test profile's constants. */
const CONSTANTS = {
  'tap.queueLength': 1000,
  'upcall.queueFrames': 1024,
  'vhost.txBatch': 64,
  'vhost.rxBatch': 64,
  'napi.budget': 64,
  'nic.txCompletionNs': 5000,
};

/** What a test does with a plugin: everything may be left out. */
export interface PluginRigOptions extends RunComponentsOptions {
  ring?: RingFormat;
  ringSize?: number;
  /** Frames from each guest, and from the wire (none between two guests). */
  frames?: number;
  lengths?: readonly number[];
  gapPs?: number;
  startPs?: number;
  /** True: the mock driver sleeps until it is called; false: it polls. */
  interrupts?: boolean;
  /** 1: guest and wire. 2: two guests, and the second sends nothing. */
  guests?: 1 | 2;
  /** How the mock driver cuts its buffers. */
  shape?: GuestCoreConfig['send']['shape'];
  faults?: GuestCoreConfig['send']['faults'];
  options?: Record<string, unknown>;
  seed?: number;
}

/** What the ends of a run saw. */
export interface PluginRigOutcome extends TestOutcome {
  /** Frames on the wire, as hexadecimal digits. */
  wire: string[];
  /** What each guest received. */
  guests: GuestCoreResult[];
  /** Frames that guests and wire offered. */
  offered: number;
  /** Frames that guests and wire received. */
  delivered: number;
}

/** The first `count` test frames, as hexadecimal digits. */
export function testFrames(count: number, lengths: readonly number[] = [60]): string[] {
  return Array.from({ length: count }, (_, i) => hex(testFrame(i, lengths[i % lengths.length])));
}

/**
 * Runs a plugin with a mock driver and a mock NIC in virtual time to its end: device plugins by their own plan, burst
 * plugins on a polled core in this process. Needs no other service and no process.
 */
export function runPlugin(
  plugin: PluginDefinition | BurstPlugin,
  options: PluginRigOptions = {},
): PluginRigOutcome {
  const device = plugin.depth === 'burst' ? burstBackend(embeddedBurst(plugin)) : plugin;
  const { guests = 1, seed = 1, ring = 'split', ringSize = 64 } = options;
  const own = options.options === undefined ? {} : { options: options.options };
  const plan = device.plan({
    ...testScenario({ ring, ringSize, guests, seed, workload: guests === 2 ? 'v2v' : 'pvp' }),
    backend: device.attachesAs,
    plugin: { name: device.name, ...own },
  });
  const drivers = Array.from({ length: guests }, (_, guest) => driver(guest, options));
  const modules: ModuleRegistry = new Map([
    ...device.modules,
    ['test/guest', guestCoreModule],
    ['test/nic', nicCoreModule],
    ['test/switch', switchCoreModule],
  ]);
  const components = [...drivers.map(guestComponent), plan, surroundings(plan, options)];
  const outcome = runComponents(components, modules, { profile: testProfile(CONSTANTS), ...options });
  const wire = outcome.cores.flatMap(({ results }) => (results.nic as NicCoreResult | undefined)?.sent ?? []);
  return {
    ...outcome,
    wire: wire.map(({ bytes }) => bytes),
    guests: drivers.map(({ guest }) => outcome.core(`guest${guest}.vcpu0`).results.guest as GuestCoreResult),
    offered: outcome.total('frames.offered'),
    delivered: outcome.total('frames.delivered'),
  };
}

function driver(guest: number, options: PluginRigOptions): GuestCoreConfig {
  const { ring = 'split', ringSize = 64, frames = 8, lengths = [60], gapPs = 200_000 } = options;
  const { startPs = START_PS, interrupts = true, shape = 'single', faults = [] } = options;
  return {
    guest,
    pair: 0,
    format: ring,
    size: ringSize,
    features: ring === 'packed' ? [...FEATURES, 'RING_PACKED'] : FEATURES,
    interrupts,
    breaksRing: false,
    send: { frames: guest === 0 ? frames : 0, lengths: [...lengths], startPs, gapPs, shape, faults },
    receive: { bufferBytes: 2048, segments: 1, unmapped: [] },
  };
}

/** A NIC queue per end that asks for one, and a switch that answers every miss. */
function surroundings(plan: ComponentPlan, options: PluginRigOptions): ComponentPlan {
  const { frames = 8, lengths = [60], gapPs = 200_000, startPs = START_PS, guests = 1 } = options;
  const cores: CorePlan[] = [];
  const ends: EndPlan[] = [];
  for (const { channel, window } of plan.ends.filter(({ channel }) => channel.startsWith('nicq.'))) {
    const core = `test-${channel}`;
    const config: NicCoreConfig = {
      end: channel,
      window: window ?? '',
      frames: guests === 1 ? frames : 0,
      lengths: [...lengths],
      startPs,
      gapPs,
    };
    cores.push({ id: core, service: 'nic', module: 'test/nic', config, mode: 'hardware', account: 'none' });
    ends.push({ ...other(channel, 'memory', core, 'dma'), ...(window === undefined ? {} : { window }) });
  }
  const misses = plan.ends.filter(({ channel }) => channel.startsWith('upcall.'));
  if (misses.length > 0) {
    const outputs =
      guests === 2
        ? [
            { from: 10, to: [11] },
            { from: 11, to: [10] },
          ]
        : [
            { from: 1, to: [10] },
            { from: 10, to: [1] },
          ];
    cores.push({
      id: 'test-switch',
      service: 'switch',
      module: 'test/switch',
      config: { ends: misses.map(({ channel }) => channel), outputs },
      mode: 'wait',
      account: 'host',
    });
    for (const { channel, latency } of misses) ends.push(other(channel, 'control', 'test-switch', latency));
  }
  return { cores, windows: [], ends };
}

function other(channel: string, kind: EndPlan['kind'], core: string, latency: EndPlan['latency']): EndPlan {
  return { channel, kind, side: 'b', core, end: channel, latency };
}
