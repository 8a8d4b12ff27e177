import { VECTOR_TX, type VhostPair } from '@vhostlab/backend-sdk';
import type { DatapathHost } from '@vhostlab/datapath';
import { BARRIER, type CoreContext, DONE, IDLE, type TaskResult } from '@vhostlab/engine';
import { FIRST_GUEST_PORT } from './config.ts';
import type { Outputs } from './outputs.ts';
import { Turn } from './turn.ts';

const BURST_LIMIT = 64;
const PS_PER_NS = 1000;

/**
 * The transmit half of a vhost worker: guest frames go into skbs and through tap into the kernel datapath; used
 * entries and the call come after that, up to `vhost.txBatch` frames at once. With an empty ring it asks for a kick,
 * looks once more and sleeps.
 */
export class Transmit {
  readonly turn = new Turn();
  readonly #context: CoreContext;
  readonly #pair: VhostPair;
  readonly #datapath: DatapathHost;
  readonly #outputs: Outputs;
  readonly #port: number;
  readonly #batch: number;
  readonly #retryPs: number;
  readonly #burst = new Uint32Array(BURST_LIMIT);
  readonly #opSkb: number;
  readonly #opXmit: number;
  readonly #stageXmit: number;
  readonly #stageWakeup: number;
  #state: 'work' | 'call' | 'recheck' | 'asleep' = 'asleep';
  /** Moment at which a kick ended its sleep; -1 otherwise. */
  #wokenPs = -1;

  constructor(
    context: CoreContext,
    options: { pair: VhostPair; datapath: DatapathHost; outputs: Outputs; guest: number },
  ) {
    this.#context = context;
    this.#pair = options.pair;
    this.#datapath = options.datapath;
    this.#outputs = options.outputs;
    this.#port = FIRST_GUEST_PORT + options.guest;
    this.#batch = Math.min(BURST_LIMIT, context.constant('vhost.txBatch'));
    this.#retryPs = Math.round(context.constant('nic.txCompletionNs') * PS_PER_NS);
    this.#opSkb = context.op('tap.skb_alloc');
    this.#opXmit = context.op('tap.xmit');
    this.#stageXmit = context.stage('tap.xmit');
    this.#stageWakeup = context.stage('vhost.wakeup');
  }

  /** A ring was started or the memory table changed: looks at the ring without being kicked. */
  restart(): void {
    if (this.#state !== 'call') this.#state = 'work';
  }

  /** The guest has kicked. */
  kicked(): void {
    if (this.#state !== 'asleep') return;
    this.#state = 'work';
    this.#wokenPs = this.#context.now();
  }

  step(): TaskResult {
    switch (this.#state) {
      case 'asleep':
        return IDLE;
      case 'call':
        this.#pair.callIfWanted();
        this.#state = 'work';
        return DONE;
      case 'recheck':
        if (this.#pair.tx?.hasAvailable() === true) return this.#work();
        this.#state = 'asleep';
        return IDLE;
      case 'work':
        return this.#work();
    }
  }

  #work(): TaskResult {
    const pair = this.#pair;
    const { tx } = pair;
    if (tx === undefined) {
      this.#state = 'asleep';
      return IDLE;
    }
    const { pool } = this.#outputs;
    if (pool.available < this.#batch) {
      this.#outputs.reclaim();
      if (pool.available < this.#batch) {
        // the send buffer is full: goes on when the NIC has sent something
        this.#state = 'work';
        this.#context.wakeAt(this.#context.now() + this.#retryPs);
        return IDLE;
      }
    }
    tx.disableNotifications();
    const count = pair.dequeue(pool, this.#burst, this.#batch);
    if (count > 0) this.#transmit(count);
    if (!pair.publish()) {
      tx.enableNotifications();
      this.#state = 'recheck';
      return BARRIER;
    }
    this.#state = 'call';
    return BARRIER;
  }

  #transmit(count: number): void {
    const { meter, recorder } = this.#context;
    const { pool } = this.#outputs;
    let bytes = 0;
    for (let i = 0; i < count; i++) {
      const index = this.#burst[i];
      bytes += pool.length[index];
      if (this.#wokenPs >= 0 && recorder.sampled(pool.packet[index])) {
        recorder.eventAt(this.#wokenPs, this.#stageWakeup, pool.packet[index], VECTOR_TX, 0);
      }
    }
    this.#wokenPs = -1;
    this.turn.add(count, bytes);
    meter.charge(this.#opSkb, count, bytes);
    meter.charge(this.#opXmit, count, bytes);
    for (let i = 0; i < count; i++) {
      const index = this.#burst[i];
      if (!recorder.sampled(pool.packet[index])) continue;
      recorder.event(this.#stageXmit, pool.packet[index], pool.offset[index] - pool.base, pool.length[index]);
    }
    this.#datapath.begin(this.#burst, count, this.#port);
    this.#datapath.run();
    this.#outputs.flush();
  }
}
