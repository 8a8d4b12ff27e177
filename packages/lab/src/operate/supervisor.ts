import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import {
  type Client,
  commonV1,
  createClient,
  hello,
  lifecycleClient,
  type Role,
  runtimeV1,
  type Security,
} from '@vhostlab/contracts';
import type { CostProfile } from '@vhostlab/cost-profile';
import { checkScenarios } from '../compare/check.ts';
import { type CompareEnvironment, compare } from '../compare/compare.ts';
import { RunFolder } from '../compare/run-folder.ts';
import type { Placement } from '../lab-file/topology.ts';
import type { Lab } from '../run/run-scenario.ts';
import { type Capture, packetsOf } from '../scenario/build.ts';
import { loadCapture } from '../scenario/capture.ts';
import { parseCompareOptions } from '../scenario/options.ts';
import { ROLES } from '../services/registry.ts';
import type { Tracing } from '../services/serve.ts';
import { ServiceLostError } from '../services/service-lost.ts';
import type { ServiceCommand } from '../services/service-process.ts';
import {
  type Action,
  describeActions,
  placementText,
  planActions,
  runKeyOf,
  scenariosOf,
} from './actions.ts';
import { EventLog } from './events.ts';
import type { LabFolder } from './lab-folder.ts';
import { type Placed, placeEmbedded, placeEndpoint, placeProcess, type Surroundings } from './placed.ts';
import { finished, type LabState, type NodeState, type WantedLab } from './state.ts';
import { Watchdog } from './watchdog.ts';

/** What a supervisor is given. */
export interface SupervisorOptions {
  folder: LabFolder;
  tracing: Tracing;
  command: ServiceCommand;
  security: Security;
  remoteSecurity: Security;
  loadProfile(name: string): Promise<CostProfile>;
  /** Makes the containers of `roles`; undefined where there are none. */
  placeContainers?(roles: readonly Role[], around: Surroundings): Promise<readonly Placed[]>;
  versions: Record<string, string>;
  /** Milliseconds that a service at an address may take to answer; 10 s unless said otherwise. */
  endpointReadyMs?: number;
}

const RANK: Readonly<Record<Role, number>> = { nic: 0, switch: 1, backend: 2, guest: 3 };
const STATE_INTERVAL_MS = 200;
const ENDPOINT_READY_MS = 10_000;
const RESET_TIMEOUT_MS = 1_000;

/**
 * One lab that is up: owns its services, joins them, runs what the file says, and keeps state and events. After a
 * failure everything that it started is ended; what others run is left alone.
 */
export class Supervisor {
  readonly events: EventLog;
  /** Resolves when the lab has ended, with the error that ended it, if one did. */
  readonly ended: Promise<Error | undefined>;
  readonly #options: SupervisorOptions;
  readonly #folder: LabFolder;
  readonly #sockets: string;
  #startedMs = performance.now();
  readonly #state: LabState;
  #wanted: WantedLab;
  #placed: Placed[] = [];
  #present = new Map<Role, Placement>();
  #runKey: string | undefined;
  #run: { stop: AbortController; done: Promise<void> } | undefined;
  #lost = new AbortController();
  #watchdog: Watchdog;
  #changing = false;
  #ending = false;
  #stateTimer: NodeJS.Timeout | undefined;
  #end: (error: Error | undefined) => void = () => undefined;

  constructor(wanted: WantedLab, options: SupervisorOptions) {
    this.#options = options;
    this.#folder = options.folder;
    this.#wanted = wanted;
    this.ended = new Promise((resolve) => {
      this.#end = resolve;
    });
    this.events = new EventLog(options.folder);
    this.#sockets = options.folder.socketFolder();
    this.#state = {
      schema: 1,
      name: wanted.description.name,
      file: wanted.file,
      folder: options.folder.path,
      phase: 'starting',
      ready: false,
      supervisor: process.pid,
      control: `unix:${join(this.#sockets, 'control.sock')}`,
      started_at: new Date().toISOString(),
      nodes: [],
      links: [],
      runs: [],
    };
    this.#watchdog = this.#newWatchdog();
  }

  /** Folder of this lab's sockets. */
  get sockets(): string {
    return this.#sockets;
  }

  get state(): LabState {
    return this.#state;
  }

  /** What `apply` would do. */
  plan(wanted: WantedLab): Action[] {
    return planActions(
      { services: this.#present, runKey: this.#runKey, isRunning: this.#state.phase === 'running' },
      wanted,
    );
  }

  /**
   * Makes the lab what is wanted. Resolves when it is ready, and then runs on; throws what kept it from being ready,
   * after everything has ended.
   */
  async apply(wanted: WantedLab): Promise<void> {
    if (this.#changing) throw new Error('another change of the lab is under way');
    this.#changing = true;
    this.#startedMs = performance.now();
    try {
      const actions = this.plan(wanted);
      if (actions.length === 0) return;
      for (const line of describeActions(actions, wanted)) this.events.add('action', this.#state.name, line);
      const { capture, profile } = await this.#inputs(wanted);
      this.#wanted = wanted;
      this.#folder.replace('lab.yaml', wanted.text);
      await this.#interrupt();
      await this.#place(actions);
      this.#describeNodes();
      await this.#start(capture, profile);
    } catch (error) {
      await this.#fail(error);
      throw this.#lost.signal.aborted ? this.#lost.signal.reason : error;
    } finally {
      this.#changing = false;
    }
  }

  /** Ends the run and every service that this lab has started. Answers what was ended. */
  async down(): Promise<string[]> {
    const lines = this.#placed.map(
      ({ roles, placement }) =>
        `${placement.how === 'endpoint' ? 'left' : 'ended'} ${roles.join(', ')} (${placementText(placement)})`,
    );
    await this.#close('ended', undefined);
    return lines;
  }

  /** What the scenarios need, checked before anything is touched. */
  async #inputs(wanted: WantedLab): Promise<{ capture: Capture | undefined; profile: CostProfile }> {
    const { pcap } = wanted.description;
    const options = parseCompareOptions(wanted.description.options);
    const capture = pcap === undefined ? undefined : loadCapture(readFileSync(pcap), pcap);
    checkScenarios(options, capture);
    return { capture, profile: await this.#options.loadProfile(options.profile) };
  }

  async #interrupt(): Promise<void> {
    if (this.#run === undefined) return;
    this.#run.stop.abort(new Error('interrupted by a change of the lab'));
    await this.#run.done;
    this.#run = undefined;
    // an aborted run leaves its instances behind
    const lab = this.#lab();
    const options = { timeoutMs: RESET_TIMEOUT_MS };
    for (const run of this.#state.runs) {
      const id = run.name.replaceAll(/[^a-z0-9]+/g, '-');
      await Promise.all(ROLES.map((role) => lab.services[role].destroy(id, options).catch(() => undefined)));
    }
    await Promise.all(lab.processes.map(({ runtime }) => runtime.stop({}, options).catch(() => undefined)));
  }

  /** Stops and starts services. Those that share this process are made anew together. */
  async #place(actions: readonly Action[]): Promise<void> {
    const around = this.#around();
    const { services } = this.#wanted.description.topology;
    const changed = new Set(actions.flatMap((action) => ('role' in action ? [action.role] : [])));
    const touches = ({ roles }: Placed): boolean => roles.some((role) => changed.has(role));
    const leaving = this.#placed.filter(touches);
    this.#placed = this.#placed.filter((placed) => !touches(placed));
    await Promise.all(leaving.map((placed) => placed.end(false)));
    for (const role of leaving.flatMap(({ roles }) => roles)) this.#present.delete(role);
    const missing = ROLES.filter((role) => !this.#present.has(role));
    const how = (name: Placement['how']): Role[] => missing.filter((role) => services[role].how === name);
    const started: Placed[] = how('process').map((role) => placeProcess(role, around));
    this.#placed.push(...started);
    for (const role of how('endpoint')) {
      const placement = services[role];
      if (placement.how === 'endpoint') this.#placed.push(placeEndpoint(role, placement.address, around));
    }
    const embedded = ROLES.filter((role) => services[role].how === 'embedded');
    if (embedded.some((role) => missing.includes(role))) {
      const old = this.#placed.find(({ placement }) => placement.how === 'embedded');
      this.#placed = this.#placed.filter((placed) => placed !== old);
      await old?.end(false);
      this.#placed.push(placeEmbedded(embedded, around));
    }
    const inContainers = how('container');
    if (inContainers.length > 0) {
      const { placeContainers } = this.#options;
      if (placeContainers === undefined) throw new Error('this lab has no containers');
      this.#placed.push(...(await placeContainers(inContainers, around)));
    }
    for (const role of missing) this.#present.set(role, services[role]);
  }

  /** Waits for the services, greets them in the order of their dependencies, and lets the run begin. */
  async #start(capture: Capture | undefined, profile: CostProfile): Promise<void> {
    this.#set('starting', false);
    const stop = this.#lost.signal;
    const isLost = new Promise<never>((_, reject) => {
      stop.addEventListener('abort', () => reject(stop.reason), { once: true });
      if (stop.aborted) reject(stop.reason);
    });
    isLost.catch(() => undefined);
    await Promise.race([
      isLost,
      Promise.all(
        this.#placed.map(async (placed) => {
          await placed.ready(stop);
          for (const role of placed.roles) this.#mark(role, 'listening');
        }),
      ),
    ]);
    const lab = this.#lab();
    const own = { instanceId: `lab-${process.pid}`, name: 'lab', version: { major: 0, minor: 1, patch: 0 } };
    const greeting = hello({ ...own, clocks: [commonV1.Clock.VIRTUAL], processId: process.pid });
    for (const role of [...ROLES].sort((a, b) => RANK[a] - RANK[b])) {
      await Promise.race([isLost, lab.services[role].handshake(greeting, { timeoutMs: 30_000 })]);
      this.#mark(role, 'greeted');
    }
    this.#watchdog.watch(
      lab.processes
        .filter(({ address }) => address !== undefined)
        .map(({ services: [role], runtime }) => ({
          role: role as Role,
          ask: async (timeoutMs) => void (await runtime.handshake({ hello: greeting }, { timeoutMs })),
        })),
    );
    const joined = Promise.withResolvers<void>();
    const abort = new AbortController();
    const done = this.#runAll(lab, capture, profile, abort.signal, () => joined.resolve()).then(
      () => undefined,
      async (error: unknown) => {
        joined.reject(error);
        if (!abort.signal.aborted && this.#state.ready) await this.#fail(error);
      },
    );
    this.#run = { stop: abort, done };
    await joined.promise;
  }

  async #runAll(
    lab: Lab,
    capture: Capture | undefined,
    profile: CostProfile,
    signal: AbortSignal,
    onReady: () => void,
  ): Promise<void> {
    const wanted = this.#wanted;
    const { state } = this;
    const options = parseCompareOptions(wanted.description.options);
    state.runs = scenariosOf(wanted).map((name) => ({
      name,
      state: 'waiting',
      packets: packetsOf(name.split('/')[0] as never, options, capture),
      delivered: 0,
    }));
    delete state.error;
    delete state.event_log_sha256;
    this.#runKey = runKeyOf(wanted);
    const folder = this.#newRunFolder();
    state.run_folder = folder.path;
    const startedAt = new Date().toISOString();
    folder.describe({
      schema: 1,
      id: folder.id,
      state: 'incomplete',
      started_at: startedAt,
      command_line: ['lab', 'up', wanted.file],
      versions: this.#options.versions,
      options,
      profile: profile.name,
    });
    folder.write('lab.yaml', wanted.text);
    let current = -1;
    const environment: CompareEnvironment = {
      lab: { ...lab, onProgress: (progress) => this.#onProgress(current, progress.delivered) },
      tracing: this.#options.tracing,
      profile,
      ...(capture === undefined ? {} : { capture }),
      folder,
      signal,
      ...(wanted.description.topology.wireLatencyNs === undefined
        ? {}
        : { wireLatencyNs: wanted.description.topology.wireLatencyNs }),
      onScenario: () => {
        current++;
        state.runs[current] = { ...state.runs[current], state: 'running' };
        this.events.add('run', state.runs[current].name, 'started', `${state.runs[current].packets} packets`);
        this.#watchdog.running(true);
      },
      onJoined: (neighbours) => {
        if (!state.ready) {
          this.#onReady(neighbours);
          onReady();
        }
      },
      onResult: (result) => {
        state.runs[current] = finished(state.runs[current], result);
        const { offered, delivered, dropped } = result.frames;
        this.events.add(
          'run',
          state.runs[current].name,
          'complete',
          `${offered} frames offered, ${delivered} delivered, ${dropped} dropped`,
        );
        this.#watchdog.running(false);
      },
    };
    try {
      const comparison = await compare(options, environment);
      folder.writeJson('summary.json', comparison);
      state.event_log_sha256 = comparison.event_log_sha256;
      folder.describe({
        state: 'complete',
        finished_at: new Date().toISOString(),
        results: comparison.results.length,
        event_log_sha256: comparison.event_log_sha256,
      });
      this.events.add('lab', state.name, 'complete', `event log ${comparison.event_log_sha256}`);
      this.#set('complete', true);
    } catch (error) {
      const cause = this.#lost.signal.aborted ? this.#lost.signal.reason : this.#named(error);
      if (current >= 0) state.runs[current] = { ...state.runs[current], state: 'failed' };
      this.#runKey = undefined;
      folder.describe({ finished_at: new Date().toISOString(), error: (cause as Error).message });
      throw (cause as NodeJS.ErrnoException).code === 'ENOSPC' ? this.#folder.diskFault(cause) : cause;
    } finally {
      this.#watchdog.running(false);
    }
  }

  #onReady(neighbours: ReadonlyMap<string, readonly string[]>): void {
    for (const role of [...ROLES].sort((a, b) => RANK[a] - RANK[b])) {
      const name = [...neighbours.keys()].find((process) => process.split('+').includes(role)) ?? role;
      const met = [...(neighbours.get(name) ?? [])];
      for (const node of this.#nodesOf(role)) node.neighbours = met;
      this.#mark(role, 'ready', met.length === 0 ? 'all in one process' : `has met ${met.join(', ')}`);
    }
    this.#state.ready_after_ms = Math.round(performance.now() - this.#startedMs);
    this.events.add('lab', this.#state.name, 'ready', `after ${this.#state.ready_after_ms} ms`);
    this.#set('running', true);
  }

  #onProgress(current: number, delivered: number): void {
    this.#watchdog.progress();
    const run = this.#state.runs[current];
    if (run?.state !== 'running') return;
    run.delivered = delivered;
    this.#stateTimer ??= setTimeout(() => {
      this.#stateTimer = undefined;
      this.#save();
    }, STATE_INTERVAL_MS);
  }

  #newWatchdog(): Watchdog {
    const { stallTimeoutMs } = this.#wanted.description;
    const { name } = this.#state;
    return new Watchdog(stallTimeoutMs, {
      onStalled: (role) => this.#mark(role, 'stalled', 'does not answer; virtual time stands still'),
      onResumed: (role) => this.#mark(role, 'ready', 'answers again'),
      onLost: (role, silentMs) => {
        this.#mark(role, 'lost', `silent for ${Math.round(silentMs / 1000)} s`);
        this.#lose(
          new ServiceLostError(
            `service ${role} (${this.#whereIs(role)}) has not answered for ${Math.round(silentMs / 1000)} s; the run is incomplete`,
          ),
        );
      },
      onStuck: (silentMs) => {
        this.events.add('lab', name, 'stuck');
        this.#lose(
          new ServiceLostError(
            `virtual time has stood still for ${Math.round(silentMs / 1000)} s although every service answers: a link between two of them is cut; the run is incomplete`,
          ),
        );
      },
    });
  }

  #lose(error: Error): void {
    if (this.#lost.signal.aborted || this.#ending) return;
    this.#lost.abort(error);
    // an idle lab has no run that would end of it
    if (this.#state.phase === 'complete' && !this.#changing) void this.#fail(error);
  }

  /** A lost connection as the loss of its service, with where that was. */
  #named(error: unknown): unknown {
    const role = /^service (\w+) was lost during the run$/.exec((error as Error).message)?.[1] as
      | Role
      | undefined;
    if (role === undefined || !ROLES.includes(role)) return error;
    this.#mark(role, 'lost');
    return new ServiceLostError(
      `service ${role} (${this.#whereIs(role)}) was lost during the run; the run is incomplete`,
    );
  }

  #whereIs(role: Role): string {
    const placed = this.#placed.find(({ roles }) => roles.includes(role));
    if (placed?.container !== undefined) return `container ${placed.container}`;
    return placed?.pid !== undefined ? `process ${placed.pid}` : (placed?.address ?? 'unknown');
  }

  #around(): Surroundings {
    const { tracing, command, security, remoteSecurity } = this.#options;
    return {
      tracing,
      command,
      security,
      remoteSecurity,
      sockets: this.#sockets,
      endpointReadyMs: this.#options.endpointReadyMs ?? ENDPOINT_READY_MS,
      onProgress: ({ delivered }) => {
        const current = this.#state.runs.findIndex(({ state }) => state === 'running');
        this.#onProgress(current, delivered);
      },
      onLost: (role, error) => {
        const words = this.#placed.find(({ roles }) => roles.includes(role))?.lastWords() ?? '';
        const last = words.split('\n').at(-1) ?? '';
        this.#mark(role, 'lost', error.message);
        this.#lose(last === '' ? error : new ServiceLostError(`${error.message}: ${last}`));
      },
    };
  }

  #lab(): Lab {
    const provider = this.#options.tracing.providerFor('lab');
    const client = provider === undefined ? {} : { tracerProvider: provider };
    const services = Object.fromEntries(
      this.#placed.flatMap(({ roles, transport }) =>
        roles.map((role) => [role, lifecycleClient(role, transport, client)]),
      ),
    ) as Lab['services'];
    return {
      services,
      processes: this.#placed.map(({ roles, address, transport }) => ({
        name: [...roles].sort().join('+'),
        services: roles,
        ...(address === undefined ? {} : { address }),
        runtime: createClient(runtimeV1.RuntimeService, transport, client) as Client<
          typeof runtimeV1.RuntimeService
        >,
      })),
      lost: this.#lost.signal,
    };
  }

  #newRunFolder(): RunFolder {
    const runs = this.#folder.file('runs');
    mkdirSync(runs, { recursive: true });
    for (let n = 1; ; n++) {
      const path = this.#folder.file('runs', String(n));
      if (!existsSync(path)) return RunFolder.create(path, new Date());
    }
  }

  #describeNodes(): void {
    const { nodes, links } = this.#wanted.description.topology;
    const before = new Map(this.#state.nodes.map((node) => [node.name, node]));
    this.#state.nodes = nodes.map(({ name, kind }): NodeState => {
      const placed = this.#placed.find(({ roles }) => roles.includes(kind));
      const old = before.get(name);
      return {
        name,
        kind,
        service: kind,
        placement: placed === undefined ? '' : placed.placement.how,
        address: placed?.address ?? '',
        ...(placed?.pid === undefined ? {} : { pid: placed.pid }),
        ...(placed?.container === undefined ? {} : { container: placed.container }),
        state: old !== undefined && old.address === placed?.address ? old.state : 'starting',
        neighbours: [],
      };
    });
    this.#state.links = [...links];
    this.#state.file = this.#wanted.file;
    this.#save();
  }

  #nodesOf(role: Role): NodeState[] {
    return this.#state.nodes.filter(({ service }) => service === role);
  }

  #mark(role: Role, to: NodeState['state'], detail?: string): void {
    for (const node of this.#nodesOf(role)) node.state = to;
    if (!this.#ending || to === 'lost') this.events.add('service', role, to, detail);
    this.#save();
  }

  #set(phase: LabState['phase'], ready: boolean): void {
    this.#state.phase = phase;
    this.#state.ready = ready;
    this.#save();
  }

  #save(): void {
    try {
      this.#folder.writeState(this.#state);
    } catch (error) {
      if (!this.#ending) this.#lose(error as Error);
    }
  }

  async #fail(error: unknown): Promise<void> {
    const cause = this.#lost.signal.aborted ? (this.#lost.signal.reason as Error) : (error as Error);
    await this.#close('failed', cause);
  }

  async #close(phase: 'failed' | 'ended', error: Error | undefined): Promise<void> {
    if (this.#ending) return;
    this.#ending = true;
    clearTimeout(this.#stateTimer);
    this.#watchdog.stop();
    if (error === undefined && this.#run !== undefined) {
      this.#run.stop.abort(new Error('ended by vhostlab lab down'));
      await this.#run.done;
    }
    await Promise.all(this.#placed.map((placed) => placed.end(error !== undefined)));
    rmSync(this.#sockets, { recursive: true, force: true });
    for (const node of this.#state.nodes) if (node.state !== 'lost') node.state = 'ended';
    this.#state.phase = phase;
    this.#state.ready = false;
    if (error !== undefined) this.#state.error = error.message;
    try {
      this.events.add('lab', this.#state.name, phase, error?.message);
    } catch {
      // the disk that is full is what `error` says
    }
    this.#save();
    this.events.close();
    this.#end(error);
  }
}
