import { VhostPair } from '@vhostlab/backend-sdk';
import { DatapathHost, NicPort } from '@vhostlab/datapath';
import {
  BARRIER,
  type CoreContext,
  type CoreModule,
  DONE,
  HOLD,
  IDLE,
  type Task,
  type TaskResult,
} from '@vhostlab/engine';
import { FeatureSet } from '@vhostlab/virtio-net';
import { FIRST_GUEST_PORT, type PmdConfig, WIRE_PORT } from './config.ts';

/** Frames of one burst on their way to a port. */
interface Queue {
  indices: Uint32Array;
  count: number;
}

const BURST_LIMIT = 64;

/**
 * A poll-mode core of a user-space switch, run to completion: every port is polled in turn, a burst goes
 * through the datapath and out of its ports before the next one is taken.
 */
class Pmd {
  readonly pairs: VhostPair[] = [];
  readonly nic: NicPort;
  readonly datapath: DatapathHost;
  readonly burst: number;
  readonly #toGuest: Queue[] = [];
  readonly input = new Uint32Array(BURST_LIMIT);

  constructor(context: CoreContext, config: PmdConfig) {
    const offered = new FeatureSet(config.offered.low, config.offered.high);
    for (let guest = 0; guest < config.guests; guest++) {
      const pair = new VhostPair(context, { guest, pair: config.pair, offered, pageBytes: config.pageBytes });
      // a polled ring needs no kicks
      pair.onChange = () => pair.tx?.disableNotifications();
      this.pairs.push(pair);
      this.#toGuest.push({ indices: new Uint32Array(BURST_LIMIT * 4), count: 0 });
    }
    this.burst = context.constant('pmd.burst');
    this.nic = new NicPort(context, 'nic', {
      window: config.window,
      windowBytes: config.windowBytes,
      ringSize: config.nicRing,
      buffers: config.buffers,
      bufferBytes: config.bufferBytes,
      receives: config.wire,
      interrupts: false,
      kernel: false,
    });
    this.datapath = new DatapathHost(
      context,
      'switch',
      this.nic.pool,
      { output: (port, index) => this.#output(port, index) },
      {
        kind: 'userspace',
      },
    );
  }

  /** Sends what the burst left at the ports; true when a barrier and calls must follow. */
  flush(): boolean {
    this.nic.flush();
    let published = false;
    for (let guest = 0; guest < this.pairs.length; guest++) {
      const queue = this.#toGuest[guest];
      const pair = this.pairs[guest];
      for (let at = 0; at < queue.count; at += BURST_LIMIT) {
        const n = Math.min(BURST_LIMIT, queue.count - at);
        pair.enqueue(this.nic.pool, at === 0 ? queue.indices : queue.indices.subarray(at), n);
      }
      queue.count = 0;
      if (pair.publish()) published = true;
    }
    return published;
  }

  calls(): void {
    for (const pair of this.pairs) pair.callIfWanted();
  }

  #output(port: number, index: number): boolean {
    if (port === WIRE_PORT) {
      this.nic.send(index);
      return true;
    }
    const queue = this.#toGuest[port - FIRST_GUEST_PORT];
    if (queue === undefined || queue.count === queue.indices.length) return false;
    queue.indices[queue.count++] = index;
    return true;
  }
}

/** What one polled port does in a run, from its input to the calls. */
abstract class PortTask implements Task {
  abstract readonly name: string;
  readonly #pmd: Pmd;
  readonly #context: CoreContext;
  readonly #opEmpty: number;
  readonly #port: number;
  #step: 'poll' | 'switch' | 'calls' = 'poll';

  constructor(context: CoreContext, pmd: Pmd, port: number, emptyOp: string) {
    this.#context = context;
    this.#pmd = pmd;
    this.#port = port;
    this.#opEmpty = context.op(emptyOp);
  }

  /** Takes a burst; its indices go to `pmd.input`. */
  protected abstract take(pmd: Pmd): number;

  run(): TaskResult {
    const pmd = this.#pmd;
    if (this.#step === 'calls') {
      this.#step = 'poll';
      pmd.calls();
      return DONE;
    }
    if (this.#step === 'poll') {
      const count = this.take(pmd);
      if (count === 0 && !pmd.pairs.some((pair) => pair.hasUnpublished)) {
        this.#context.meter.charge(this.#opEmpty, 1, 0);
        return IDLE;
      }
      pmd.datapath.begin(pmd.input, count, this.#port);
    }
    const ticket = pmd.datapath.run();
    if (ticket !== undefined) {
      this.#step = 'switch';
      this.#context.holdOn(ticket);
      return HOLD;
    }
    this.#step = 'poll';
    if (!pmd.flush()) return DONE;
    this.#step = 'calls';
    return BARRIER;
  }
}

class NicTask extends PortTask {
  readonly name = 'pmd.nic';

  constructor(context: CoreContext, pmd: Pmd) {
    super(context, pmd, WIRE_PORT, 'nic.poll_empty');
  }

  protected take(pmd: Pmd): number {
    const count = pmd.nic.receive(pmd.burst);
    pmd.input.set(pmd.nic.received);
    pmd.nic.refill();
    return count;
  }
}

class VhostTask extends PortTask {
  readonly name: string;
  readonly #guest: number;

  constructor(context: CoreContext, pmd: Pmd, guest: number) {
    super(context, pmd, FIRST_GUEST_PORT + guest, 'vhost.poll_empty');
    this.name = `pmd.vhost${guest}`;
    this.#guest = guest;
  }

  protected take(pmd: Pmd): number {
    return pmd.pairs[this.#guest].dequeue(pmd.nic.pool, pmd.input, pmd.burst);
  }
}

/** Core module `vhost-user/pmd`. */
export const pmdModule: CoreModule = {
  create(context: CoreContext, config: PmdConfig): void {
    const pmd = new Pmd(context, config);
    if (config.wire) context.addTask(new NicTask(context, pmd));
    for (let guest = 0; guest < config.guests; guest++) context.addTask(new VhostTask(context, pmd, guest));
  },
};
