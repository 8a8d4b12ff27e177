import { readFileSync } from 'node:fs';
import type { PluginDefinition } from '@vhostlab/backend-sdk';
import {
  ContractError,
  createClient,
  createGrpcTransport,
  createLocalTransport,
  lifecycleClient,
  linkV1,
  PluginFault,
  type Role,
  runtimeV1,
  type Transport,
} from '@vhostlab/contracts';
import { compileCostProfile, parseCostProfile } from '@vhostlab/cost-profile';
import {
  buildScenario,
  type CompareOptionsInput,
  type HostedServices,
  hostServices,
  type Lab,
  PLUGINS,
  parseCompareOptions,
  ROLES,
  runScenario,
  type ScenarioInput,
  type ScenarioOutcome,
  type Tracing,
} from '@vhostlab/lab';
import type { ScenarioConfig, WorkloadName } from '@vhostlab/workload';
import type { RemoteDevice } from '../package/remote-device.ts';

const PROFILE = 'reference.yaml';
/** How long a plugin in another process may take for a call, and how long virtual time may stand still for it. */
const TIMEOUT_MS = 30_000;
const SILENCE_MS = 30_000;
const RESET_TIMEOUT_MS = 1000;
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

/** Runs of this process: what a failed run left behind at a plugin has another name than the next. */
let runs = 0;

/**
 * A lab around a plugin: guest, switch and NIC in this process, and the plugin in its back-end service, beside the
 * built-in ones; or, for a plugin that somebody else runs, the back-end service at its address. Close it after use.
 */
export class PluginLab {
  readonly #plugin: PluginDefinition | RemoteDevice;
  readonly #hosted: HostedServices;
  readonly #transport: ReturnType<typeof createLocalTransport>;
  readonly #roles: readonly Role[];
  readonly #remote: Transport | undefined;
  readonly #timeoutMs: number;
  readonly #silenceMs: number;
  /** The last call that was made at the plugin in another process. */
  #underWay = 'Handshake';

  constructor(
    plugin: PluginDefinition | RemoteDevice,
    { timeoutMs = TIMEOUT_MS, silenceMs = SILENCE_MS }: { timeoutMs?: number; silenceMs?: number } = {},
  ) {
    this.#plugin = plugin;
    this.#timeoutMs = timeoutMs;
    this.#silenceMs = silenceMs;
    const isRemote = 'address' in plugin;
    this.#roles = ROLES.filter((role) => !(isRemote && role === 'backend'));
    this.#hosted = hostServices(this.#roles, {
      instanceId: 'plugin-lab',
      processId: process.pid,
      tracing: NO_TRACING,
      exit: () => undefined,
      ...(isRemote ? {} : { plugins: [...PLUGINS.filter(({ name }) => name !== plugin.name), plugin] }),
    });
    this.#transport = createLocalTransport(this.#hosted.implementations);
    if (isRemote) this.#remote = this.#watched(createGrpcTransport(plugin.address));
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
    const outcome = await this.#runScenario({
      name: `plugin-${process.pid}-${++runs}`,
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
    this.#remote?.close();
  }

  /** Throws PluginFault when it is the plugin in another process that fails, naming the call. */
  async #runScenario(input: ScenarioInput): Promise<ScenarioOutcome> {
    const plugin = this.#plugin;
    if (!('address' in plugin)) return runScenario(this.#lab(), input);
    const silent = new AbortController();
    const late = (): void =>
      silent.abort(
        new PluginFault(
          `The device plugin at ${plugin.address} failed in ${this.#underWay}: nothing has come for ${this.#silenceMs / 1000} s`,
        ),
      );
    const timer = setTimeout(late, this.#silenceMs);
    try {
      const lab = { ...this.#lab(), onProgress: () => void timer.refresh() };
      return await runScenario(lab, { ...input, signal: silent.signal });
    } catch (error) {
      await this.#forgetRun();
      throw error instanceof ContractError ? faultOf(plugin.address, error) : error;
    } finally {
      clearTimeout(timer);
    }
  }

  /** Ends what an aborted run left in the processes, as far as they still answer. */
  async #forgetRun(): Promise<void> {
    const stop = this.#lab().processes.map(({ runtime }) =>
      runtime.stop({}, { timeoutMs: RESET_TIMEOUT_MS }),
    );
    await Promise.allSettled(stop);
  }

  #watched(transport: Transport): Transport {
    return {
      ...transport,
      open: (method, metadata, deadlineAt) => {
        if (method.parent.typeName !== linkV1.LinkService.typeName) this.#underWay = method.name;
        return transport.open(method, metadata, deadlineAt);
      },
    };
  }

  #lab(): Lab {
    const at = (role: Role): Transport =>
      role === 'backend' ? (this.#remote ?? this.#transport) : this.#transport;
    const client = { defaultTimeoutMs: this.#timeoutMs };
    const here = createClient(runtimeV1.RuntimeService, this.#transport, client);
    const plugin = this.#plugin;
    return {
      services: Object.fromEntries(
        ROLES.map((role) => [role, lifecycleClient(role, at(role), client)]),
      ) as Lab['services'],
      processes: [
        { name: [...this.#roles].sort().join('+'), services: this.#roles, runtime: here },
        ...('address' in plugin
          ? [
              {
                name: 'backend',
                services: ['backend' as const],
                address: plugin.address,
                runtime: createClient(runtimeV1.RuntimeService, at('backend'), client),
              },
            ]
          : []),
      ],
    };
  }
}

/** Which call of the plugin failed. What breaks in the middle of a run breaks the stream of its windows. */
function faultOf(address: string, error: ContractError): PluginFault {
  const cause = error.cause instanceof ContractError ? error.cause : error;
  const call = cause.method === '' ? 'Run' : cause.method;
  return new PluginFault(`The device plugin at ${address} failed in ${call}: ${cause.message}`);
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
