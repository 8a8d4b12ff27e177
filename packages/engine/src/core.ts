import {
  BARRIER,
  type CoreContext,
  type CoreModule,
  type CorePlan,
  DONE,
  HOLD,
  IDLE,
  type Procedure,
  type Ps,
  type Task,
  type TaskResult,
  type Ticket,
} from './api.ts';
import type { ChannelControlEnd } from './control-end.ts';
import { CoreBase, type CoreSurroundings } from './core-base.ts';
import type { ChannelLinkEnd } from './link-end.ts';
import type { Reader } from './mailbox.ts';
import type { VirtualMemoryEnd } from './memory-end.ts';
import { VirtualMeter } from './meter.ts';
import { OPS } from './ops.ts';
import { ProcedureTask } from './procedure-task.ts';
import { CoreRecorder, type LogWriter } from './recorder.ts';
import { EngineTicket } from './ticket.ts';
import { type CoreTimeline, TimelineRecorder } from './timeline.ts';

const BUDGET = 64;
/** Looks in a row of a core whose idle runs take time; then it parks. */
const LOOK_LIMIT = 8;
const SPIN_LIMIT = 100_000;
/** Counters of this name count from the start of the run. */
const SETUP = 'setup.';
const NEVER = Number.POSITIVE_INFINITY;

/** What a core of the virtual clock is made of besides its plan. */
export interface VirtualSurroundings extends CoreSurroundings {
  log: LogWriter;
  stride: number;
  /** Length of the spans of a timeline; absent: none is kept. */
  timelineSpanPs?: Ps;
  /** Called when the moment of the core's next run moved closer. */
  sooner(atPs: Ps): void;
}

/** What a core counted, as plain data. */
export interface CoreStatistics {
  id: string;
  service: string;
  mode: CorePlan['mode'];
  account: CorePlan['account'];
  /** Time spent in runs since `accountFromPs`; a poller's parked polls are not in it. */
  busyPs: Ps;
  /** Time of runs that found something to do. */
  usefulPs: Ps;
  runs: number;
  /** Time of barriers, in busyPs. */
  barrierPs: Ps;
  ops: Record<string, { count: number; bytes: number; ps: Ps }>;
  counters: Record<string, number>;
  results: Record<string, unknown>;
  /** In runs that keep one. */
  timeline?: CoreTimeline;
}

/** One thread of execution on the virtual clock. Work on it is serial; its state is its tasks'. */
export class VirtualCore extends CoreBase implements CoreContext, Reader {
  readonly meter: VirtualMeter;
  readonly recorder: CoreRecorder;
  nowPs: Ps = 0;
  startPs: Ps = 0;
  /** Moment of the next run; Infinity while parked without anything to come. */
  nextPs: Ps = NEVER;
  readonly #around: VirtualSurroundings;
  readonly #tasks: Task[] = [];
  readonly #taskNames: number[] = [];
  readonly #memory: VirtualMemoryEnd[] = [];
  readonly #links: ChannelLinkEnd[] = [];
  readonly #controls: ChannelControlEnd[] = [];
  readonly #wakeOp: number;
  /** Name of runs without a task: creation, and arrivals while nothing else is to be done. */
  readonly #syncName: number;
  #taskIndex = 0;
  #idle = 0;
  #parked = true;
  #parkPs: Ps = 0;
  #periodPs: Ps = 0;
  #roundPs: Ps = 0;
  #timerPs: Ps = NEVER;
  #held: Ticket | undefined;
  #spins = 0;
  #looks = 0;
  #lastStartPs: Ps = -1;
  #usefulPs: Ps = 0;
  #busyPs: Ps = 0;
  #barrierPs: Ps = 0;
  #runs = 0;
  #accounting = false;
  readonly #accountFromPs: Ps;
  readonly #timeline: TimelineRecorder | undefined;

  constructor(plan: CorePlan, around: VirtualSurroundings, accountFromPs: Ps) {
    super(plan, around);
    this.#around = around;
    this.#accountFromPs = accountFromPs;
    this.meter = new VirtualMeter(around.profile, this);
    this.recorder = new CoreRecorder(around.log, plan.id, around.stride, this);
    this.#syncName = this.recorder.stage('core');
    this.#wakeOp = plan.wakeOp === undefined ? -1 : this.op(plan.wakeOp);
    const { timelineSpanPs } = around;
    this.#timeline =
      timelineSpanPs === undefined ? undefined : new TimelineRecorder(timelineSpanPs, this.meter.counts);
  }

  attachMemory(name: string, end: VirtualMemoryEnd): void {
    this.#memory.push(end);
    this.setEnd(name, end);
    end.in.reader = this;
  }

  attachLink(name: string, end: ChannelLinkEnd): void {
    this.#links.push(end);
    this.setEnd(name, end);
    end.in.reader = this;
    end.out.sender = this;
  }

  attachControl(name: string, end: ChannelControlEnd): void {
    this.#controls.push(end);
    this.setEnd(name, end);
    end.in.reader = this;
  }

  /** Makes the core's tasks from its module and lets it run for the first time, at moment 0. */
  start(module: CoreModule, config: unknown): void {
    this.recorder.begin(this.#syncName, 0);
    module.create(this, config as never);
    this.recorder.end(0, DONE, false);
    this.#parked = false;
    this.nextPs = 0;
  }

  now(): Ps {
    return this.nowPs;
  }

  stage(name: string): number {
    return this.recorder.stage(name);
  }

  addTask(task: Task): void {
    this.#tasks.push(task);
    this.#taskNames.push(this.recorder.stage(task.name));
    this.#idle = 0;
  }

  spawn(name: string, procedure: Procedure): void {
    this.addTask(new ProcedureTask(name, procedure, this, (task) => this.#remove(task)));
  }

  wakeAt(atPs: Ps): void {
    if (atPs < this.#timerPs) this.#timerPs = atPs;
  }

  delay(atPs: Ps): Ticket {
    return new EngineTicket(false, atPs);
  }

  holdOn(ticket: Ticket): void {
    this.#held = ticket;
  }

  arriving(atPs: Ps, wakes: boolean): void {
    if (this.#held !== undefined) {
      const at = atPs > this.nowPs ? atPs : this.nowPs;
      if (at < this.nextPs) this.#setNext(at);
      return;
    }
    if (!this.#parked || (!wakes && this.plan.mode !== 'poll')) return;
    const at = this.#boundary(atPs);
    if (at < this.nextPs) this.#setNext(at);
  }

  /** Runs one task once at `nextPs`. */
  step(): void {
    const from = this.nextPs;
    if (from > this.nowPs) {
      if (this.#held !== undefined) this.#busyPs += from - this.nowPs;
      this.nowPs = from;
    }
    if (this.nowPs > this.#lastStartPs) {
      this.#lastStartPs = this.nowPs;
      this.#spins = 0;
    } else if (++this.#spins > SPIN_LIMIT) {
      throw new Error(`core ${this.id}: ${SPIN_LIMIT} runs in a row took no time (at ${this.nowPs} ps)`);
    }
    if (!this.#accounting && this.nowPs >= this.#accountFromPs) this.#startAccounting();
    const startPs = this.nowPs;
    this.startPs = startPs;
    if (this.nowPs >= this.#timerPs) this.#timerPs = NEVER;
    if (this.#parked) {
      this.#parked = false;
      this.#idle = 0;
      if (this.#wakeOp >= 0) this.meter.charge(this.#wakeOp, 1, 0);
    }
    // what arrives may be recorded by its handlers, so the run's record is opened before
    this.recorder.begin(this.#taskNames[this.#taskIndex] ?? this.#syncName, startPs);
    if (this.#sync()) this.#idle = 0;
    if (this.#held !== undefined) {
      if (!this.#held.done && this.#held.atPs <= this.nowPs) (this.#held as EngineTicket).complete(0);
      if (!this.#held.done) {
        this.recorder.end(startPs, HOLD, false);
        this.nextPs = this.#earliest(false);
        return;
      }
      this.#held = undefined;
    }
    if (this.#tasks.length === 0) {
      this.recorder.end(startPs, IDLE, false);
      if (!this.#looksAgain()) this.#park();
      return;
    }
    if (this.#idle === 0) this.#roundPs = startPs;
    const task = this.#tasks[this.#taskIndex];
    const result = task.run(BUDGET);
    for (let i = 0; i < this.#links.length; i++) this.#links[i].flushCredits();
    this.recorder.end(startPs, result, result !== IDLE);
    this.#runs++;
    this.#after(result);
    this.#busyPs += this.nowPs - startPs;
    this.#timeline?.add(startPs, this.nowPs);
    if (result !== IDLE) this.#usefulPs += this.nowPs - startPs;
  }

  statistics(): CoreStatistics {
    // a core that nothing has woken since then did its set-up and no more, which is not counted
    const counted = this.#accounting;
    const ops: CoreStatistics['ops'] = {};
    OPS.forEach(({ op }, i) => {
      if (!counted || this.meter.counts[i] === 0) return;
      ops[op] = { count: this.meter.counts[i], bytes: this.meter.bytes[i], ps: this.meter.spentPs[i] };
    });
    const counters: Record<string, number> = {};
    for (const [name, counter] of this.counters) {
      counters[name] = counted || name.startsWith(SETUP) ? counter.value : 0;
    }
    const { service, mode, account } = this.plan;
    return {
      id: this.id,
      service,
      mode,
      account,
      busyPs: counted ? this.#busyPs : 0,
      usefulPs: counted ? this.#usefulPs : 0,
      runs: counted ? this.#runs : 0,
      barrierPs: counted ? this.#barrierPs : 0,
      ops,
      counters,
      results: this.collected(),
      ...(this.#timeline === undefined ? {} : { timeline: this.#timeline.result() }),
    };
  }

  #after(result: TaskResult): void {
    if (result === DONE) {
      this.#idle = 0;
      this.#nextTask();
      this.nextPs = this.nowPs;
    } else if (result === IDLE) {
      this.#nextTask();
      this.#idle++;
      if (this.#idle < this.#tasks.length) this.nextPs = this.nowPs;
      else if (this.#looksAgain()) this.#idle--;
      else this.#park();
    } else if (result === BARRIER) {
      this.#idle = 0;
      let visible = this.nowPs;
      for (let i = 0; i < this.#memory.length; i++) {
        const at = this.#memory[i].lastVisiblePs;
        if (at > visible) visible = at;
      }
      this.#barrierPs += visible - this.nowPs;
      this.nowPs = visible;
      this.nextPs = visible;
    } else if (result === HOLD) {
      this.#idle = 0;
      if (this.#held === undefined) throw new Error(`core ${this.id}: HOLD without a ticket`);
      this.nextPs = this.#earliest(false);
    }
  }

  /**
   * A core that pays for waking up does not park at the end of a run that took time: what came meanwhile may not be known
   * yet, which depends on who shares the process. It looks once more at the moment that it has reached.
   */
  #looksAgain(): boolean {
    if (this.#wakeOp < 0 || this.nowPs === this.startPs || this.#looks === LOOK_LIMIT) {
      this.#looks = 0;
      return false;
    }
    this.#looks++;
    this.nextPs = this.nowPs;
    return true;
  }

  #nextTask(): void {
    this.#taskIndex++;
    if (this.#taskIndex >= this.#tasks.length) this.#taskIndex = 0;
  }

  #park(): void {
    const at = Math.min(this.#timerPs, this.#earliest(this.plan.mode !== 'poll'));
    if (at <= this.nowPs) {
      this.#idle = 0;
      this.nextPs = this.nowPs;
      return;
    }
    this.#parked = true;
    this.#parkPs = this.nowPs;
    this.#periodPs = this.plan.mode === 'poll' ? this.nowPs - this.#roundPs : 0;
    this.nextPs = at === NEVER ? NEVER : this.#boundary(at);
  }

  /** First moment, not before `atPs`, at which a parked core looks. */
  #boundary(atPs: Ps): Ps {
    if (atPs <= this.#parkPs) return this.#parkPs;
    if (this.#periodPs === 0) return atPs;
    return this.#parkPs + Math.ceil((atPs - this.#parkPs) / this.#periodPs) * this.#periodPs;
  }

  #earliest(wakingOnly: boolean): Ps {
    let at = NEVER;
    for (let i = 0; i < this.#memory.length; i++) {
      const box = this.#memory[i].in;
      const t = wakingOnly ? box.firstWakingPs() : box.firstPs();
      if (t < at) at = t;
    }
    for (let i = 0; i < this.#controls.length; i++) {
      const t = this.#controls[i].in.firstPs();
      if (t < at) at = t;
    }
    if (this.#held !== undefined) {
      if (this.#held.atPs < at) at = this.#held.atPs;
      return at > this.nowPs ? at : this.nowPs;
    }
    for (let i = 0; i < this.#links.length; i++) {
      const link = this.#links[i];
      let t = link.listens ? link.nextPs() : NEVER;
      if (t < at) at = t;
      t = link.creditPs();
      if (t < at) at = t;
    }
    return at;
  }

  #sync(): boolean {
    let woken = false;
    // not what comes while the core wakes up: that depends on which runs of others were executed before
    const now = this.startPs;
    for (let i = 0; i < this.#memory.length; i++) {
      const end = this.#memory[i];
      if (end.in.head === end.in.tail) continue;
      if (end.in.atPs[end.in.head & end.in.mask] > now) continue;
      if (end.sync(now) || this.plan.mode === 'poll') woken = true;
    }
    for (let i = 0; i < this.#controls.length; i++) {
      const end = this.#controls[i];
      if (end.in.head !== end.in.tail && end.sync(now)) woken = true;
    }
    return woken;
  }

  #setNext(atPs: Ps): void {
    this.nextPs = atPs;
    this.#around.sooner(atPs);
  }

  #remove(task: Task): void {
    const at = this.#tasks.indexOf(task);
    this.#tasks.splice(at, 1);
    this.#taskNames.splice(at, 1);
    // the run that removed it is followed by the step to the next task
    this.#taskIndex = (at - 1 + this.#tasks.length) % Math.max(1, this.#tasks.length);
  }

  #startAccounting(): void {
    this.#accounting = true;
    this.meter.reset();
    this.#timeline?.restart();
    this.#busyPs = 0;
    this.#usefulPs = 0;
    this.#barrierPs = 0;
    this.#runs = 0;
    for (const [name, counter] of this.counters) if (!name.startsWith(SETUP)) counter.value = 0;
  }
}
