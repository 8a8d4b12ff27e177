import { DatapathHost, NicPort, type NicPortOptions, StagePort } from '@vhostlab/datapath';
import {
  type CoreContext,
  type CoreModule,
  DONE,
  HOLD,
  IDLE,
  type Task,
  type TaskResult,
} from '@vhostlab/engine';

/** What the switching core of a pipeline is given: plain data. */
export interface LcoreConfig
  extends Pick<NicPortOptions, 'window' | 'windowBytes' | 'ringSize' | 'buffers' | 'bufferBytes'> {
  /** Bridge port of the NIC. */
  wirePort: number;
  /** Bridge ports that are reached through the stage ring. */
  stagePorts: number[];
  /** False when nothing comes from the wire (v2v): the NIC is not polled. */
  wire: boolean;
  /** A guest may leave this back end: the vhost core asks whether anything is under way here. */
  drains?: boolean;
}

const BURST_LIMIT = 64;
/** How soon a core that has something under way looks again, whatever else wakes it. */
const LOOK_PS = 1_000_000;

/** The switching core of a pipeline: its NIC queue pair, the ring to the vhost core, and the datapath between. */
class Lcore {
  readonly nic: NicPort;
  readonly stage: StagePort;
  readonly datapath: DatapathHost;
  readonly burst: number;
  readonly #wirePort: number;
  readonly #stagePorts: ReadonlySet<number>;

  constructor(context: CoreContext, config: LcoreConfig) {
    const { window, windowBytes, ringSize, buffers, bufferBytes } = config;
    this.#wirePort = config.wirePort;
    this.#stagePorts = new Set(config.stagePorts);
    this.burst = context.constant('pmd.burst');
    this.nic = new NicPort(context, 'nic', {
      window,
      windowBytes,
      ringSize,
      buffers,
      bufferBytes,
      receives: config.wire,
      interrupts: false,
      kernel: false,
    });
    this.stage = new StagePort(context, 'stage', this.nic.pool);
    const output = { output: (port: number, index: number) => this.#output(port, index) };
    this.datapath = new DatapathHost(context, 'switch', this.nic.pool, output, { kind: 'userspace' });
  }

  /** Answers the vhost core when both inputs were found empty since it asked. */
  serveDrain(context: CoreContext, inputs: readonly InputTask[]): void {
    const waiting: (() => void)[] = [];
    const watch: Task = {
      name: 'lcore.quiet',
      run: () => {
        if (waiting.length === 0) return IDLE;
        if (inputs.every(({ isEmpty }) => isEmpty)) for (const done of waiting.splice(0)) done();
        else context.wakeAt(context.now() + LOOK_PS);
        return IDLE;
      },
    };
    let added = false;
    context.control('drain').onRequest((_method, _body, reply) => {
      waiting.push(() => reply(0, new Uint8Array(0)));
      for (const input of inputs) input.isEmpty = false;
      if (!added) context.addTask(watch);
      added = true;
    });
  }

  /** Sends what the burst left for the ports. */
  flush(): void {
    this.stage.flush();
    this.nic.flush();
  }

  #output(port: number, index: number): boolean {
    if (port === this.#wirePort) {
      this.nic.send(index);
      return true;
    }
    return this.#stagePorts.has(port) && this.stage.send(index, port);
  }
}

/** A polled input: a burst is taken, switched and sent before the next input is polled. */
abstract class InputTask implements Task {
  abstract readonly name: string;
  /** There was nothing at the last look. */
  isEmpty = false;
  protected readonly lcore: Lcore;
  readonly #context: CoreContext;
  readonly #opEmpty: number;
  #switching = false;

  constructor(context: CoreContext, lcore: Lcore, emptyOp: string) {
    this.#context = context;
    this.lcore = lcore;
    this.#opEmpty = context.op(emptyOp);
  }

  /** Takes a burst and begins it in the datapath; false when there was none. */
  protected abstract begin(): boolean;

  run(): TaskResult {
    if (!this.#switching && !this.begin()) {
      this.isEmpty = true;
      this.#context.meter.charge(this.#opEmpty, 1, 0);
      return IDLE;
    }
    this.isEmpty = false;
    const ticket = this.lcore.datapath.run();
    this.#switching = ticket !== undefined;
    if (ticket !== undefined) {
      this.#context.holdOn(ticket);
      return HOLD;
    }
    this.lcore.flush();
    return DONE;
  }
}

class NicTask extends InputTask {
  readonly name = 'lcore.nic';
  readonly #port: number;

  constructor(context: CoreContext, lcore: Lcore, port: number) {
    super(context, lcore, 'nic.poll_empty');
    this.#port = port;
  }

  protected begin(): boolean {
    const { nic, datapath, burst } = this.lcore;
    const count = nic.receive(burst);
    nic.refill();
    if (count > 0) datapath.begin(nic.received, count, this.#port);
    return count > 0;
  }
}

class StageTask extends InputTask {
  readonly name = 'lcore.stage';
  readonly #frames = new Uint32Array(BURST_LIMIT);

  constructor(context: CoreContext, lcore: Lcore) {
    super(context, lcore, 'switch.ring_empty');
  }

  protected begin(): boolean {
    const { stage, datapath, burst } = this.lcore;
    const count = stage.receive(this.#frames, burst);
    if (count > 0) datapath.begin(this.#frames, count, stage.port);
    return count > 0;
  }
}

/** Core module `switch/lcore`. */
export const switchLcore: CoreModule = {
  create(context: CoreContext, config: LcoreConfig): void {
    const lcore = new Lcore(context, config);
    const inputs: InputTask[] = [new StageTask(context, lcore)];
    if (config.wire) inputs.unshift(new NicTask(context, lcore, config.wirePort));
    for (const input of inputs) context.addTask(input);
    if (config.drains === true) lcore.serveDrain(context, inputs);
  },
};
