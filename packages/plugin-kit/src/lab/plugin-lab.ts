import { readFileSync } from 'node:fs';
import type { PluginDefinition } from '@vhostlab/backend-sdk';
import {
  createClient,
  createLocalTransport,
  lifecycleClient,
  type Role,
  runtimeV1,
} from '@vhostlab/contracts';
import { compileCostProfile, parseCostProfile } from '@vhostlab/cost-profile';
import {
  buildScenario,
  type CompareOptionsInput,
  type HostedServices,
  hostServices,
  PLUGINS,
  parseCompareOptions,
  ROLES,
  runScenario,
  type Tracing,
} from '@vhostlab/lab';
import type { ScenarioConfig, WorkloadName } from '@vhostlab/workload';

const PROFILE = 'reference.yaml';
const NO_TRACING: Tracing = {
  providerFor: () => undefined,
  takeSpans: () => ({ otlpJson: new Uint8Array(), dropped: 0 }),
};

/** What a run of a plugin in a lab is about. */
export interface LabRun {
  readonly workload?: WorkloadName;
  /** Options as `compare` has them; packets are few unless said otherwise. */
  readonly options?: Omit<CompareOptionsInput, 'workloads' | 'backends'>;
  /** Options of the plugin. */
  readonly pluginOptions?: Record<string, unknown>;
  /** What is changed of the scenario. */
  readonly part?: Partial<ScenarioConfig>;
  readonly copyMode?: boolean;
}

/** What it found. */
export interface LabRunResult {
  readonly offered: number;
  readonly delivered: number;
  readonly drops: Readonly<Record<string, number>>;
  /** Hash of the delivered frames, by sink. */
  readonly frames: readonly string[];
  /** Statistics of all cores as JSON: equal when two runs were. */
  readonly statistics: string;
  /** Frames per second that were delivered, in virtual time. */
  readonly pps: number;
  /** What a burst plugin counted, by core. */
  readonly plugin: Readonly<Record<string, unknown>>;
}

interface Sink {
  readonly queues: readonly { readonly sha256: string; readonly frames: number }[];
  readonly firstPs: number;
  readonly lastPs: number;
}

/** A lab in this process whose back-end service has the built-in plugins and `plugin`. Close it after use. */
export class PluginLab {
  readonly #plugin: PluginDefinition;
  readonly #hosted: HostedServices;
  readonly #transport: ReturnType<typeof createLocalTransport>;
  #runs = 0;

  constructor(plugin: PluginDefinition) {
    this.#plugin = plugin;
    this.#hosted = hostServices(ROLES, {
      instanceId: 'plugin-lab',
      processId: process.pid,
      tracing: NO_TRACING,
      exit: () => undefined,
      plugins: [...PLUGINS.filter(({ name }) => name !== plugin.name), plugin],
    });
    this.#transport = createLocalTransport(this.#hosted.implementations);
  }

  /** Runs one workload over the plugin to its end in virtual time. */
  async run(run: LabRun = {}): Promise<LabRunResult> {
    const { workload = 'pvp', pluginOptions } = run;
    const options = parseCompareOptions({ packets: 400, samples: 0, ...run.options });
    const attached = this.#plugin.attachesAs;
    const own = pluginOptions === undefined ? {} : { options: pluginOptions };
    const config: ScenarioConfig = {
      ...buildScenario(attached, workload, options, undefined),
      ...run.part,
      plugin: { name: this.#plugin.name, ...own },
    };
    const file = new URL(`../profiles/${PROFILE}`, import.meta.resolve('@vhostlab/cost-profile'));
    const profile = parseCostProfile(readFileSync(file, 'utf8'), PROFILE);
    const transport = this.#transport;
    const lab = {
      placement: 'embedded' as const,
      services: Object.fromEntries(ROLES.map((role) => [role, lifecycleClient(role, transport)])) as Record<
        Role,
        ReturnType<typeof lifecycleClient>
      >,
      processes: [
        { name: 'lab', services: ROLES, runtime: createClient(runtimeV1.RuntimeService, transport) },
      ],
    };
    const outcome = await runScenario(lab, {
      name: `plugin-${++this.#runs}`,
      config,
      profileJson: JSON.stringify(profile),
      profile: compileCostProfile(profile),
      samplingStride: 0,
      copyMode: run.copyMode ?? false,
    });
    try {
      return read(outcome.cores);
    } finally {
      outcome.close();
    }
  }

  close(): void {
    this.#hosted.runtime.close();
    this.#transport.close();
  }
}

function read(cores: Awaited<ReturnType<typeof runScenario>>['cores']): LabRunResult {
  const total = (counter: string) => cores.reduce((sum, { counters }) => sum + (counters[counter] ?? 0), 0);
  const drops: Record<string, number> = {};
  for (const { counters } of cores) {
    for (const [name, count] of Object.entries(counters)) {
      if (name.startsWith('drop.') && count > 0) drops[name.slice(5)] = (drops[name.slice(5)] ?? 0) + count;
    }
  }
  const sinks = cores
    .map(({ results }) => results.sink as Sink | undefined)
    .filter((sink) => sink !== undefined);
  const delivered = total('frames.delivered');
  const firstPs = Math.min(...sinks.map((sink) => sink.firstPs));
  const lastPs = Math.max(...sinks.map((sink) => sink.lastPs));
  return {
    offered: total('frames.offered'),
    delivered,
    drops,
    frames: sinks.flatMap(({ queues }) => queues.map(({ sha256 }) => sha256)),
    statistics: JSON.stringify(cores),
    pps: delivered > 1 && lastPs > firstPs ? ((delivered - 1) / (lastPs - firstPs)) * 1e12 : 0,
    plugin: Object.fromEntries(
      cores
        .filter(({ results }) => results.plugin !== undefined)
        .map(({ id, results }) => [id, results.plugin]),
    ),
  };
}
