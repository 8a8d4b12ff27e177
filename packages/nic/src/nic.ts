import type { CoreContext, Counter, FrameMeta, Meter, Ps, Recorder } from '@vhostlab/engine';
import type { Arena } from '@vhostlab/memory';
import type { NicConstants } from './constants.ts';
import type { DmaEngine } from './dma/dma.ts';
import { Timers } from './dma/timers.ts';

/** A part of the NIC that goes on at a moment it asked for. */
export interface TimerOwner {
  /** `kind`: 0 to 15, as given to `Nic.later`. */
  due(kind: number, nowPs: Ps): void;
}

const GONE: TimerOwner = {
  due() {
    throw new Error('a part of the NIC that is gone was called');
  },
};

/** What the parts of one NIC share: its core, its clockwork, its DMA engine, its names. */
export class Nic {
  readonly context: CoreContext;
  readonly arena: Arena;
  readonly meter: Meter;
  readonly recorder: Recorder;
  readonly constants: NicConstants;
  readonly dma: DmaEngine;
  readonly ops: Record<
    | 'descRead'
    | 'dmaRead'
    | 'dmaWrite'
    | 'usedWrite'
    | 'interrupt'
    | 'eswitch'
    | 'wireTx'
    | 'wireRx'
    | 'representor'
    | 'insert',
    number
  >;
  readonly stages: Record<
    | 'setup'
    | 'descRead'
    | 'dmaRead'
    | 'dmaWrite'
    | 'usedWrite'
    | 'interrupt'
    | 'eswitch'
    | 'wireTx'
    | 'wireRx'
    | 'representor'
    | 'insert',
    number
  >;
  readonly #memory: Arena;
  readonly #timers = new Timers();
  readonly #owners: TimerOwner[] = [];
  /** By owner: how many of its timers are still to come, and whether its number may be given to another then. */
  readonly #pending: number[] = [];
  readonly #released: boolean[] = [];
  readonly #free: number[] = [];
  readonly #drops = new Map<string, Counter>();

  /** `memory`: where the NIC's own buffers are. */
  constructor(context: CoreContext, constants: NicConstants, dma: DmaEngine, memory: Arena) {
    this.#memory = memory;
    this.context = context;
    this.arena = context.arena;
    this.meter = context.meter;
    this.recorder = context.recorder;
    this.constants = constants;
    this.dma = dma;
    this.ops = {
      descRead: context.op('nic.desc_read'),
      dmaRead: context.op('nic.dma_read'),
      dmaWrite: context.op('nic.dma_write'),
      usedWrite: context.op('nic.used_write'),
      interrupt: context.op('nic.interrupt'),
      eswitch: context.op('nic.eswitch'),
      wireTx: context.op('wire.tx'),
      wireRx: context.op('wire.rx'),
      representor: context.op('representor.rx'),
      insert: context.op('switch.offload_insert'),
    };
    this.stages = {
      setup: context.stage('setup'),
      descRead: context.stage('nic.desc_read'),
      dmaRead: context.stage('nic.dma_read'),
      dmaWrite: context.stage('nic.dma_write'),
      usedWrite: context.stage('nic.used_write'),
      interrupt: context.stage('nic.interrupt'),
      eswitch: context.stage('nic.eswitch'),
      wireTx: context.stage('wire.tx'),
      wireRx: context.stage('wire.rx'),
      representor: context.stage('representor.rx'),
      insert: context.stage('switch.offload_insert'),
    };
  }

  now(): Ps {
    return this.context.now();
  }

  /** Arena offset of `bytes` bytes of the NIC's own memory. */
  alloc(bytes: number): number {
    return this.#memory.alloc(bytes);
  }

  /** Gives a part its number for `later`. */
  register(owner: TimerOwner): number {
    const number = this.#free.pop() ?? this.#owners.length;
    this.#owners[number] = owner;
    this.#pending[number] = 0;
    this.#released[number] = false;
    return number;
  }

  /** The part is gone: nothing is called for it any more, and its number goes to another when its timers are over. */
  release(number: number): void {
    if (this.#released[number]) return;
    this.#released[number] = true;
    this.#owners[number] = GONE;
    if (this.#pending[number] === 0) this.#free.push(number);
  }

  /** Calls `due(kind)` of a part at `atPs`, or as soon as the core runs after that. */
  later(atPs: Ps, owner: number, kind: number): void {
    this.#pending[owner]++;
    this.#timers.add(atPs, owner * 16 + kind);
  }

  /** Calls everything that is due; at most `limit` of them. True when more is due now. */
  advance(limit: number): boolean {
    const now = this.context.now();
    for (let n = 0; n < limit; n++) {
      const what = this.#timers.take(now);
      if (what < 0) return false;
      const owner = what >>> 4;
      this.#pending[owner]--;
      if (!this.#released[owner]) this.#owners[owner].due(what & 15, now);
      else if (this.#pending[owner] === 0) this.#free.push(owner);
    }
    return this.#timers.nextPs <= now;
  }

  get nextPs(): Ps {
    return this.#timers.nextPs;
  }

  /** Counts a frame that goes nowhere; a GSO frame counts as those that it would have become. */
  drop(reason: string, frames = 1): void {
    let counter = this.#drops.get(reason);
    if (counter === undefined) {
      counter = this.context.counter(`drop.${reason}`);
      this.#drops.set(reason, counter);
    }
    counter.value += frames;
  }
}

/** Frames on the wire that a frame stands for. */
export function wireFrames(length: number, meta: FrameMeta): number {
  if (meta.gsoType === 0 || meta.gsoSize === 0) return 1;
  return Math.max(1, Math.ceil((length - meta.hdrLen) / meta.gsoSize));
}
