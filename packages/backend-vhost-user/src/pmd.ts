import type { VhostPair } from '@vhostlab/backend-sdk';
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
import { FIRST_GUEST_PORT, type PmdConfig, WIRE_PORT } from './config.ts';
import { createPairs } from './vhost-ports.ts';

/** Frames of one burst on their way to a port. */
interface Queue {
  indices: Uint32Array;
  count: number;
}

const BURST_LIMIT = 64;

/** What the core of a user-space switch holds: its ports, its datapath, and the frames of the burst under way. */
class Pmd {
  readonly pairs: readonly VhostPair[];
  readonly nic: NicPort;
  readonly datapath: DatapathHost;
  readonly burst: number;
  readonly #toGuest: Queue[];

  constructor(context: CoreContext, config: PmdConfig) {
    this.pairs = createPairs(context, config);
    this.#toGuest = this.pairs.map(() => ({ indices: new Uint32Array(BURST_LIMIT * 4), count: 0 }));
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
    const output = { output: (port: number, index: number) => this.#output(port, index) };
    this.datapath = new DatapathHost(context, 'switch', this.nic.pool, output, { kind: 'userspace' });
  }

  /** Puts what the burst left for guests into their rings; true when a barrier and `calls` must follow. */
  enqueue(): boolean {
    let published = false;
    for (let guest = 0; guest < this.pairs.length; guest++) {
      const queue = this.#toGuest[guest];
      if (queue.count === 0) continue;
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
    for (let guest = 0; guest < this.pairs.length; guest++) this.pairs[guest].callIfWanted();
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

/** Where a port's task goes on in its next run. */
const POLL = 0;
const TAKEN = 1;
const SWITCH = 2;
const SENT = 3;

/**
 * A polled port of a run-to-completion core: a burst is taken, given back to its guest (used entries, barrier,
 * call), switched and sent to its ports before the next port is polled.
 */
abstract class PortTask implements Task {
  abstract readonly name: string;
  protected readonly pmd: Pmd;
  readonly #context: CoreContext;
  readonly #opEmpty: number;
  readonly #port: number;
  #step = POLL;
  #count = 0;

  constructor(context: CoreContext, pmd: Pmd, port: number, emptyOp: string) {
    this.#context = context;
    this.pmd = pmd;
    this.#port = port;
    this.#opEmpty = context.op(emptyOp);
  }

  /** Takes a burst; its indices go to `burst`. */
  protected abstract take(): number;
  protected abstract readonly burst: Uint32Array;
  /** Gives the burst's buffers back to where it came from; true when a barrier and calls must follow. */
  protected abstract complete(): boolean;

  run(): TaskResult {
    const pmd = this.pmd;
    if (this.#step === SENT) {
      pmd.calls();
      return this.#finish();
    }
    if (this.#step === POLL) {
      this.#count = this.take();
      if (this.complete()) {
        this.#step = TAKEN;
        return BARRIER;
      }
      if (this.#count === 0) {
        this.#context.meter.charge(this.#opEmpty, 1, 0);
        return IDLE;
      }
      pmd.datapath.begin(this.burst, this.#count, this.#port);
    } else if (this.#step === TAKEN) {
      pmd.calls();
      if (this.#count === 0) return this.#finish();
      pmd.datapath.begin(this.burst, this.#count, this.#port);
    }
    const ticket = pmd.datapath.run();
    if (ticket !== undefined) {
      this.#step = SWITCH;
      this.#context.holdOn(ticket);
      return HOLD;
    }
    if (pmd.enqueue()) {
      this.#step = SENT;
      return BARRIER;
    }
    return this.#finish();
  }

  /** The doorbell comes last: no barrier waits for it. */
  #finish(): TaskResult {
    this.#step = POLL;
    this.pmd.nic.flush();
    return DONE;
  }
}

class NicTask extends PortTask {
  readonly name = 'pmd.nic';

  constructor(context: CoreContext, pmd: Pmd) {
    super(context, pmd, WIRE_PORT, 'nic.poll_empty');
  }

  protected get burst(): Uint32Array {
    return this.pmd.nic.received;
  }

  protected take(): number {
    const count = this.pmd.nic.receive(this.pmd.burst);
    this.pmd.nic.refill();
    return count;
  }

  protected complete(): boolean {
    return false;
  }
}

class VhostTask extends PortTask {
  readonly name: string;
  protected readonly burst = new Uint32Array(BURST_LIMIT);
  readonly #pair: VhostPair;

  constructor(context: CoreContext, pmd: Pmd, guest: number) {
    super(context, pmd, FIRST_GUEST_PORT + guest, 'vhost.poll_empty');
    this.name = `pmd.vhost${guest}`;
    this.#pair = pmd.pairs[guest];
  }

  protected take(): number {
    return this.#pair.dequeue(this.pmd.nic.pool, this.burst, this.pmd.burst);
  }

  protected complete(): boolean {
    return this.#pair.hasUnpublished && this.#pair.publish();
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
