import {
  type CallOptions,
  type Client,
  ContractError,
  commonV1,
  fromPlanPart,
  hello,
  type LifecycleClient,
  type Role,
  type runtimeV1,
} from '@vhostlab/contracts';
import type { CompiledProfile, CoreStatistics, LatencyClass, RunPlan } from '@vhostlab/engine';
import { assemble } from '@vhostlab/engine';
import type { LogPart } from '@vhostlab/trace';
import { migrationOf, type ScenarioConfig } from '@vhostlab/workload';
import { type ChannelTraffic, coordinate, type ProcessHandle } from './coordinate.ts';
import { LogStore } from './log-store.ts';
import type { ProcessResults, Progress } from './process-runtime.ts';
import type { RunMeasurement, RunMeter } from './run-meter.ts';
import { withStationApart, withStationHoused } from './station.ts';

/** The services of a lab and the processes that they live in. */
export interface Lab {
  services: Record<Role, LifecycleClient>;
  processes: readonly ProcessHandle[];
  /** Aborted when a service was lost; its reason is the error to report. */
  lost?: AbortSignal;
  /** Called now and then while a scenario runs. */
  onProgress?: (progress: Progress) => void;
}

/** What a scenario needs besides its services. */
export interface ScenarioInput {
  /** Name of the section in the event log, `pvp/vhost-user`. */
  name: string;
  config: ScenarioConfig;
  profileJson: string;
  profile: CompiledProfile;
  /** Distance between sampled packets; 0 samples none. */
  samplingStride: number;
  /** Replicas inside one process, fed by publications only. */
  copyMode?: boolean;
  /** Every channel end notes what it sends, for walks. */
  taps?: boolean;
  /** Latency of the wire each way in nanoseconds, in place of the cost profile's. */
  wireLatencyNs?: number;
  /** Every process has met its neighbours: their names by the process's. */
  onJoined?(neighbours: ReadonlyMap<string, readonly string[]>): void;
  signal?: AbortSignal;
}

/** Everything that a scenario left behind. Call `close` to remove its temporary files. */
export interface ScenarioOutcome {
  name: string;
  config: ScenarioConfig;
  plan: RunPlan;
  cores: CoreStatistics[];
  parts: LogPart[];
  channels: ChannelTraffic[];
  /** Where the wall-clock time of a run over several processes went; undefined for one process. */
  measured?: RunMeasurement;
  close(): void;
}

/** Tidying up may not keep a failed run alive. */
const TIDY_TIMEOUT_MS = 1000;
/** How long neighbours may take to find each other. */
const JOIN_TIMEOUT_MS = 10_000;
/** Spans in which runs with a migration tell what cores did. */
const TIMELINE_SPAN_PS = 20_000_000;
const ROLES: readonly Role[] = ['guest', 'backend', 'switch', 'nic'];

/** How long the end of a process may take to be noticed after its connections have broken. */
const LOSS_NOTICE_MS = 1000;

/**
 * Sets a scenario up on the lab's services, runs it to its end and collects. Nothing stays behind in the services.
 * Throws the reason of `signal` when that is aborted, and the reason of `lab.lost` when a service was lost.
 */
export async function runScenario(given: Lab, input: ScenarioInput): Promise<ScenarioOutcome> {
  const lab = { ...given, processes: withStationHoused(given.processes) };
  const signals = [input.signal, lab.lost].filter((signal) => signal !== undefined);
  const signal = AbortSignal.any(signals);
  const call: CallOptions = { signal };
  const id = input.name.replaceAll(/[^a-z0-9]+/g, '-');
  const created: Role[] = [];
  try {
    const plan = await createPlan(lab, input, id, created, call);
    const joined = await prepare(lab, plan, input, id, call);
    input.onJoined?.(joined);
    for (const role of ROLES) await lab.services[role].start(id, call);
    const { onProgress } = lab;
    const meter = await coordinate(plan, lab.processes, {
      signal,
      ...(onProgress === undefined ? {} : { onProgress }),
    });
    return await collect(lab, plan, input, meter, call);
  } catch (error) {
    throw await causeOf(error, signal, lab.lost);
  } finally {
    // after an abort the services are ended, or the next run starts over: nothing to tidy up
    if (!signal.aborted) {
      const options = { timeoutMs: TIDY_TIMEOUT_MS };
      await Promise.all(
        created.map((role) => lab.services[role].destroy(id, options).catch(() => undefined)),
      );
    }
  }
}

/**
 * Why a call failed: because of an abort, if there was one. A killed process breaks its connections before its end
 * is reported, so a failure that may come of it waits for that report.
 */
async function causeOf(error: unknown, signal: AbortSignal, lost: AbortSignal | undefined): Promise<unknown> {
  if (!signal.aborted && lost !== undefined && error instanceof ContractError) {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, LOSS_NOTICE_MS);
      signal.addEventListener('abort', () => {
        clearTimeout(timer);
        resolve();
      });
    });
  }
  return signal.aborted ? signal.reason : error;
}

async function createPlan(
  lab: Lab,
  input: ScenarioInput,
  id: string,
  created: Role[],
  call: CallOptions,
): Promise<RunPlan> {
  const own = { instanceId: 'lab', name: 'lab', version: { major: 0, minor: 1, patch: 0 } };
  const offered: { role: Role; capabilities: commonV1.Capability[] }[] = [];
  for (const role of ROLES) {
    const service = lab.services[role];
    await service.handshake(hello({ ...own, clocks: [commonV1.Clock.VIRTUAL], processId: 0 }), call);
    await service.describe(call);
    offered.push({ role, capabilities: await service.getCapabilities([], call) });
  }
  const components = [];
  for (const role of ROLES) {
    const peers = offered
      .filter((other) => other.role !== role)
      .map((other) => ({ role: other.role, id, capabilities: other.capabilities }));
    const config = {
      id,
      configJson: JSON.stringify(input.config),
      clock: commonV1.Clock.VIRTUAL,
      seed: BigInt(input.config.seed),
      peers,
    };
    const { plan } = await lab.services[role].create(config, call);
    created.push(role);
    components.push(withStationApart(fromPlanPart(plan, role)));
  }
  const constant = (name: string): number => {
    const value = input.profile.constants.get(name);
    if (value === undefined) throw new Error(`cost profile ${input.profile.name} lacks the constant ${name}`);
    return value;
  };
  const latencyPs = (latency: LatencyClass, direction: 'ab' | 'ba'): number =>
    Math.round(
      (latency === 'wire' && input.wireLatencyNs !== undefined
        ? input.wireLatencyNs
        : constant(`latency.${latency}.${direction}Ns`)) * 1000,
    );
  return assemble(components, latencyPs, {
    seed: input.config.seed,
    sampling: { stride: input.samplingStride },
    accountFromPs: constant('run.trafficStartNs') * 1000,
    copyMode: input.copyMode ?? false,
    taps: input.taps ?? false,
    ...(migrationOf(input.config) === undefined ? {} : { timelineSpanPs: TIMELINE_SPAN_PS }),
  });
}

async function prepare(
  lab: Lab,
  plan: RunPlan,
  input: ScenarioInput,
  id: string,
  call: CallOptions,
): Promise<Map<string, string[]>> {
  const planJson = new TextEncoder().encode(JSON.stringify(plan));
  const seed = BigInt(plan.seed);
  await Promise.all(
    lab.processes.map(({ runtime, services }) =>
      runtime.prepare(
        { runId: id, planJson, services: [...services], profileJson: input.profileJson, seed },
        call,
      ),
    ),
  );
  const joined = new Map(lab.processes.map(({ name }): [string, string[]] => [name, []]));
  if (lab.processes.length < 2) return joined;
  const processOf = new Map<string, ProcessHandle>();
  for (const process of lab.processes)
    for (const service of process.services) processOf.set(service, process);
  const coreProcess = new Map(
    plan.cores.map((core) => [core.id, processOf.get(core.service) as ProcessHandle]),
  );
  await Promise.all(
    lab.processes.map(async (process) => {
      const peers = lab.processes
        .filter((peer) => peer !== process)
        .map((peer) => ({
          name: peer.name,
          address: peer.address ?? '',
          dial: dials(process, peer),
          channels: plan.channels
            .filter(({ a, b }) => {
              const ends = [coreProcess.get(a.core), coreProcess.get(b.core)];
              return ends.includes(process) && ends.includes(peer);
            })
            .map((channel) => channel.id),
        }))
        .filter(({ channels }) => channels.length > 0);
      const answer = await process.runtime.connect({ peers, timeoutMs: JOIN_TIMEOUT_MS }, call);
      joined.set(process.name, answer.peers);
    }),
  );
  return joined;
}

/** Which of two opens their stream: the one that is harder to reach, else the first by name. */
function dials(process: ProcessHandle, peer: ProcessHandle): boolean {
  const [own, other] = [reachOf(process.address), reachOf(peer.address)];
  return own === other ? process.name < peer.name : own < other;
}

/** 0: cannot be called; 1: from this machine; 2: from others. */
function reachOf(address: string | undefined): number {
  return address === undefined ? 0 : address.startsWith('unix:') ? 1 : 2;
}

async function collect(
  lab: Lab,
  plan: RunPlan,
  input: ScenarioInput,
  meter: RunMeter,
  call: CallOptions,
): Promise<ScenarioOutcome> {
  const cores: CoreStatistics[] = [];
  const stores: LogStore[] = [];
  const parts: LogPart[] = [];
  const traffic = new Map<number, ChannelTraffic>();
  const blocked = new Map<string, Map<string, number>>();
  const close = (): void => {
    for (const store of stores) store.close();
  };
  try {
    for (const { name, runtime } of lab.processes) {
      const { resultsJson, outbound, waits } = await runtime.collect({}, call);
      cores.push(...(JSON.parse(new TextDecoder().decode(resultsJson)) as ProcessResults).cores);
      blocked.set(
        name,
        new Map(waits.map(({ channel, blockedNs }) => [plan.channels[channel].id, Number(blockedNs)])),
      );
      for (const { channel, batches, messages, payloadBytes } of outbound) {
        const sum = traffic.get(channel) ?? {
          channel: plan.channels[channel].id,
          batches: 0,
          messages: 0,
          payloadBytes: 0,
        };
        sum.batches += Number(batches);
        sum.messages += Number(messages);
        sum.payloadBytes += Number(payloadBytes);
        traffic.set(channel, sum);
      }
      parts.push(await readPart(runtime, stores, call));
    }
  } catch (error) {
    close();
    throw error;
  }
  cores.sort((x, y) => (x.id < y.id ? -1 : 1));
  const channels = [...traffic.values()];
  const measured = lab.processes.length < 2 ? undefined : meter.measurement(input.name, channels, blocked);
  return {
    name: input.name,
    config: input.config,
    plan,
    cores,
    parts,
    channels,
    ...(measured === undefined ? {} : { measured }),
    close,
  };
}

async function readPart(
  runtime: Client<typeof runtimeV1.RuntimeService>,
  stores: LogStore[],
  call: CallOptions,
): Promise<LogPart> {
  const store = new LogStore();
  stores.push(store);
  let strings: string[] = [];
  for await (const { part } of runtime.readLog(
    { chunkBytes: 0 },
    { ...call, timeoutMs: Number.POSITIVE_INFINITY },
  )) {
    if (part.case === 'strings') strings = part.value.strings;
    else if (part.case === 'records') store.append(part.value);
  }
  return store.part(strings);
}
