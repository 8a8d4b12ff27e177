import {
  BARRIER,
  type CoreContext,
  type CoreModule,
  type CorePlan,
  DONE,
  HOLD,
  IDLE,
  type LinkEnd,
  type Procedure,
  type Ps,
  type Task,
  type Ticket,
} from '../api.ts';
import type { ChannelControlEnd } from '../control-end.ts';
import { CoreBase, type CoreSurroundings } from '../core-base.ts';
import { ChannelLinkEnd } from '../link-end.ts';
import type { Reader } from '../mailbox.ts';
import { ProcedureTask } from '../procedure-task.ts';
import { CoreRecorder, LogWriter } from '../recorder.ts';
import { EngineTicket } from '../ticket.ts';
import { CountingMeter } from './counting-meter.ts';
import type { RealClock } from './real-clock.ts';
import type { RealMemoryEnd } from './real-memory-end.ts';

const BUDGET = 64;
const NEVER = Number.POSITIVE_INFINITY;

/** What a core of the real clock is made of besides its plan. */
export interface RealSurroundings extends CoreSurroundings {
  clock: RealClock;
}

/** What a core counted on the real clock. Its operations have no times: they are measured from outside. */
export interface RealCoreStatistics {
  id: string;
  service: string;
  mode: CorePlan['mode'];
  /** Runs of tasks, and those that found something to do. */
  runs: number;
  usefulRuns: number;
  ops: Record<string, { count: number; bytes: number }>;
  counters: Record<string, number>;
  results: Record<string, unknown>;
}

/**
 * One core on the real clock. Its thread gives it turns; in each what has arrived is delivered and one task runs once.
 * `poll` cores are always awake, others sleep when all of their tasks have answered IDLE in a row, until something
 * arrives or their timer is due.
 */
export class RealCore extends CoreBase implements CoreContext, Reader {
  readonly meter = new CountingMeter();
  readonly recorder: CoreRecorder;
  readonly #clock: RealClock;
  readonly #polls: boolean;
  readonly #tasks: Task[] = [];
  readonly #memory: RealMemoryEnd[] = [];
  readonly #controls: ChannelControlEnd[] = [];
  readonly #links: LinkEnd[] = [];
  readonly #queues: ChannelLinkEnd[] = [];
  readonly #fence = new Int32Array(new SharedArrayBuffer(4));
  #task = 0;
  #idle = 0;
  #parked = false;
  /** Something arrived since the last turn. */
  #due = false;
  #timerPs: Ps = NEVER;
  #held: Ticket | undefined;
  #runs = 0;
  #usefulRuns = 0;

  constructor(plan: CorePlan, surroundings: RealSurroundings) {
    super(plan, surroundings);
    this.#clock = surroundings.clock;
    this.#polls = plan.mode === 'poll';
    this.recorder = new CoreRecorder(new LogWriter(), plan.id, 0, surroundings.clock);
  }

  attachMemory(name: string, end: RealMemoryEnd): void {
    this.#memory.push(end);
    this.setEnd(name, end);
    end.in.reader = this;
  }

  attachControl(name: string, end: ChannelControlEnd): void {
    this.#controls.push(end);
    this.setEnd(name, end);
    end.in.reader = this;
  }

  attachLink(name: string, end: LinkEnd): void {
    this.#links.push(end);
    this.setEnd(name, end);
    if (!(end instanceof ChannelLinkEnd)) return;
    this.#queues.push(end);
    end.in.reader = this;
    end.out.sender = this;
  }

  /** Makes the core's tasks from its module. */
  start(module: CoreModule, config: unknown): void {
    module.create(this, config as never);
  }

  now(): Ps {
    return this.#clock.nowPs;
  }

  stage(name: string): number {
    return this.recorder.stage(name);
  }

  addTask(task: Task): void {
    this.#tasks.push(task);
    this.#idle = 0;
    this.#parked = false;
  }

  spawn(name: string, procedure: Procedure): void {
    this.addTask(new ProcedureTask(name, procedure, this, (task) => this.#remove(task)));
  }

  wakeAt(atPs: Ps): void {
    if (!this.#polls && atPs < this.#timerPs) this.#timerPs = atPs;
  }

  delay(atPs: Ps): Ticket {
    return new EngineTicket(false, atPs);
  }

  holdOn(ticket: Ticket): void {
    this.#held = ticket;
  }

  arriving(_atPs: Ps, _wakes: boolean): void {
    this.#due = true;
  }

  /** Something has arrived and waits for the next turn. */
  get isDue(): boolean {
    return this.#due;
  }

  /** Moment at which a sleeping core wants to be woken; Infinity when nothing but an arrival wakes it. */
  get wakesPs(): Ps {
    return this.#timerPs;
  }

  /** Gives the core its turn; false when it sleeps. @hot */
  turn(): boolean {
    if (this.#due) this.#deliver();
    else if (this.#parked && !this.#isTimerDue()) return false;
    if (this.#held !== undefined && !this.#isReleased(this.#held)) return true;
    if (this.#tasks.length === 0) return !this.#park();
    const result = this.#tasks[this.#task].run(BUDGET);
    for (let i = 0; i < this.#queues.length; i++) this.#queues[i].flushCredits();
    this.#runs++;
    if (result === IDLE) {
      this.#nextTask();
      return ++this.#idle < this.#tasks.length || this.#polls || !this.#park();
    }
    this.#usefulRuns++;
    this.#idle = 0;
    if (result === DONE) this.#nextTask();
    // the task runs again in the next turn; what it published is visible and what it reads then is fresh
    else if (result === BARRIER) Atomics.add(this.#fence, 0, 1);
    else if (result === HOLD && this.#held === undefined) {
      throw new Error(`core ${this.id}: HOLD without a ticket`);
    }
    return true;
  }

  statistics(): RealCoreStatistics {
    const { id, service, mode } = this.plan;
    return {
      id,
      service,
      mode,
      runs: this.#runs,
      usefulRuns: this.#usefulRuns,
      ops: this.meter.totals(),
      counters: Object.fromEntries(Array.from(this.counters, ([name, { value }]) => [name, value])),
      results: this.collected(),
    };
  }

  #deliver(): void {
    this.#due = false;
    this.#parked = false;
    this.#idle = 0;
    for (let i = 0; i < this.#memory.length; i++) this.#memory[i].sync();
    for (let i = 0; i < this.#controls.length; i++) this.#controls[i].sync(this.#clock.nowPs);
  }

  /** Wakes the core when its timer is due. */
  #isTimerDue(): boolean {
    if (this.#timerPs === NEVER || this.#timerPs > this.#clock.nowPs) return false;
    this.#timerPs = NEVER;
    this.#parked = false;
    this.#idle = 0;
    return true;
  }

  #isReleased(held: Ticket): boolean {
    if (!held.done) {
      if (held.atPs === NEVER || held.atPs > this.#clock.nowPs) return false;
      (held as EngineTicket).complete(0);
    }
    this.#held = undefined;
    return true;
  }

  /** Goes to sleep; false when there is something to do after all. */
  #park(): boolean {
    this.#idle = 0;
    if (this.#due || this.#isTimerDue()) return false;
    for (let i = 0; i < this.#links.length; i++) {
      const link = this.#links[i];
      if (link.listens && link.nextPs() <= this.#clock.nowPs) return false;
    }
    this.#parked = true;
    return true;
  }

  #nextTask(): void {
    this.#task++;
    if (this.#task >= this.#tasks.length) this.#task = 0;
  }

  #remove(task: Task): void {
    const at = this.#tasks.indexOf(task);
    this.#tasks.splice(at, 1);
    // the run that removed it is followed by the step to the next task
    this.#task = (at - 1 + this.#tasks.length) % Math.max(1, this.#tasks.length);
  }
}
