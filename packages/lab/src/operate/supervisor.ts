import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { commonV1, hello, type Security } from '@vhostlab/contracts';
import type { CostProfile } from '@vhostlab/cost-profile';
import type { PluginOpener } from '../scenario/rows.ts';
import { PARTS, type Part, STATION } from '../services/parts.ts';
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
import { addEventTo } from './add-event.ts';
import { takeEndpoints } from './endpoint-runs.ts';
import type { EventLog } from './events.ts';
import type { LabFolder } from './lab-folder.ts';
import { LabRecord } from './lab-record.ts';
import { runAll, tellProgress } from './lab-runs.ts';
import { LabServices, type PlaceContainers } from './lab-services.ts';
import { type LabSupervisor, otherClock } from './lab-supervisor.ts';
import { labWatchdog } from './lab-watchdog.ts';
import type { Surroundings } from './placed.ts';
import { type RunInputs, runInputs } from './run-inputs.ts';
import type { LabState, WantedLab } from './state.ts';
import type { Watchdog } from './watchdog.ts';

/** What a supervisor is given. */
export interface SupervisorOptions {
  folder: LabFolder;
  tracing: Tracing;
  command: ServiceCommand;
  security: Security;
  remoteSecurity: Security;
  loadProfile(name: string): Promise<CostProfile>;
  /** Opens plugins among the back ends; undefined where there are none. */
  openPlugins?: PluginOpener;
  /** Makes the containers of `roles`; undefined where there are none. */
  placeContainers?: PlaceContainers;
  versions: Record<string, string>;
  /** Milliseconds that a service at an address may take to answer; 10 s unless said otherwise. */
  endpointReadyMs?: number;
}

const RANK: Readonly<Record<Part, number>> = { [STATION]: -1, nic: 0, switch: 1, backend: 2, guest: 3 };
const ENDPOINT_READY_MS = 10_000;
const RESET_TIMEOUT_MS = 1_000;

/**
 * One lab that is up: owns its services, joins them, runs what the file says, and keeps state and events. After a
 * failure everything that it started is ended; what others run is left alone.
 */
export class Supervisor implements LabSupervisor {
  /** Resolves when the lab has ended, with the error that ended it, if one did. */
  readonly ended: Promise<Error | undefined>;
  readonly #options: SupervisorOptions;
  readonly #folder: LabFolder;
  readonly #sockets: string;
  #startedMs = performance.now();
  readonly #record: LabRecord;
  readonly #services: LabServices;
  #wanted: WantedLab;
  #runKey: string | undefined;
  #run: { stop: AbortController; done: Promise<void> } | undefined;
  #lost = new AbortController();
  readonly #watchdog: Watchdog;
  #changing = false;
  #ending = false;
  #end: (error: Error | undefined) => void = () => undefined;

  constructor(wanted: WantedLab, options: SupervisorOptions) {
    this.#options = options;
    this.#folder = options.folder;
    this.#wanted = wanted;
    this.ended = new Promise((resolve) => {
      this.#end = resolve;
    });
    this.#sockets = options.folder.socketFolder();
    this.#services = new LabServices(options.placeContainers);
    const state: LabState = {
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
    this.#record = new LabRecord(options.folder, state, (error) => this.#lose(error));
    this.#watchdog = labWatchdog(wanted.description.stallTimeoutMs, {
      record: this.#record,
      whereIs: (role) => this.#services.whereIs(role),
      cutLinks: () => this.#services.cutLinks(this.#around(), this.#lost.signal),
      lose: (error) => this.#lose(error),
    });
  }

  /** Folder of this lab's sockets. */
  get sockets(): string {
    return this.#sockets;
  }

  get state(): LabState {
    return this.#record.state;
  }

  /** What the lab was last made to be. */
  get wanted(): WantedLab {
    return this.#wanted;
  }

  get events(): EventLog {
    return this.#record.events;
  }

  /** What `apply` would do. */
  plan(wanted: WantedLab): Action[] {
    return planActions(
      { services: this.#services.present, runKey: this.#runKey, isRunning: this.state.phase === 'running' },
      wanted,
    );
  }

  planned(wanted: WantedLab): string[] {
    if (wanted.description.real !== undefined) throw otherClock(wanted.description.name);
    return describeActions(this.plan(wanted), wanted);
  }

  addEvent(eventJson: string, dryRun: boolean): Promise<string[]> {
    return addEventTo(this, eventJson, dryRun);
  }

  /**
   * Makes the lab what is wanted. Resolves when it is ready, and then runs on; throws what kept it from being ready,
   * after everything has ended.
   */
  async apply(wanted: WantedLab): Promise<void> {
    if (this.#changing) throw new Error('another change of the lab is under way');
    this.#changing = true;
    this.#startedMs = performance.now();
    let isTouched = !this.state.ready;
    try {
      const actions = this.plan(wanted);
      if (actions.length === 0) return;
      const inputs = await runInputs(wanted, this.#options.loadProfile, this.#options.openPlugins);
      isTouched = true;
      for (const line of describeActions(actions, wanted)) this.events.add('action', this.state.name, line);
      this.#wanted = wanted;
      this.#folder.replace('lab.yaml', wanted.text);
      await this.#interrupt();
      const around = { ...this.#around(), opened: inputs.opened };
      await this.#services.change(actions, wanted.description.topology, around);
      this.#record.describe(wanted, this.#services.placed);

      await this.#start(inputs);
    } catch (error) {
      // inputs that are refused leave a lab that is up as it was
      if (!isTouched) throw error;
      await this.#fail(error);
      throw this.#lost.signal.aborted ? this.#lost.signal.reason : error;
    } finally {
      this.#changing = false;
    }
  }

  /** Ends the run and every service that this lab has started. Answers what was ended. */
  async down(): Promise<string[]> {
    const lines = this.#services.placed.map(
      ({ roles, placement }) =>
        `${placement.how === 'endpoint' ? 'left' : 'ended'} ${roles.join(', ')} (${placementText(placement)})`,
    );
    await this.#close('ended', undefined);
    return lines;
  }

  async #interrupt(): Promise<void> {
    if (this.#run === undefined) return;
    this.#run.stop.abort(new Error('interrupted by a change of the lab'));
    await this.#run.done;
    this.#run = undefined;
    // an aborted run leaves its instances behind
    const lab = this.#services.lab(this.#around(), this.#lost.signal);
    const options = { timeoutMs: RESET_TIMEOUT_MS };
    for (const run of this.state.runs) {
      const id = run.name.replaceAll(/[^a-z0-9]+/g, '-');
      await Promise.all(ROLES.map((role) => lab.services[role].destroy(id, options).catch(() => undefined)));
    }
    await Promise.all(lab.processes.map(({ runtime }) => runtime.stop({}, options).catch(() => undefined)));
  }

  /** Waits for the services, greets them in the order of their dependencies, and lets the run begin. */
  async #start(inputs: RunInputs): Promise<void> {
    this.#record.set('starting', false);
    const stop = this.#lost.signal;
    const isLost = new Promise<never>((_, reject) => {
      stop.addEventListener('abort', () => reject(stop.reason), { once: true });
      if (stop.aborted) reject(stop.reason);
    });
    isLost.catch(() => undefined);
    await Promise.race([
      isLost,
      Promise.all(
        this.#services.placed.map(async (placed) => {
          await placed.ready(stop);
          for (const role of placed.roles) this.#record.mark(role, 'listening');
        }),
      ),
    ]);
    const lab = this.#services.lab(this.#around(), this.#lost.signal);
    const own = { instanceId: `lab-${process.pid}`, name: 'lab', version: { major: 0, minor: 1, patch: 0 } };
    const greeting = hello({ ...own, clocks: [commonV1.Clock.VIRTUAL], processId: process.pid });
    for (const role of this.#parts()) {
      await Promise.race([isLost, this.#services.greet(role, lab, greeting)]);
      this.#record.mark(role, 'greeted');
    }
    await Promise.race([
      isLost,
      takeEndpoints(this.#services.placed, lab, greeting, scenariosOf(this.#wanted)),
    ]);
    this.#watchdog.watch(
      lab.processes
        .filter(({ address }) => address !== undefined)
        .map(({ services: [role], runtime }) => ({
          role: role as Part,
          ask: async (timeoutMs) => void (await runtime.handshake({ hello: greeting }, { timeoutMs })),
        })),
    );
    const joined = Promise.withResolvers<void>();
    const abort = new AbortController();
    const { folder, tracing, versions } = this.#options;
    this.#runKey = runKeyOf(this.#wanted);
    const done = runAll(lab, this.#wanted, inputs, abort.signal, {
      folder,
      tracing,
      versions,
      record: this.#record,
      watchdog: this.#watchdog,
      onJoined: (neighbours) => {
        if (!this.state.ready) this.#onReady(neighbours);
        joined.resolve();
      },
      causeOf: (error) => (this.#lost.signal.aborted ? this.#lost.signal.reason : this.#named(error)),
    }).then(
      () => undefined,
      async (error: unknown) => {
        this.#runKey = undefined;
        joined.reject(error);
        if (!abort.signal.aborted && this.state.ready) await this.#fail(error);
      },
    );
    this.#run = { stop: abort, done };
    await joined.promise;
  }

  /** What there is, in the order in which one needs the other. */
  #parts(): Part[] {
    return [...this.#services.present.keys()].sort((a, b) => RANK[a] - RANK[b]);
  }

  #onReady(neighbours: ReadonlyMap<string, readonly string[]>): void {
    for (const role of this.#parts()) {
      const name = [...neighbours.keys()].find((process) => process.split('+').includes(role)) ?? role;
      const met = [...(neighbours.get(name) ?? [])];
      for (const node of this.#record.nodesOf(role)) node.neighbours = met;
      this.#record.mark(role, 'ready', met.length === 0 ? 'all in one process' : `has met ${met.join(', ')}`);
    }
    this.state.ready_after_ms = Math.round(performance.now() - this.#startedMs);
    this.events.add('lab', this.state.name, 'ready', `after ${this.state.ready_after_ms} ms`);
    this.#record.set('running', true);
  }

  #lose(error: Error): void {
    if (this.#lost.signal.aborted || this.#ending) return;
    this.#lost.abort(error);
    // an idle lab has no run that would end of it
    if (this.state.phase === 'complete' && !this.#changing) void this.#fail(error);
  }

  /** A lost connection as the loss of its service, and one that was ended in order as its end, with where that was. */
  #named(error: unknown): Error {
    const { message } = error as Error;
    const [, name, how] =
      /^service (\w+) (was lost during the run|ended its part of the run|failed: .*)$/s.exec(message) ?? [];
    const role = PARTS.find((part) => part === name);
    if (role === undefined) return error as Error;
    if (!how.startsWith('failed')) this.#record.mark(role, 'lost', how);
    return new ServiceLostError(
      `service ${role} (${this.#services.whereIs(role)}) ${how}; the run is incomplete`,
    );
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
        const current = this.state.runs.findIndex(({ state }) => state === 'running');
        tellProgress({ watchdog: this.#watchdog, record: this.#record }, current, delivered);
      },
      onLost: (role, error) => {
        const words = this.#services.find(role)?.lastWords() ?? '';
        const last = words.split('\n').at(-1) ?? '';
        this.#record.mark(role, 'lost', error.message);
        this.#lose(last === '' ? error : new ServiceLostError(`${error.message}: ${last}`));
      },
    };
  }

  async #fail(error: unknown): Promise<void> {
    const cause = this.#lost.signal.aborted ? (this.#lost.signal.reason as Error) : (error as Error);
    await this.#close('failed', cause);
  }

  async #close(phase: 'failed' | 'ended', error: Error | undefined): Promise<void> {
    if (this.#ending) return;
    this.#ending = true;
    this.#record.ending();
    this.#watchdog.stop();
    if (error === undefined && this.#run !== undefined) {
      this.#run.stop.abort(new Error('ended by vhostlab lab down'));
      await this.#run.done;
    }
    await this.#services.end(error !== undefined);
    rmSync(this.#sockets, { recursive: true, force: true });
    this.#record.close(phase, error);
    this.#end(error);
  }
}
