import { QuietWatch, VECTOR_RX, VECTOR_TX, VhostPair } from '@vhostlab/backend-sdk';
import { DatapathHost, NicPort } from '@vhostlab/datapath';
import {
  type CoreContext,
  type CoreModule,
  DONE,
  IDLE,
  type Procedure,
  type Task,
  type TaskResult,
} from '@vhostlab/engine';
import { PacketPool } from '@vhostlab/memory';
import { FeatureSet } from '@vhostlab/virtio-net';
import { FIRST_GUEST_PORT, type WorkerConfig } from './config.ts';
import { Outputs } from './outputs.ts';
import { Receive } from './receive.ts';
import { TapPort } from './tap-port.ts';
import { Transmit } from './transmit.ts';

/** A vhost worker thread: one queue pair of one guest. Its two halves take turns. */
class Worker implements Task {
  readonly name = 'vhost.worker';
  readonly #pair: VhostPair;
  readonly #datapath: DatapathHost;
  readonly #outputs: Outputs;
  readonly #transmit: Transmit;
  readonly #receive: Receive;
  #turn: Transmit | Receive;

  constructor(context: CoreContext, config: WorkerConfig) {
    const { guest } = config;
    const nic = config.wire
      ? new NicPort(context, 'nic', {
          window: config.window,
          windowBytes: config.windowBytes,
          ringSize: config.nicRing,
          buffers: config.buffers,
          bufferBytes: config.bufferBytes,
          receives: false,
          interrupts: false,
          kernel: true,
        })
      : undefined;
    const pool = nic?.pool ?? guestPool(context, config);
    const tap = (peer: number) => new TapPort(context, `bridge.${peer}`, pool);
    const taps = new Map(config.peers.map((peer) => [FIRST_GUEST_PORT + peer, tap(peer)]));
    const links = config.peers.map((peer) => context.link(`bridge.${peer}`));
    if (config.wire) links.unshift(context.link('tap'));
    this.#outputs = new Outputs(pool, nic, taps);
    this.#datapath = new DatapathHost(context, 'switch', pool, this.#outputs, { kind: 'kernel' });
    const pair = new VhostPair(context, {
      guest,
      pair: config.pair,
      offered: new FeatureSet(config.offered.low, config.offered.high),
      pageBytes: config.pageBytes,
    });
    this.#pair = pair;
    const { bufferBytes } = config;
    this.#transmit = new Transmit(context, {
      pair,
      datapath: this.#datapath,
      outputs: this.#outputs,
      guest,
    });
    this.#receive = new Receive(context, { pair, links, bufferBytes });
    this.#turn = this.#receive;
    pair.onChange = () => {
      this.#transmit.restart();
      this.#receive.restart();
    };
    if (config.drains === true) this.#serveQuiesce(context);
  }

  /** What the softirq core has under way comes here first, then it goes to the guest; what the guest sent goes to the NIC. */
  #serveQuiesce(context: CoreContext): void {
    const quiet = new QuietWatch(context, () => this.#receive.isQuiet && this.#datapath.waiting === 0);
    const softirq = context.control('drain');
    function* ask(done: () => void): Procedure {
      yield softirq.request(1, new Uint8Array(0));
      quiet.ask(done);
    }
    this.#pair.onQuiesce = (done) => context.spawn('host.drain', ask(done));
  }

  run(): TaskResult {
    const kicks = this.#pair.end.takeNotified();
    if (kicks & (1 << VECTOR_TX)) this.#transmit.kicked();
    if (kicks & (1 << VECTOR_RX)) this.#receive.kicked();
    const answered = this.#datapath.waiting > 0 && this.#datapath.answers() > 0;
    if (answered) this.#outputs.flush();
    let result = this.#turn.step();
    if (result === DONE && this.#turn.turn.isOver) this.#pass();
    if (result !== IDLE) return result;
    this.#pass();
    result = this.#turn.step();
    return result === IDLE && answered ? DONE : result;
  }

  #pass(): void {
    this.#turn = this.#turn === this.#transmit ? this.#receive : this.#transmit;
    this.#turn.turn.begin();
  }
}

/** Buffers of a worker without a NIC queue. */
function guestPool(context: CoreContext, config: WorkerConfig): PacketPool {
  const { buffers, bufferBytes } = config;
  return new PacketPool(context.arena, { buffers, bufferBytes, headroomBytes: 128 });
}

/** Core module `vhost-net/worker`. */
export const workerModule: CoreModule = {
  create(context: CoreContext, config: WorkerConfig): void {
    context.addTask(new Worker(context, config));
  },
};
