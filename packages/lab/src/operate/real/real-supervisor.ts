import { mkdirSync, renameSync, rmSync } from 'node:fs';
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
import { devicesOf, LinkSockets } from './devices.ts';
import { NodeStates } from './node-states.ts';
import { describePlan, planReal, type RealPlan, realAsks, startOrder } from './plan.ts';
import { type Ask, runAsks } from './real-runs.ts';
import { StoppedWatch } from './stopped.ts';
import { planSwap, readSwap, swapProblem } from './swap.ts';

/** What a supervisor of a lab on the real clock is given. */
export interface RealSupervisorOptions {
  readonly folder: LabFolder;
  /** How our own command is started: program and first arguments. */
  readonly vhostlab: { readonly file: string; readonly args: readonly string[] };
}

const NOTHING: RealLab = { nodes: [], links: [] };

/**
 * A lab on the real clock that is up: owns its programs, their command lines and sockets, asks for the runs of the file, and
 * keeps state and events. When one of them ends it ends all; when this process is killed, the kernel ends them, and a shell
 * that waits for that removes their sockets.
 */
export class RealSupervisor implements LabSupervisor {
  readonly ended: Promise<Error | undefined>;
  readonly #options: RealSupervisorOptions;
  readonly #sockets: LinkSockets;
  readonly #reaper: Reaper;
  readonly #record: LabRecord;
  readonly #states: NodeStates;
  readonly #running = new Map<string, RunningNode>();
  readonly #lost = new AbortController();
  #present: RealLab = NOTHING;
  #stallTimeoutMs: number;
  #asking: { stop: AbortController; done: Promise<void> } | undefined;
  readonly #watch: StoppedWatch;
  #changing = false;
  #closing: Promise<void> | undefined;
  #end: (error: Error | undefined) => void = () => undefined;

  constructor(wanted: WantedLab, options: RealSupervisorOptions) {
    this.#options = options;
    this.ended = new Promise((resolve) => {
      this.#end = resolve;
    });
    this.#stallTimeoutMs = wanted.description.stallTimeoutMs;
    this.#sockets = new LinkSockets(options.folder.socketFolder());
    this.#reaper = new Reaper(this.#sockets.folder);
    const state: LabState = {
      schema: 1,
      name: wanted.description.name,
      clock: 'real',
      file: wanted.file,
      folder: options.folder.path,
      phase: 'starting',
      ready: false,
      supervisor: process.pid,
      control: `unix:${join(this.#sockets.folder, 'control.sock')}`,
      started_at: new Date().toISOString(),
      nodes: [],
      links: [],
      runs: [],
    };
    this.#record = new LabRecord(options.folder, state, (error) => this.#lose(error));
    this.#states = new NodeStates(this.#record, this.#running, this.#sockets);
    this.#watch = new StoppedWatch(
      () =>
        [...this.#running].flatMap(([name, { main }]) =>
          main === undefined ? [] : [[name, main.pid] as const],
        ),
      () => this.#stallTimeoutMs,
      {
        onStopped: (name) => this.#mark(name, 'stalled', 'is stopped'),
        onResumed: (name) => this.#mark(name, 'ready', 'goes on again'),
        onLost: (name, pid, seconds) => {
          this.#mark(name, 'lost', `stopped for ${seconds} s`);
          this.#lose(
            new NodeFault(
              `node ${name} (process ${pid}) has been stopped for ${seconds} s; the lab is incomplete`,
            ),
          );
        },
      },
    );
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

  /** A swap, which takes effect at once: the back end of a guest is replaced under it. */
  async addEvent(eventJson: string, dryRun: boolean): Promise<string[]> {
    if (this.#changing) throw new Error('another change of the lab is under way');
    const { guest, to } = readSwap(eventJson);
    const { from, lab } = planSwap(this.#present, guest, to);
    const lines = [`start ${to} (backend)`, `stop ${from} (backend)`];
    demandAdmission(await admitReal(lab, thisMachine(), new Set([to])));
    if (dryRun) return lines;
    this.#changing = true;
    try {
      for (const line of lines) this.events.add('action', this.state.name, line);
      const interruptedMs = await this.#swap(from, to, lab);
      const detail = `${to} in place of ${from}, rings at rest for ${interruptedMs} ms`;
      this.events.add('lab', this.state.name, 'swapped', detail);
      return [...lines, detail];
    } catch (error) {
      // the guests have kept their back end
      if (error instanceof UsageError) throw error;
      const cause = this.#lost.signal.aborted ? this.#lost.signal.reason : error;
      await this.#close('failed', cause as Error);
      throw cause;
    } finally {
      this.#changing = false;
    }
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
      rmSync(this.#sockets.folderOf(name), { recursive: true, force: true });
    }
    this.#present = real;
    this.#record.set('starting', false);
    const starting = new Set(plan.start.map(({ name }) => name));
    for (const link of real.links) if (starting.has(link.front.node)) this.#sockets.forget(link);
    for (const node of plan.start) this.#make(node, real);
    this.#states.describe(real);
    for (const step of startOrder(plan.start, real)) {
      await this.#all(step, async ({ name }) => {
        await this.#node(name).start(stop);
        this.#mark(name, 'listening');
      });
    }
    await this.#all(plan.start, ({ name }) => this.#node(name).join(stop));
    this.#watch.start();
    // those that stayed have lost nobody: whoever is joined to one that was started anew was started anew as well
    await this.#all(plan.start, ({ name }) => this.#ready(name, real, stop));
  }

  /**
   * Starts `to`, and when it listens ends `from` and gives its sockets to `to`: front ends connect again and start their rings
   * where the used index stands. Answers the milliseconds from the end of `from` until all rings are started.
   */
  async #swap(from: string, to: string, lab: RealLab): Promise<number> {
    const stop = this.#lost.signal;
    const links = lab.links.filter(({ back }) => back.node === to);
    const own = new Map(links.map((link) => [link, this.#sockets.successorOf(link)]));
    const next = lab.nodes.find(({ name }) => name === to) as RealNode;
    const devices = devicesOf(to, lab, (link) => own.get(link) as string);
    this.#make(next, lab, devices);
    await this.#node(to).start(stop);
    const problem = swapProblem(
      from,
      this.#node(from),
      to,
      this.#node(to),
      links.map(({ front }) => this.#node(front.node)),
    );
    if (problem !== undefined) {
      await this.#node(to).end(false);
      this.#running.delete(to);
      throw new UsageError(problem);
    }
    this.#present = lab;
    this.#mark(to, 'listening');
    const startedMs = performance.now();
    await this.#node(from).end(false);
    this.#running.delete(from);
    for (const [link, path] of own) renameSync(path, this.#sockets.pathOf(link));
    await this.#ready(to, lab, stop);
    const interruptedMs = Math.round(performance.now() - startedMs);
    this.#states.describe(lab);
    for (const { front } of links) this.#states.meet(front.node, lab);
    this.#record.save();
    return interruptedMs;
  }

  async #ready(name: string, real: RealLab, stop: AbortSignal): Promise<void> {
    const how = await this.#node(name).ready(stop);
    this.#states.meet(name, real);
    this.#mark(name, 'ready', how);
  }

  /** Does a step for all nodes at once. When one fails the others are stopped; resolves or throws when none goes on. */
  async #all(nodes: readonly RealNode[], step: (node: RealNode) => Promise<unknown>): Promise<void> {
    await Promise.all(nodes.map((node) => step(node).catch((error: unknown) => this.#lose(error as Error))));
    this.#lost.signal.throwIfAborted();
  }

  #make(
    node: RealNode,
    real: RealLab,
    devices = devicesOf(node.name, real, (link) => this.#sockets.pathOf(link)),
  ): void {
    const { folder, vhostlab } = this.#options;
    const { name } = node;
    mkdirSync(this.#sockets.folderOf(name), { recursive: true, mode: 0o700 });
    mkdirSync(folder.file('nodes'), { recursive: true, mode: 0o700 });
    const running = makeNode(node, {
      name,
      number: real.nodes.indexOf(node),
      folder: this.#sockets.folderOf(name),
      log: folder.file('nodes', `${name}.log`),
      devices,
      allowedCpus: thisMachine().cpus,
      vhostlab,
      onProcess: (program) => this.#onProcess(name, program),
    });
    this.#running.set(name, running);
  }

  #onProcess(name: string, program: NodeProcess): void {
    void program.ended.then(() => {
      if (program.isEnding) return;
      this.#mark(name, 'lost', program.howEnded);
      this.#lose(
        new NodeFault(`node ${program.fault(`${program.howEnded}; the lab is incomplete`).message}`),
      );
    });
    this.#states.started(name);
  }

  /** Asks for the runs of the lab, in the background. */
  #ask(real: RealLab): void {
    const asks = real.nodes.flatMap(({ name }): Ask[] => {
      const node = this.#running.get(name);
      if (node === undefined) return [];
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

  #mark(name: string, to: NodeState['state'], detail?: string): void {
    if (this.#closing === undefined) this.#states.mark(name, to, detail);
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
    this.#watch.stop();
    // whoever waits for a node to come up stops waiting
    const reason = error ?? new DOMException('ended by vhostlab lab down', 'AbortError');
    this.#asking?.stop.abort(reason);
    this.#lost.abort(reason);
    const isLost = error !== undefined;
    if (isLost) await Promise.all([...this.#running.values()].map((node) => node.end(true)));
    else for (const { name } of this.#ordered()) await this.#node(name).end(false);
    rmSync(this.#sockets.folder, { recursive: true, force: true });
    await this.#reaper.end();
    this.#record.close(phase, error);
    this.#end(error);
  }

  #node(name: string): RunningNode {
    return this.#running.get(name) as RunningNode;
  }
}

function realOf({ description }: WantedLab): RealLab {
  if (description.real === undefined) throw otherClock(description.name);
  return description.real;
}
