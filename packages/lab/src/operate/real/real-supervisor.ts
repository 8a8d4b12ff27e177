import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { demandAdmission } from '../../admission/admission.ts';
import { admitReal } from '../../admission/admit-real.ts';
import { thisMachine } from '../../admission/machine.ts';
import type { RealLab } from '../../lab-file/real-lab.ts';
import type { RealNode } from '../../lab-file/real-schema.ts';
import { makeNode } from '../../real-nodes/make-node.ts';
import { NodeFault, type NodeProcess } from '../../real-nodes/node-process.ts';
import { Reaper } from '../../real-nodes/reaper.ts';
import type { RunningNode } from '../../real-nodes/running-node.ts';
import { UsageError } from '../../scenario/options.ts';
import type { EventLog } from '../events.ts';
import type { LabFolder } from '../lab-folder.ts';
import { LabRecord } from '../lab-record.ts';
import { type LabSupervisor, otherClock } from '../lab-supervisor.ts';
import type { LabState, NodeState, WantedLab } from '../state.ts';
import { devicesOf } from './devices.ts';
import { describePlan, planReal, type RealPlan, realAsks, startOrder } from './plan.ts';
import { type Ask, runAsks } from './real-runs.ts';
import { isStopped } from './stopped.ts';

/** What a supervisor of a lab on the real clock is given. */
export interface RealSupervisorOptions {
  readonly folder: LabFolder;
  /** How our own command is started: program and first arguments. */
  readonly vhostlab: { readonly file: string; readonly args: readonly string[] };
}

const NOTHING: RealLab = { nodes: [], links: [] };
const LOOK_MS = 250;

/**
 * A lab on the real clock that is up: owns its programs, their command lines and sockets, asks for the runs of the file, and
 * keeps state and events. When one of them ends it ends all; when this process is killed, the kernel ends them, and a shell
 * that waits for that removes their sockets.
 */
export class RealSupervisor implements LabSupervisor {
  readonly ended: Promise<Error | undefined>;
  readonly #options: RealSupervisorOptions;
  readonly #sockets: string;
  readonly #reaper: Reaper;
  readonly #record: LabRecord;
  readonly #running = new Map<string, RunningNode>();
  readonly #lost = new AbortController();
  #present: RealLab = NOTHING;
  #stallTimeoutMs: number;
  #asking: { stop: AbortController; done: Promise<void> } | undefined;
  #watch: NodeJS.Timeout | undefined;
  readonly #stoppedSince = new Map<string, number>();
  #changing = false;
  #closing: Promise<void> | undefined;
  #end: (error: Error | undefined) => void = () => undefined;

  constructor(wanted: WantedLab, options: RealSupervisorOptions) {
    this.#options = options;
    this.ended = new Promise((resolve) => {
      this.#end = resolve;
    });
    this.#stallTimeoutMs = wanted.description.stallTimeoutMs;
    this.#sockets = options.folder.socketFolder();
    this.#reaper = new Reaper(this.#sockets);
    const state: LabState = {
      schema: 1,
      name: wanted.description.name,
      clock: 'real',
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
  }

  get state(): LabState {
    return this.#record.state;
  }

  get events(): EventLog {
    return this.#record.events;
  }

  planned(wanted: WantedLab): string[] {
    const real = realOf(wanted);
    return describePlan(planReal(this.#present, real), real, realAsks(real));
  }

  async addEvent(): Promise<string[]> {
    throw new UsageError(
      `lab ${this.state.name} runs on the real clock; events at a stated moment are for the virtual clock`,
    );
  }

  async apply(wanted: WantedLab): Promise<void> {
    if (this.#changing) throw new Error('another change of the lab is under way');
    this.#changing = true;
    const startedMs = performance.now();
    try {
      const real = realOf(wanted);
      const plan = planReal(this.#present, real);
      const lines = this.planned(wanted);
      if (lines.length === 0 && !plan.runs) return;
      // a lab that is up goes on when the machine cannot have what it shall become
      const isFirst = this.#present === NOTHING;
      const names = new Set(plan.start.map(({ name }) => name));
      try {
        demandAdmission(await admitReal(real, thisMachine(), names));
      } catch (error) {
        if (isFirst) throw error;
        throw Object.assign(error as Error, { isHarmless: true });
      }
      for (const line of lines) this.events.add('action', this.state.name, line);
      this.#stallTimeoutMs = wanted.description.stallTimeoutMs;
      this.#options.folder.replace('lab.yaml', wanted.text);
      await this.#interrupt();
      await this.#change(plan, real);
      this.state.file = wanted.file;
      this.state.ready_after_ms = Math.round(performance.now() - startedMs);
      this.events.add('lab', this.state.name, 'ready', `after ${this.state.ready_after_ms} ms`);
      delete this.state.error;
      this.#record.set('running', true);
      this.#ask(real);
    } catch (error) {
      if ((error as { isHarmless?: boolean }).isHarmless === true) throw error;
      const cause = this.#lost.signal.aborted ? this.#lost.signal.reason : error;
      await this.#close('failed', cause as Error);
      throw cause;
    } finally {
      this.#changing = false;
    }
  }

  async down(): Promise<string[]> {
    const lines = this.#ordered().map(({ name, kind }) => `ended ${name} (${kind})`);
    await this.#close('ended', undefined);
    return lines;
  }

  /** Stops and starts what the plan says; resolves when every node is ready. */
  async #change(plan: RealPlan, real: RealLab): Promise<void> {
    const stop = this.#lost.signal;
    const stopping = this.#ordered().filter(({ name }) => plan.stop.some((node) => node.name === name));
    for (const { name } of stopping) {
      const running = this.#running.get(name) as RunningNode;
      await running.end(false);
      this.#running.delete(name);
      rmSync(join(this.#sockets, name), { recursive: true, force: true });
    }
    this.#present = real;
    this.#record.set('starting', false);
    for (const node of plan.start) this.#make(node, real);
    this.#describe(real);
    for (const step of startOrder(plan.start, real)) {
      await this.#all(step, async ({ name }) => {
        await this.#node(name).start(stop);
        this.#mark(name, 'listening');
      });
    }
    await this.#all(plan.start, ({ name }) => this.#node(name).join(stop));
    this.#watch ??= setInterval(() => this.#lookForStopped(), LOOK_MS);
    // those that stayed have lost nobody: whoever is joined to one that was started anew was started anew as well
    await this.#all(plan.start, async ({ name }) => {
      const how = await this.#node(name).ready(stop);
      const state = this.#stateOf(name);
      if (state !== undefined)
        state.neighbours = devicesOf(name, real, this.#sockets).map(({ peer }) => peer);
      this.#mark(name, 'ready', how);
    });
  }

  /** Does a step for all nodes at once. When one fails the others are stopped; resolves or throws when none goes on. */
  async #all(nodes: readonly RealNode[], step: (node: RealNode) => Promise<unknown>): Promise<void> {
    await Promise.all(nodes.map((node) => step(node).catch((error: unknown) => this.#lose(error as Error))));
    this.#lost.signal.throwIfAborted();
  }

  #make(node: RealNode, real: RealLab): void {
    const { folder, vhostlab } = this.#options;
    const { name } = node;
    mkdirSync(join(this.#sockets, name), { mode: 0o700 });
    mkdirSync(folder.file('nodes'), { recursive: true, mode: 0o700 });
    const running = makeNode(node, {
      name,
      number: real.nodes.indexOf(node),
      folder: join(this.#sockets, name),
      log: folder.file('nodes', `${name}.log`),
      devices: devicesOf(name, real, this.#sockets),
      allowedCpus: thisMachine().cpus,
      vhostlab,
      onProcess: (program) => this.#onProcess(name, program),
    });
    this.#running.set(name, running);
  }

  #onProcess(name: string, program: NodeProcess): void {
    const state = this.#stateOf(name);
    const running = this.#node(name);
    if (state !== undefined && running.main === program) state.pid = program.pid;
    void program.ended.then(() => {
      if (program.isEnding) return;
      this.#mark(name, 'lost', program.howEnded);
      this.#lose(
        new NodeFault(`node ${program.fault(`${program.howEnded}; the lab is incomplete`).message}`),
      );
    });
    this.#record.save();
  }

  #describe(real: RealLab): void {
    const before = new Map(this.state.nodes.map((node) => [node.name, node]));
    this.state.nodes = real.nodes.map(({ name, kind }): NodeState => {
      const old = before.get(name);
      const { console, environment } = this.#node(name);
      if (old !== undefined && old.state === 'ready' && this.#node(name).main !== undefined) return old;
      return {
        name,
        kind,
        service: kind,
        placement: 'process',
        address: join(this.#sockets, name),
        state: 'starting',
        neighbours: [],
        ...(console === undefined ? {} : { console }),
        environment,
      };
    });
    this.state.links = real.links.map(({ ends }) => ends);
    this.#record.save();
  }

  /** Asks for the runs of the lab, in the background. */
  #ask(real: RealLab): void {
    const asks = real.nodes.flatMap(({ name }): Ask[] => {
      const node = this.#node(name);
      return node.asks.map((what) => ({ node, name: `${name}: ${what}`, what }));
    });
    const abort = new AbortController();
    const stop = AbortSignal.any([abort.signal, this.#lost.signal]);
    const done = runAsks(asks, this.#record, this.#options.folder, stop).then(
      () => {
        const bad = this.state.runs.filter(({ state }) => state === 'failed').length;
        this.events.add('lab', this.state.name, 'complete', bad === 0 ? undefined : `${bad} runs failed`);
        this.#record.set('complete', true);
      },
      async (error: unknown) => {
        if (!abort.signal.aborted) await this.#close('failed', error as Error);
      },
    );
    this.#asking = { stop: abort, done };
  }

  async #interrupt(): Promise<void> {
    this.#asking?.stop.abort(new Error('interrupted by a change of the lab'));
    await this.#asking?.done;
    this.#asking = undefined;
  }

  /** Stopped programs are told, and given up after `time.stallTimeout`. */
  #lookForStopped(): void {
    const now = performance.now();
    for (const [name, { main }] of this.#running) {
      const state = this.#stateOf(name);
      if (main === undefined || state === undefined) continue;
      const since = this.#stoppedSince.get(name);
      if (!isStopped(main.pid)) {
        if (since === undefined) continue;
        this.#stoppedSince.delete(name);
        this.#mark(name, 'ready', 'goes on again');
      } else if (since === undefined) {
        this.#stoppedSince.set(name, now);
        this.#mark(name, 'stalled', 'is stopped');
      } else if (now - since >= this.#stallTimeoutMs) {
        this.#mark(name, 'lost', `stopped for ${Math.round((now - since) / 1000)} s`);
        this.#lose(
          new NodeFault(
            `node ${name} (process ${main.pid}) has been stopped for ${Math.round((now - since) / 1000)} s; the lab is incomplete`,
          ),
        );
      }
    }
  }

  #mark(name: string, to: NodeState['state'], detail?: string): void {
    const state = this.#stateOf(name);
    if (state === undefined || this.#closing !== undefined) return;
    state.state = to;
    const pid = this.#node(name).main?.pid;
    if (pid !== undefined) state.pid = pid;
    this.events.add('node', name, to, detail);
    this.#record.save();
  }

  #lose(error: Error): void {
    if (this.#lost.signal.aborted || this.#closing !== undefined) return;
    this.#lost.abort(error);
    if (!this.#changing) void this.#close('failed', error);
  }

  /** Nodes in the order of their end: those that connect before those that listen. */
  #ordered(): RealNode[] {
    const nodes = this.#present.nodes.filter(({ name }) => this.#running.has(name));
    return startOrder(nodes, this.#present).reverse().flat();
  }

  #close(phase: 'failed' | 'ended', error: Error | undefined): Promise<void> {
    this.#closing ??= this.#closeOnce(phase, error);
    return this.#closing;
  }

  async #closeOnce(phase: 'failed' | 'ended', error: Error | undefined): Promise<void> {
    this.#record.ending();
    clearInterval(this.#watch);
    this.#asking?.stop.abort(error ?? new Error('ended by vhostlab lab down'));
    const isLost = error !== undefined;
    if (isLost) await Promise.all([...this.#running.values()].map((node) => node.end(true)));
    else for (const { name } of this.#ordered()) await this.#node(name).end(false);
    rmSync(this.#sockets, { recursive: true, force: true });
    await this.#reaper.end();
    this.#record.close(phase, error);
    this.#end(error);
  }

  #node(name: string): RunningNode {
    return this.#running.get(name) as RunningNode;
  }

  #stateOf(name: string): NodeState | undefined {
    return this.state.nodes.find((node) => node.name === name);
  }
}

function realOf({ description }: WantedLab): RealLab {
  if (description.real === undefined) throw otherClock(description.name);
  return description.real;
}
