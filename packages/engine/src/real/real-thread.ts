import type { Arena } from '@vhostlab/memory';
import type { ControlEnd, LinkEnd, Ps, Ticket } from '../api.ts';
import type { ComponentPlan, EndPlan } from '../component.ts';
import { ChannelControlEnd } from '../control-end.ts';
import { ChannelLinkEnd, FrameQueue } from '../link-end.ts';
import { Mailbox, NOTIFY } from '../mailbox.ts';
import type { CompiledProfile } from '../meter.ts';
import type { ModuleRegistry } from '../runtime.ts';
import { RealClock } from './real-clock.ts';
import { RealCore, type RealCoreStatistics, type RealSurroundings } from './real-core.ts';
import { RealMemoryEnd } from './real-memory-end.ts';

/** What a thread on the real clock stands on. Everything that touches the system is given to it. */
export interface ThreadSurroundings {
  /** Memory of everything on this thread; cores take theirs from it. */
  arena: Arena;
  /** Constants for the components; its costs are not used. */
  profile: CompiledProfile;
  /** Seed of `CoreContext.random`. Default 1. */
  seed?: number;
  /** A monotonic clock, in picoseconds. */
  readPs(): Ps;
  /** Arena offset of a window that exists already; undefined: the thread takes memory for it. */
  window?(id: string): number | undefined;
  /** Tells the other side of a memory channel, which is outside of this thread. */
  notify?(channel: string, vector: number): void;
  /** The end of a link whose other side is outside of this thread. */
  link?(channel: string): LinkEnd;
}

const FRAMES = 1024;
const FRAME_BYTES = 2048;

/**
 * Several cores on one thread, turn by turn: components that were written for the virtual clock, from the same plans.
 * A channel with both ends here joins them; the other side of one with a single end is outside: an injected port (link),
 * an injected notification (memory), or the caller (control).
 */
export class RealThread {
  readonly clock: RealClock;
  readonly #around: ThreadSurroundings;
  readonly #cores: RealCore[] = [];
  readonly #byId = new Map<string, RealCore>();
  readonly #windows = new Map<string, number>();
  readonly #memory = new Map<string, Mailbox>();
  readonly #controls = new Map<string, ChannelControlEnd>();
  readonly #links = new Map<string, RealCore>();

  constructor(components: readonly ComponentPlan[], modules: ModuleRegistry, around: ThreadSurroundings) {
    this.#around = around;
    this.clock = new RealClock(() => around.readPs());
    for (const { windows } of components) for (const { id, bytes } of windows) this.#addWindow(id, bytes);
    const surroundings: RealSurroundings = {
      arena: around.arena,
      profile: around.profile,
      seed: around.seed ?? 1,
      window: (id) => this.#window(id),
      clock: this.clock,
    };
    for (const { cores } of components) {
      for (const plan of cores) {
        const core = new RealCore(plan, surroundings);
        if (this.#byId.has(plan.id)) throw new Error(`two components both define core ${plan.id}`);
        this.#byId.set(plan.id, core);
        this.#cores.push(core);
      }
    }
    const channels = new Map<string, EndPlan[]>();
    for (const end of components.flatMap(({ ends }) => ends)) {
      const known = channels.get(end.channel);
      if (known === undefined) channels.set(end.channel, [end]);
      else known.push(end);
    }
    for (const [id, ends] of channels) this.#connect(id, ends);
    for (const core of this.#cores) {
      const module = modules.get(core.plan.module);
      if (module === undefined) throw new Error(`core ${core.id}: no core module named ${core.plan.module}`);
      core.start(module, structuredClone(core.plan.config));
    }
  }

  /** Gives every core one turn; false when all of them sleep. @hot */
  turn(): boolean {
    const cores = this.#cores;
    let isAwake = false;
    for (let i = 0; i < cores.length; i++) {
      this.clock.advance();
      if (cores[i].turn()) isAwake = true;
    }
    // a core may have sent to one that had its turn before
    for (let i = 0; i < cores.length && !isAwake; i++) isAwake = cores[i].isDue;
    return isAwake;
  }

  /** Moment at which the first of the sleeping cores wants to be woken; Infinity when only an arrival wakes them. */
  wakesPs(): Ps {
    return this.#cores.reduce((at, core) => Math.min(at, core.wakesPs), Number.POSITIVE_INFINITY);
  }

  /**
   * Runs turns until `isOver` says so, which is asked before each. When every core sleeps, `sleep` waits: up to the
   * moment given (Infinity: no limit), or until something has arrived.
   */
  run(isOver: () => boolean, sleep: (untilPs: Ps) => void): void {
    while (!isOver()) if (!this.turn()) sleep(this.wakesPs());
  }

  /** Runs turns until a ticket is done. Throws after `maxTurns`: a component of ours does not answer. */
  settle(ticket: Ticket, maxTurns = 100_000): Ticket {
    for (let turns = 0; !ticket.done; turns++) {
      if (turns === maxTurns) throw new Error(`no answer within ${maxTurns} turns of the thread`);
      this.turn();
      for (const end of this.#controls.values()) end.sync(this.clock.nowPs);
    }
    return ticket;
  }

  /** A notification of the other side of memory channel `channel`, which is outside. */
  notified(channel: string, vector: number): void {
    const box = this.#memory.get(channel);
    if (box === undefined)
      throw new Error(`memory channel ${channel} has no other side outside of this thread`);
    box.push(this.clock.nowPs, NOTIFY, vector, 0);
  }

  /** Frames may have arrived on link `channel`, whose other side is outside. */
  arrived(channel: string): void {
    const core = this.#links.get(channel);
    if (core === undefined) throw new Error(`link ${channel} has no other side outside of this thread`);
    core.arriving(0, true);
  }

  /** The caller's end of a control channel whose other side is here. Tickets of its requests are for `settle`. */
  control(channel: string): ControlEnd {
    const end = this.#controls.get(channel);
    if (end === undefined)
      throw new Error(`control channel ${channel} has no other side outside of this thread`);
    return end;
  }

  core(id: string): RealCore {
    const core = this.#byId.get(id);
    if (core === undefined) throw new Error(`no core named ${id}`);
    return core;
  }

  statistics(): RealCoreStatistics[] {
    return this.#cores.map((core) => core.statistics());
  }

  #addWindow(id: string, bytes: number): void {
    const at = this.#around.window?.(id) ?? this.#around.arena.alloc(bytes, 4096);
    this.#windows.set(id, at);
  }

  #window(id: string): number {
    const at = this.#windows.get(id) ?? this.#around.window?.(id);
    if (at === undefined) throw new Error(`no memory window named ${id}`);
    return at;
  }

  #connect(channel: string, ends: readonly EndPlan[]): void {
    const [first, second] = ends;
    if (ends.length > 2 || second?.side === first.side) {
      throw new Error(`channel ${channel}: two ends claim side ${first.side}`);
    }
    if (second !== undefined && second.kind !== first.kind) {
      throw new Error(`channel ${channel}: ends disagree (${first.kind}, ${second.kind})`);
    }
    if (first.kind === 'memory') this.#connectMemory(channel, first, second);
    else if (first.kind === 'control') this.#connectControl(channel, first, second);
    else this.#connectLink(channel, first, second);
  }

  #connectMemory(channel: string, first: EndPlan, second: EndPlan | undefined): void {
    const { arena } = this.#around;
    const to = new Mailbox(0);
    if (second === undefined) {
      const notifyFar = (vector: number): void => this.#around.notify?.(channel, vector);
      this.core(first.core).attachMemory(
        first.end,
        new RealMemoryEnd(arena, this.clock, { in: to, notifyFar }),
      );
      this.#memory.set(channel, to);
      return;
    }
    const from = new Mailbox(0);
    const near = new RealMemoryEnd(arena, this.clock, { in: to, out: from });
    const far = new RealMemoryEnd(arena, this.clock, { in: from, out: to });
    this.core(first.core).attachMemory(first.end, near);
    this.core(second.core).attachMemory(second.end, far);
  }

  #connectControl(channel: string, first: EndPlan, second: EndPlan | undefined): void {
    const to = new Mailbox(0);
    const from = new Mailbox(0);
    const near = new ChannelControlEnd(channel, this.clock, from, to);
    const far = new ChannelControlEnd(channel, this.clock, to, from);
    this.core(first.core).attachControl(first.end, near);
    if (second === undefined) this.#controls.set(channel, far);
    else this.core(second.core).attachControl(second.end, far);
  }

  #connectLink(channel: string, first: EndPlan, second: EndPlan | undefined): void {
    const core = this.core(first.core);
    if (second === undefined) {
      const end = this.#around.link?.(channel);
      if (end === undefined) throw new Error(`link ${channel}: ${first.core}/${first.end} has no other end`);
      core.attachLink(first.end, end);
      this.#links.set(channel, core);
      return;
    }
    const farCore = this.core(second.core);
    const capacity = first.capacity ?? second.capacity ?? FRAMES;
    const bufferBytes = first.bufferBytes ?? second.bufferBytes ?? capacity * FRAME_BYTES;
    const queue = (): FrameQueue => new FrameQueue(this.#around.arena, capacity, bufferBytes, 0);
    const [forward, back] = [queue(), queue()];
    core.attachLink(first.end, new ChannelLinkEnd(this.clock, forward, back));
    farCore.attachLink(second.end, new ChannelLinkEnd(this.clock, back, forward));
  }
}
