import {
  FIRST_GUEST_PORT,
  polledPairs,
  QuietWatch,
  type VhostCoreConfig,
  type VhostPair,
} from '@vhostlab/backend-sdk';
import { StagePort } from '@vhostlab/datapath';
import {
  BARRIER,
  type CoreContext,
  type CoreModule,
  type Counter,
  DONE,
  IDLE,
  type Procedure,
  type Task,
  type TaskResult,
} from '@vhostlab/engine';
import { PacketPool } from '@vhostlab/memory';

const BURST_LIMIT = 64;
const HEADROOM_BYTES = 128;

/** What the vhost core of a pipeline is given: plain data. */
export interface LcoreConfig extends VhostCoreConfig {
  /** The guest may leave this back end: there is a channel to the switching core for that. */
  drains?: boolean;
}

/**
 * The vhost core of a pipeline: it moves frames between virtqueues and the ring to the core that switches them.
 * Open vSwitch with DPDK does not work like this; other vhost-user switches do.
 */
class Lcore {
  readonly pairs: readonly VhostPair[];
  readonly pool: PacketPool;
  readonly stage: StagePort;
  readonly burst: number;
  /** The ring had nothing at the last look, which was after the last question whether the core is quiet. */
  stageIsEmpty = false;

  constructor(context: CoreContext, config: LcoreConfig) {
    this.pairs = polledPairs(context, config);
    this.pool = new PacketPool(context.arena.within(context.window(config.window), config.windowBytes), {
      buffers: config.buffers,
      bufferBytes: config.bufferBytes,
      headroomBytes: HEADROOM_BYTES,
    });
    this.stage = new StagePort(context, 'stage', this.pool);
    this.burst = context.constant('pmd.burst');
    if (config.drains === true) this.#serveQuiesce(context);
  }

  /** What the switching core has under way comes through the ring before this core is quiet. */
  #serveQuiesce(context: CoreContext): void {
    const quiet = new QuietWatch(
      context,
      () => this.stageIsEmpty,
      () => {
        this.stageIsEmpty = false;
      },
    );
    const other = context.control('drain');
    function* ask(done: () => void): Procedure {
      yield other.request(1, new Uint8Array(0));
      quiet.ask(done);
    }
    for (const pair of this.pairs) pair.onQuiesce = (done) => context.spawn('host.drain', ask(done));
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
    this.#lcore.stageIsEmpty = count === 0;
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
  create(context: CoreContext, config: LcoreConfig): void {
    const lcore = new Lcore(context, config);
    context.addTask(new EnqueueTask(context, lcore));
    for (let guest = 0; guest < config.guests; guest++)
      context.addTask(new DequeueTask(context, lcore, guest));
  },
};
