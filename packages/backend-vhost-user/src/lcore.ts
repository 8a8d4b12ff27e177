import { FIRST_GUEST_PORT, polledPairs, type VhostCoreConfig, type VhostPair } from '@vhostlab/backend-sdk';
import { StagePort } from '@vhostlab/datapath';
import {
  BARRIER,
  type CoreContext,
  type CoreModule,
  type Counter,
  DONE,
  IDLE,
  type Task,
  type TaskResult,
} from '@vhostlab/engine';
import { PacketPool } from '@vhostlab/memory';

const BURST_LIMIT = 64;
const HEADROOM_BYTES = 128;

/**
 * The vhost core of a pipeline: it moves frames between virtqueues and the ring to the core that switches them.
 * Open vSwitch with DPDK does not work like this; other vhost-user switches do.
 */
class Lcore {
  readonly pairs: readonly VhostPair[];
  readonly pool: PacketPool;
  readonly stage: StagePort;
  readonly burst: number;

  constructor(context: CoreContext, config: VhostCoreConfig) {
    this.pairs = polledPairs(context, config);
    this.pool = new PacketPool(context.arena.within(context.window(config.window), config.windowBytes), {
      buffers: config.buffers,
      bufferBytes: config.bufferBytes,
      headroomBytes: HEADROOM_BYTES,
    });
    this.stage = new StagePort(context, 'stage', this.pool);
    this.burst = context.constant('pmd.burst');
  }
}

/** Guest to ring: a burst is taken, given back to the guest, and handed on. */
class DequeueTask implements Task {
  readonly name: string;
  readonly #context: CoreContext;
  readonly #lcore: Lcore;
  readonly #pair: VhostPair;
  readonly #port: number;
  readonly #opEmpty: number;
  readonly #frames = new Uint32Array(BURST_LIMIT);
  #count = 0;
  #calls = false;

  constructor(context: CoreContext, lcore: Lcore, guest: number) {
    this.name = `lcore.vhost${guest}`;
    this.#context = context;
    this.#lcore = lcore;
    this.#pair = lcore.pairs[guest];
    this.#port = FIRST_GUEST_PORT + guest;
    this.#opEmpty = context.op('vhost.poll_empty');
  }

  run(): TaskResult {
    const { pool, stage, burst } = this.#lcore;
    if (!this.#calls) {
      this.#count = this.#pair.dequeue(pool, this.#frames, burst);
      if (this.#pair.hasUnpublished && this.#pair.publish()) {
        this.#calls = true;
        return BARRIER;
      }
      if (this.#count === 0) {
        this.#context.meter.charge(this.#opEmpty, 1, 0);
        return IDLE;
      }
    } else {
      this.#calls = false;
      this.#pair.callIfWanted();
    }
    for (let i = 0; i < this.#count; i++) stage.send(this.#frames[i], this.#port);
    stage.flush();
    return DONE;
  }
}

/** Ring to guests. */
class EnqueueTask implements Task {
  readonly name = 'lcore.stage';
  readonly #context: CoreContext;
  readonly #lcore: Lcore;
  readonly #opEmpty: number;
  readonly #dropNoPort: Counter;
  readonly #frames = new Uint32Array(BURST_LIMIT);
  #calls: VhostPair | undefined;

  constructor(context: CoreContext, lcore: Lcore) {
    this.#context = context;
    this.#lcore = lcore;
    this.#opEmpty = context.op('switch.ring_empty');
    this.#dropNoPort = context.counter('drop.no-port');
  }

  run(): TaskResult {
    const { pool, stage, burst, pairs } = this.#lcore;
    if (this.#calls !== undefined) {
      this.#calls.callIfWanted();
      this.#calls = undefined;
      return DONE;
    }
    const count = stage.receive(this.#frames, burst);
    if (count === 0) {
      this.#context.meter.charge(this.#opEmpty, 1, 0);
      return IDLE;
    }
    const pair = pairs[stage.port - FIRST_GUEST_PORT];
    if (pair === undefined) {
      this.#dropNoPort.value += pool.wireFramesOf(this.#frames, 0, count);
      pool.freeBulk(this.#frames, 0, count);
      return DONE;
    }
    pair.enqueue(pool, this.#frames, count);
    if (!pair.publish()) return DONE;
    this.#calls = pair;
    return BARRIER;
  }
}

/** Core module `vhost-user/lcore`. */
export const lcoreModule: CoreModule = {
  create(context: CoreContext, config: VhostCoreConfig): void {
    const lcore = new Lcore(context, config);
    context.addTask(new EnqueueTask(context, lcore));
    for (let guest = 0; guest < config.guests; guest++)
      context.addTask(new DequeueTask(context, lcore, guest));
  },
};
