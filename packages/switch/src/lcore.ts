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
}

const BURST_LIMIT = 64;

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
      this.#context.meter.charge(this.#opEmpty, 1, 0);
      return IDLE;
    }
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
    if (config.wire) context.addTask(new NicTask(context, lcore, config.wirePort));
    context.addTask(new StageTask(context, lcore));
  },
};
