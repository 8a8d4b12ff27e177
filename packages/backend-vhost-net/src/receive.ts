import { VECTOR_RX, type VhostPair } from '@vhostlab/backend-sdk';
import {
  BARRIER,
  type CoreContext,
  type Counter,
  DONE,
  IDLE,
  type LinkEnd,
  type TaskResult,
} from '@vhostlab/engine';
import { PacketPool } from '@vhostlab/memory';
import { Turn } from './turn.ts';

const BURST_LIMIT = 64;

/**
 * The receive half of a vhost worker: frames go from its tap's queue into guest buffers, up to `vhost.rxBatch` at once
 * (what `vhost_net_buf` holds). Without buffers it stops listening to the tap, whose queue fills and then drops, and
 * waits for the guest's kick.
 */
export class Receive {
  readonly turn = new Turn();
  readonly #context: CoreContext;
  readonly #pair: VhostPair;
  readonly #links: readonly LinkEnd[];
  readonly #pool: PacketPool;
  readonly #batch: number;
  /** Frames taken from the tap and not handed over yet. */
  readonly #held = new Uint32Array(BURST_LIMIT);
  #count = 0;
  readonly #stageWakeup: number;
  readonly #dropNotReady: Counter;
  #state: 'work' | 'call' | 'recheck' | 'waiting' = 'work';
  #link = 0;
  /** Moment at which this half found work after it had none; -1 otherwise. */
  #wokenPs = -1;
  #wasIdle = true;

  /** `links`: where frames for this guest come from. */
  constructor(
    context: CoreContext,
    options: { pair: VhostPair; links: readonly LinkEnd[]; bufferBytes: number },
  ) {
    this.#context = context;
    this.#pair = options.pair;
    this.#links = options.links;
    this.#pool = new PacketPool(context.arena, { buffers: BURST_LIMIT, bufferBytes: options.bufferBytes });
    this.#batch = Math.min(BURST_LIMIT, context.constant('vhost.rxBatch'));
    this.#stageWakeup = context.stage('vhost.wakeup');
    this.#dropNotReady = context.counter('drop.guest-not-ready');
  }

  /** A ring was started or the memory table changed. */
  restart(): void {
    this.#listen(true);
    if (this.#state !== 'call') this.#state = 'work';
  }

  /** The guest has added buffers. */
  kicked(): void {
    if (this.#state !== 'waiting') return;
    this.#listen(true);
    this.#state = 'work';
  }

  /** True when no frame waits here or in its taps. */
  get isQuiet(): boolean {
    return this.#count === 0 && this.#state === 'work' && this.#links.every((link) => link.ready() === 0);
  }

  step(): TaskResult {
    switch (this.#state) {
      case 'waiting':
        return IDLE;
      case 'call':
        this.#pair.callIfWanted();
        this.#state = 'work';
        return DONE;
      case 'recheck':
        if (this.#pair.hasMoreBuffers()) return this.#work();
        this.#listen(false);
        this.#state = 'waiting';
        return IDLE;
      case 'work':
        return this.#work();
    }
  }

  #work(): TaskResult {
    const pair = this.#pair;
    this.#state = 'work';
    if (this.#count === 0) this.#take();
    if (this.#count === 0) {
      this.#wasIdle = true;
      return IDLE;
    }
    if (pair.rx === undefined) {
      this.#dropNotReady.value += this.#pool.wireFramesOf(this.#held, 0, this.#count);
      this.#pool.freeBulk(this.#held, 0, this.#count);
      this.#count = 0;
      return DONE;
    }
    pair.rx.disableNotifications();
    const taken = pair.enqueueUntilFull(this.#pool, this.#held, this.#count);
    this.#keep(taken);
    if (pair.publish()) {
      this.#state = 'call';
      return BARRIER;
    }
    if (this.#count === 0) return DONE;
    pair.waitForBuffers();
    this.#state = 'recheck';
    return BARRIER;
  }

  /** Takes frames from the first link that has some, beginning behind the one that gave last. */
  #take(): void {
    const links = this.#links;
    const { recorder } = this.#context;
    const pool = this.#pool;
    if (this.#wasIdle) this.#wokenPs = this.#context.now();
    let bytes = 0;
    for (let n = 0; n < links.length && this.#count === 0; n++) {
      this.#link = this.#link + 1 >= links.length ? 0 : this.#link + 1;
      const link = links[this.#link];
      while (this.#count < this.#batch && link.receive()) {
        const index = pool.alloc();
        pool.setMeta(index, link.meta);
        // the bytes stay in the tap's queue until the end of this run
        pool.attach(index, link.offset, link.length, 0);
        this.#held[this.#count++] = index;
        bytes += link.length;
        if (this.#wasIdle && recorder.sampled(link.meta.packet)) {
          recorder.eventAt(this.#wokenPs, this.#stageWakeup, link.meta.packet, VECTOR_RX, 0);
        }
        link.release();
      }
    }
    if (this.#count > 0) this.#wasIdle = false;
    this.turn.add(this.#count, bytes);
  }

  /** Forgets the first `taken` frames; the others get buffers of their own. */
  #keep(taken: number): void {
    const pool = this.#pool;
    const held = this.#held;
    this.#count -= taken;
    for (let i = 0; i < this.#count; i++) {
      const index = held[taken + i];
      held[i] = index;
      const own = pool.bufferOffset(index);
      if (pool.offset[index] === own) continue;
      this.#context.arena.copy(own, pool.offset[index], pool.length[index]);
      pool.offset[index] = own;
    }
  }

  #listen(on: boolean): void {
    for (const link of this.#links) link.listens = on;
  }
}
