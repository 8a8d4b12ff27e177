import { FrameBatch } from '../frames/frame-batch.ts';
import type { PluginSpec } from '../plugin/plugin-spec.ts';
import type { WorkerConfig } from '../worker/worker-config.ts';
import { longestFrameBytes, offeredFeatures, withoutFeatures } from './offer.ts';
import type { BackendOptions } from './options.ts';

const WORKER_MODULE = new URL('../worker/main.ts', import.meta.url);
const HUGE_PAGE_BYTES = 2 ** 21;
const SPIN_NS = 50_000;

/** What moves the frames of a back end: threads of one kind, the memory of each, and what its devices can offer. */
export interface Hosting {
  readonly module: URL;
  /** Bytes of the arena that each thread has for itself. */
  readonly ownBytes: number;
  readonly features: bigint;
  /** What thread `worker` is started with, its memory at `ownOffset`. */
  config(worker: number, place: Place): unknown;
}

/** What a thread is given of the process. */
export type Place = Pick<WorkerConfig, 'arena' | 'ownOffset' | 'statistics' | 'devices'>;

type SwitchPort = Extract<BackendOptions['port'], { kind: 'switch' }>;

/** Chooses it by the port: the switch is the project's own, with its back-end plugins in front. */
export async function hostingOf(options: BackendOptions, devices: number): Promise<Hosting> {
  const { port, queuePairs, without } = options;
  if (port.kind !== 'switch') return workers(options);
  // a back end without the switch has no need of all that
  const [{ PLUGIN_MODULE, pluginHost }, { loadExternal }] = await Promise.all([
    import('../plugin/plugin-host.ts'),
    import('../plugin/load-external.ts'),
  ]);
  const spec = pluginSpec(options, port);
  const external = await loadExternal(spec);
  const { features, ownBytes, config } = pluginHost(spec, devices, queuePairs, external);
  return {
    module: PLUGIN_MODULE,
    ownBytes,
    features: withoutFeatures(features, queuePairs, without),
    config: (worker, place) => config({ ...place, cpus: cpusOf(options, worker) }),
  };
}

function pluginSpec({ mode, flows }: BackendOptions, { plugin, tso, external }: SwitchPort): PluginSpec {
  const spec = { flows, csum: true, tso };
  if (external !== undefined) return { ...spec, plugin: 'vhost-user', external };
  return { ...spec, plugin: plugin ?? (mode === 'poll' ? 'vhost-user' : 'user-interrupt') };
}

function workers(options: BackendOptions): Hosting {
  const { port, queuePairs, without, mode } = options;
  const frameBytes = longestFrameBytes(port);
  const ownBytes = ownMemoryBytes(frameBytes);
  return {
    module: WORKER_MODULE,
    ownBytes,
    features: offeredFeatures(port, queuePairs, without),
    config: (worker, place): WorkerConfig => ({
      ...place,
      worker,
      workers: options.workers,
      mode,
      cpus: cpusOf(options, worker),
      ownBytes,
      queuePairs,
      port,
      frameBytes,
      spinNs: SPIN_NS,
    }),
  };
}

function cpusOf({ cpus }: BackendOptions, worker: number): number[] {
  return cpus.length === 0 ? [] : [cpus[worker % cpus.length] as number];
}

/** A worker's own part of the arena: a batch under way, one that a generator keeps, and small things. */
function ownMemoryBytes(frameBytes: number): number {
  const bytes = 2 * FrameBatch.memoryBytes(frameBytes) + HUGE_PAGE_BYTES;
  return Math.ceil(bytes / HUGE_PAGE_BYTES) * HUGE_PAGE_BYTES;
}
