import type { Arena } from '@vhostlab/memory';
import type { ChannelPlan, CoreModule, Ps, RunPlan } from './api.ts';
import { ChannelTap } from './channel-tap.ts';
import { ChannelControlEnd } from './control-end.ts';
import { type CoreStatistics, VirtualCore } from './core.ts';
import { ChannelLinkEnd, FrameQueue } from './link-end.ts';
import { Mailbox } from './mailbox.ts';
import { TagTable, VirtualMemoryEnd } from './memory-end.ts';
import type { CompiledProfile, CoreClock } from './meter.ts';
import { type LogSink, LogWriter } from './recorder.ts';
import { decodeFrames, decodeMessages, encodeFrames, encodeMessages } from './remote.ts';

/** Core modules by name: what a process can instantiate. */
export type ModuleRegistry = ReadonlyMap<string, CoreModule>;

export interface RuntimeOptions {
  plan: RunPlan;
  /** Services whose cores run here; the others are somewhere else. All of them: an embedded run. */
  services: readonly string[];
  modules: ModuleRegistry;
  arena: Arena;
  profile: CompiledProfile;
  /**
   * Explorers of schedules: what adds to the latency of each message on one direction of a memory channel; 0 or more.
   * Nothing overtakes all the same.
   */
  extraLatency?: (channel: string, direction: 'ab' | 'ba') => (() => Ps) | undefined;
  /** Takes this process's part of the event log; none is kept without it. */
  logSink?: LogSink;
}

/** A channel whose other end is in another process. */
type RemoteChannel =
  | { channel: string; kind: 'messages'; out: Mailbox; in: Mailbox }
  | { channel: string; kind: 'frames'; out: FrameQueue; in: FrameQueue };

/** What left this process on one channel since the last time. */
export interface OutgoingBatch {
  channel: string;
  bytes: Uint8Array;
  messages: number;
  /** Moment at which the first of them is visible. */
  firstPs: Ps;
}

const NEVER = Number.POSITIVE_INFINITY;

/**
 * The virtual runtime of one process: always runs the core whose next run is earliest (ties by the order of
 * the plan). Since every channel has a latency, the outcome does not depend on who shares the process.
 */
export class VirtualRuntime {
  readonly log: LogWriter;
  readonly #cores: VirtualCore[] = [];
  readonly #options: RuntimeOptions;
  readonly #windows = new Map<string, number>();
  readonly #remote = new Map<string, RemoteChannel>();
  #soonerPs: Ps = NEVER;
  #runs = 0;
  /** Bytes that left on channels to other processes. */
  sentBytes = 0;

  constructor(options: RuntimeOptions) {
    this.#options = options;
    this.log = new LogWriter(options.logSink);
    const { plan } = options;
    const here = new Set(options.services);
    const byId = new Map<string, VirtualCore>();
    for (const corePlan of plan.cores) {
      if (!here.has(corePlan.service)) continue;
      const core: VirtualCore = new VirtualCore(
        corePlan,
        {
          arena: options.arena,
          profile: options.profile,
          log: this.log,
          seed: plan.seed,
          stride: plan.sampling.stride,
          ...(plan.timelineSpanPs === undefined ? {} : { timelineSpanPs: plan.timelineSpanPs }),
          window: (id) => this.#window(this.#ofInstance(id, corePlan.id), corePlan.service),
          sooner: (atPs) => {
            if (atPs < this.#soonerPs) this.#soonerPs = atPs;
          },
        },
        plan.accountFromPs,
      );
      byId.set(corePlan.id, core);
      this.#cores.push(core);
    }
    for (const channel of plan.channels) this.#connect(channel, byId);
    for (const core of this.#cores) {
      const module = options.modules.get(core.plan.module);
      if (module === undefined) throw new Error(`core ${core.id}: no core module named ${core.plan.module}`);
      core.start(module, structuredClone(core.plan.config));
    }
  }

  /** Moment of the earliest next run here; Infinity when nothing is to be done. */
  nextPs(): Ps {
    let at = NEVER;
    for (const core of this.#cores) if (core.nextPs < at) at = core.nextPs;
    return at;
  }

  /** Runs so far, for progress and benchmarks. */
  get runs(): number {
    return this.#runs;
  }

  /**
   * Executes runs that start before `limitPs`, at most `maxRuns` of them. True when more remain to be done
   * before the limit.
   */
  runUntil(limitPs: Ps, maxRuns = NEVER): boolean {
    const cores = this.#cores;
    const n = cores.length;
    let runs = 0;
    while (runs < maxRuns) {
      let best = -1;
      let bestPs = limitPs;
      let secondPs = limitPs;
      for (let i = 0; i < n; i++) {
        const at = cores[i].nextPs;
        if (at < bestPs) {
          secondPs = bestPs;
          bestPs = at;
          best = i;
        } else if (at < secondPs) secondPs = at;
      }
      if (best < 0) {
        this.#runs += runs;
        return false;
      }
      // the same core goes on while nobody else's run comes first: no need to look at all of them again
      const core = cores[best];
      this.#soonerPs = NEVER;
      do {
        core.step();
        runs++;
      } while (core.nextPs < secondPs && core.nextPs < this.#soonerPs && runs < maxRuns);
    }
    this.#runs += runs;
    return true;
  }

  /** Everything that left for other processes since the last call. */
  takeOutgoing(): OutgoingBatch[] {
    const batches: OutgoingBatch[] = [];
    for (const remote of this.#remote.values()) {
      const batch =
        remote.kind === 'messages' ? encodeMessages(remote.out) : encodeFrames(remote.out, remote.in);
      if (batch === undefined) continue;
      this.sentBytes += batch.bytes.length;
      batches.push({ channel: remote.channel, ...batch });
    }
    return batches;
  }

  /** Delivers a batch that arrived from another process. */
  inject(channel: string, bytes: Uint8Array): void {
    const remote = this.#remote.get(channel);
    if (remote === undefined)
      throw new Error(`a batch arrived for channel ${channel}, which does not end here`);
    if (remote.kind === 'messages') decodeMessages(remote.in, bytes);
    else decodeFrames(remote.in, remote.out, bytes);
  }

  statistics(): CoreStatistics[] {
    return this.#cores.map((core) => core.statistics());
  }

  /** Sum of a counter over the cores here. */
  total(counter: string): number {
    return this.#cores.reduce((sum, core) => sum + core.counterValue(counter), 0);
  }

  /** Moment that the furthest core has reached. */
  reachedPs(): Ps {
    let at = 0;
    for (const core of this.#cores) if (core.nowPs > at) at = core.nowPs;
    return at;
  }

  /** The window that a core means by `id`: that of its instance, where there is one. */
  #ofInstance(id: string, core: string): string {
    const at = core.indexOf('@');
    if (at < 0) return id;
    const own = id + core.slice(at);
    return this.#options.plan.windows.some((window) => window.id === own) ? own : id;
  }

  #window(id: string, service: string): number {
    const plan = this.#options.plan.windows.find((window) => window.id === id);
    if (plan === undefined) throw new Error(`no memory window named ${id}`);
    const key = this.#options.plan.copyMode ? `${id}@${service}` : id;
    let base = this.#windows.get(key);
    if (base === undefined) {
      base = this.#options.arena.alloc(plan.bytes, 4096);
      this.#windows.set(key, base);
    }
    return base;
  }

  #connect(plan: ChannelPlan, cores: Map<string, VirtualCore>): void {
    const { ab, ba } = plan.latencyPs;
    if (!(ab >= 1) || !(ba >= 1))
      throw new Error(`channel ${plan.id}: latency must be at least 1 ps each way`);
    const a = cores.get(plan.a.core);
    const b = cores.get(plan.b.core);
    if (a === undefined && b === undefined) return;
    if (plan.kind === 'link') {
      const forward = this.#frames(plan, ab);
      const back = this.#frames(plan, ba);
      a?.attachLink(plan.a.end, new ChannelLinkEnd(a, forward, back));
      b?.attachLink(plan.b.end, new ChannelLinkEnd(b, back, forward));
      if (a === undefined) {
        this.#remote.set(plan.id, { channel: plan.id, kind: 'frames', out: back, in: forward });
      } else if (b === undefined) {
        this.#remote.set(plan.id, { channel: plan.id, kind: 'frames', out: forward, in: back });
      }
      return;
    }
    const tap = (core: VirtualCore): { tap?: ChannelTap } =>
      this.#options.plan.taps === true
        ? { tap: new ChannelTap(core.recorder, plan.id, (name) => core.stage(name)) }
        : {};
    const extra = plan.kind === 'memory' ? this.#options.extraLatency : undefined;
    const forward = new Mailbox(ab, extra?.(plan.id, 'ab'));
    const back = new Mailbox(ba, extra?.(plan.id, 'ba'));
    if (a === undefined) {
      this.#remote.set(plan.id, { channel: plan.id, kind: 'messages', out: back, in: forward });
    } else if (b === undefined) {
      this.#remote.set(plan.id, { channel: plan.id, kind: 'messages', out: forward, in: back });
    }
    if (plan.kind === 'control') {
      a?.attachControl(plan.a.end, new ChannelControlEnd(plan.id, a, forward, back, tap(a).tap));
      b?.attachControl(plan.b.end, new ChannelControlEnd(plan.id, b, back, forward, tap(b).tap));
      return;
    }
    const replicas =
      a === undefined ||
      b === undefined ||
      plan.deviceWindow !== undefined ||
      (this.#options.plan.copyMode && a.plan.service !== b.plan.service);
    const tagsAB = new TagTable(plan.queueSizes ?? []);
    const tagsBA = new TagTable(plan.queueSizes ?? []);
    // with replicas each end keeps its own table, fed by what travels
    const tagsABAtB = replicas ? new TagTable(plan.queueSizes ?? []) : tagsAB;
    const tagsBAAtA = replicas ? new TagTable(plan.queueSizes ?? []) : tagsBA;
    const make = (
      core: VirtualCore,
      window: string | undefined,
      [out, inbox]: [Mailbox, Mailbox],
      [tagsOut, tagsIn]: [TagTable, TagTable],
    ) =>
      new VirtualMemoryEnd({
        arena: this.#options.arena,
        base: window === undefined ? 0 : this.#window(window, core.plan.service),
        clock: core as CoreClock,
        out,
        in: inbox,
        capture: replicas,
        tagsOut,
        tagsIn,
        ...tap(core),
      });
    a?.attachMemory(plan.a.end, make(a, plan.window, [forward, back], [tagsAB, tagsBAAtA]));
    b?.attachMemory(
      plan.b.end,
      make(b, plan.deviceWindow ?? plan.window, [back, forward], [tagsBA, tagsABAtB]),
    );
  }

  #frames(plan: ChannelPlan, latencyPs: Ps): FrameQueue {
    const capacity = plan.capacity ?? 1024;
    return new FrameQueue(this.#options.arena, capacity, plan.bufferBytes ?? capacity * 2048, latencyPs);
  }
}
