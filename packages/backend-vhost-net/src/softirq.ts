import { QuietWatch } from '@vhostlab/backend-sdk';
import { DatapathHost, NIC_VECTOR_RX, NicPort } from '@vhostlab/datapath';
import {
  BARRIER,
  type CoreContext,
  type CoreModule,
  DONE,
  IDLE,
  type Task,
  type TaskResult,
} from '@vhostlab/engine';
import { FIRST_GUEST_PORT, type SoftirqConfig, WIRE_PORT } from './config.ts';
import { Outputs } from './outputs.ts';
import { TapPort } from './tap-port.ts';

/**
 * The receive softirq of one NIC queue: an interrupt starts polling (NAPI), up to `napi.budget` frames at a time, with
 * interrupts off; frames go through the kernel datapath into the guests' taps. A poll that does not fill its budget
 * turns interrupts on and looks once more.
 */
class Softirq implements Task {
  readonly name = 'softirq.napi';
  readonly #context: CoreContext;
  readonly #nic: NicPort;
  readonly #datapath: DatapathHost;
  readonly #outputs: Outputs;
  readonly #budget: number;
  readonly #opPoll: number;
  readonly #stagePoll: number;
  #state: 'idle' | 'poll' | 'recheck' = 'idle';
  /** Looks at the ring without having been interrupted. */
  #looks = false;

  constructor(context: CoreContext, config: SoftirqConfig) {
    this.#context = context;
    this.#nic = new NicPort(context, 'nic', {
      window: config.window,
      windowBytes: config.windowBytes,
      ringSize: config.nicRing,
      buffers: config.buffers,
      bufferBytes: config.bufferBytes,
      receives: true,
      interrupts: true,
      kernel: true,
    });
    const { pool } = this.#nic;
    const taps = new Map(
      Array.from({ length: config.guests }, (_, guest): [number, TapPort] => [
        FIRST_GUEST_PORT + guest,
        new TapPort(context, `tap.${guest}.${config.pair}`, pool),
      ]),
    );
    this.#outputs = new Outputs(pool, this.#nic, taps);
    this.#datapath = new DatapathHost(context, 'switch', pool, this.#outputs, { kind: 'kernel' });
    this.#budget = Math.min(64, context.constant('napi.budget'));
    this.#opPoll = context.op('softirq.poll');
    this.#stagePoll = context.stage('softirq.poll');
    if (config.drains === true) this.#serveDrain(config.guests);
  }

  /** Answers workers when nothing is on its way to their taps; interrupts may be late, so it looks at the ring first. */
  #serveDrain(guests: number): void {
    const quiet = new QuietWatch(
      this.#context,
      () => this.#state === 'idle' && this.#datapath.waiting === 0,
      () => {
        if (this.#state === 'idle') this.#looks = true;
      },
    );
    for (let guest = 0; guest < guests; guest++) {
      this.#context
        .control(`drain.${guest}`)
        .onRequest((_method, _body, reply) => quiet.ask(() => reply(0, new Uint8Array(0))));
    }
  }

  run(): TaskResult {
    const nic = this.#nic;
    const interrupted = (nic.end.takeNotified() & (1 << NIC_VECTOR_RX)) !== 0;
    const answered = this.#datapath.waiting > 0 && this.#datapath.answers() > 0;
    if (answered) this.#outputs.flush();
    if (this.#state === 'idle') {
      if (!interrupted && !this.#looks) return answered ? DONE : IDLE;
      this.#looks = false;
      nic.interrupts(false);
      this.#state = 'poll';
    }
    if (this.#state === 'poll') this.#context.meter.charge(this.#opPoll, 1, 0);
    const count = nic.receive(this.#budget);
    if (this.#state === 'recheck') {
      if (count === 0) {
        this.#state = 'idle';
        return answered ? DONE : IDLE;
      }
      this.#context.meter.charge(this.#opPoll, 1, 0);
      nic.interrupts(false);
      this.#state = 'poll';
    }
    if (count > 0) this.#forward(count);
    if (count === this.#budget) return DONE;
    nic.interrupts(true);
    this.#state = 'recheck';
    return BARRIER;
  }

  #forward(count: number): void {
    const nic = this.#nic;
    const { recorder } = this.#context;
    const { pool, received } = nic;
    for (let i = 0; i < count; i++) {
      const index = received[i];
      if (!recorder.sampled(pool.packet[index])) continue;
      recorder.event(this.#stagePoll, pool.packet[index], pool.offset[index] - pool.base, pool.length[index]);
    }
    this.#datapath.begin(received, count, WIRE_PORT);
    this.#datapath.run();
    nic.refill();
    this.#outputs.flush();
  }
}

/** Core module `vhost-net/softirq`. */
export const softirqModule: CoreModule = {
  create(context: CoreContext, config: SoftirqConfig): void {
    context.addTask(new Softirq(context, config));
  },
};
