import { BARRIER, type CoreContext, IDLE, type Task, type TaskResult } from '@vhostlab/engine';
import { VECTOR_TX } from './doorbell.ts';
import { FrameFeeder } from './frame-feeder.ts';
import type { GuestPort } from './guest-port.ts';
import { Interrupts } from './interrupts.ts';
import { FeederCharges } from './poll-tasks.ts';
import { BURST_LIMIT } from './rx-path.ts';

const SENDING = 0;
/** The queue is full and interrupts have been asked for: look once more before sleeping. */
const RECHECK = 1;
const FULL = 2;

/**
 * A kernel guest that sends: socket, skb, virtio-net. Completions are taken on the way of the next transmission; only
 * a full queue asks for an interrupt, when three quarters of it are done.
 */
export class InterruptSource implements Task {
  readonly name = 'guest.source';
  readonly #port: GuestPort;
  readonly #context: CoreContext;
  readonly #feeder: FrameFeeder;
  readonly #interrupts: Interrupts;
  readonly #charges: FeederCharges;
  readonly #batch: number;
  readonly #copies: boolean;
  readonly #opApp: number;
  readonly #opCopy: number;
  readonly #opAlloc: number;
  readonly #stageAlloc: number;
  #state = SENDING;

  /** `feeder`: that of several devices, one of which it sends on. */
  constructor(port: GuestPort, feeder = new FrameFeeder(port)) {
    const { context } = port;
    this.#port = port;
    this.#context = context;
    this.#feeder = feeder;
    this.#interrupts = new Interrupts(port);
    this.#charges = new FeederCharges(context);
    this.#batch = Math.min(BURST_LIMIT, context.constant('guest.txBatch'));
    this.#copies = port.config.scenario.workload === 'stream';
    this.#opApp = context.op('guest.app_tx');
    this.#opCopy = context.op('guest.user_copy');
    this.#opAlloc = context.op('guest.skb_alloc');
    this.#stageAlloc = context.stage('guest.skb_alloc');
  }

  run(): TaskResult {
    const port = this.#port;
    const { tx } = port;
    if (port.isHalting) return port.settle(() => undefined);
    if (!port.opened) {
      this.#state = SENDING;
      port.rx.queue.disableInterrupts();
      tx.queue.disableInterrupts();
      port.open();
      return BARRIER;
    }
    const interrupted = (this.#interrupts.take() & (1 << VECTOR_TX)) !== 0;
    port.checkKicks();
    if (tx.broken) return IDLE;
    if (!port.isActive) {
      tx.reclaim(BURST_LIMIT);
      this.#state = SENDING;
      return IDLE;
    }
    if (this.#state === FULL && !interrupted) return IDLE;
    const reclaimed = tx.reclaim(BURST_LIMIT);
    if (this.#state !== SENDING && reclaimed > 0) {
      this.#state = SENDING;
      tx.queue.disableInterrupts();
    }
    if (this.#state === SENDING && this.#send() > 0) return BARRIER;
    const next = this.#feeder.nextPs;
    if (next > this.#context.now()) {
      if (next < Number.POSITIVE_INFINITY) this.#context.wakeAt(next);
      return IDLE;
    }
    if (this.#state === RECHECK) {
      this.#state = FULL;
      return IDLE;
    }
    this.#state = RECHECK;
    tx.queue.enableInterruptsAfter((tx.queue.inFlight * 3) >> 2);
    return BARRIER;
  }

  /** One burst from the application to the ring; answers its frames. */
  #send(): number {
    const { tx } = this.#port;
    const { meter, recorder } = this.#context;
    const feeder = this.#feeder;
    const frames = feeder.fill(this.#batch, this.#context.now());
    if (frames === 0) return 0;
    const { writes, writeBytes } = feeder.work;
    if (writes > 0) meter.charge(this.#opApp, writes, 0);
    if (writes > 0 && this.#copies) meter.charge(this.#opCopy, writes, writeBytes);
    meter.charge(this.#opAlloc, frames, 0);
    this.#charges.charge(feeder);
    tx.sampled.record(recorder, this.#stageAlloc);
    tx.publish();
    return frames;
  }
}
