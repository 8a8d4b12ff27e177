import { NicPort, type PortOutput } from '@vhostlab/datapath';
import {
  BARRIER,
  type CoreContext,
  type CoreModule,
  DONE,
  HOLD,
  IDLE,
  type Task,
  type TaskResult,
  type Ticket,
} from '@vhostlab/engine';
import type { PacketPool } from '@vhostlab/memory';
import { QuietWatch } from '../quiet.ts';
import type { VhostPair } from '../vhost-pair.ts';
import { FIRST_GUEST_PORT, type PolledCoreConfig, WIRE_PORT } from './polled-config.ts';
import { polledPairs } from './polled-pairs.ts';

/**
 * What decides where frames go on a polled core. It owns the frames of a burst from `begin` on: each is given to the
 * output, freed and counted as a drop, or kept for later.
 */
export interface Forwarder {
  /** Takes `count` frames (at most 64) that came in at `port`, as indices of the pool. */
  begin(indices: Uint32Array, count: number, port: number): void;
  /** Goes on with the burst; a ticket: hold for it and run again. */
  run(): Ticket | undefined;
  /** Forwarders that keep frames for later: gives those that are due to the output; true when there were any. */
  release?(): boolean;
  /** Moment at which the next kept frame is due, Infinity when none is kept. */
  readonly duePs?: number;
}

/** Makes the forwarder of a core. `config` is the core's own, with what the plugin put into it. */
export type ForwarderFactory<C extends PolledCoreConfig = PolledCoreConfig> = (
  context: CoreContext,
  pool: PacketPool,
  output: PortOutput,
  config: C,
) => Forwarder;

/** Frames of one burst on their way to a port. */
interface Queue {
  indices: Uint32Array;
  count: number;
}

const BURST_LIMIT = 64;
const NEVER = Number.POSITIVE_INFINITY;

/** What a polled core holds: its ports, what decides between them, and the frames of the burst under way. */
class PolledPorts {
  readonly pairs: readonly VhostPair[];
  readonly nic: NicPort;
  readonly forwarder: Forwarder;
  readonly burst: number;
  /** The NIC had nothing at the last look, which was after the last question whether the core is quiet. */
  nicIsEmpty = false;
  readonly #toGuest: Queue[];

  constructor(context: CoreContext, config: PolledCoreConfig, create: ForwarderFactory) {
    this.pairs = polledPairs(context, config);
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
    this.forwarder = create(context, this.nic.pool, output, config);
    const quiet = new QuietWatch(
      context,
      () => (this.nicIsEmpty || !config.wire) && (this.forwarder.duePs ?? NEVER) === NEVER,
      () => {
        this.nicIsEmpty = false;
      },
    );
    for (const pair of this.pairs) pair.onQuiesce = (done) => quiet.ask(done);
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
  protected readonly ports: PolledPorts;
  readonly #context: CoreContext;
  readonly #opEmpty: number;
  readonly #port: number;
  #step = POLL;
  #count = 0;

  constructor(context: CoreContext, ports: PolledPorts, port: number, emptyOp: string) {
    this.#context = context;
    this.ports = ports;
    this.#port = port;
    this.#opEmpty = context.op(emptyOp);
  }

  /** Takes a burst; its indices go to `burst`. */
  protected abstract take(): number;
  protected abstract readonly burst: Uint32Array;
  /** Gives the burst's buffers back to where it came from; true when a barrier and calls must follow. */
  protected abstract complete(): boolean;

  run(): TaskResult {
    const ports = this.ports;
    if (this.#step === SENT) {
      ports.calls();
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
      ports.forwarder.begin(this.burst, this.#count, this.#port);
    } else if (this.#step === TAKEN) {
      ports.calls();
      if (this.#count === 0) return this.#finish();
      ports.forwarder.begin(this.burst, this.#count, this.#port);
    }
    const ticket = ports.forwarder.run();
    if (ticket !== undefined) {
      this.#step = SWITCH;
      this.#context.holdOn(ticket);
      return HOLD;
    }
    if (ports.enqueue()) {
      this.#step = SENT;
      return BARRIER;
    }
    return this.#finish();
  }

  /** The doorbell comes last: no barrier waits for it. */
  #finish(): TaskResult {
    this.#step = POLL;
    this.ports.nic.flush();
    return DONE;
  }
}

class NicTask extends PortTask {
  readonly name = 'pmd.nic';

  constructor(context: CoreContext, ports: PolledPorts) {
    super(context, ports, WIRE_PORT, 'nic.poll_empty');
  }

  protected get burst(): Uint32Array {
    return this.ports.nic.received;
  }

  protected take(): number {
    const count = this.ports.nic.receive(this.ports.burst);
    this.ports.nicIsEmpty = count === 0;
    this.ports.nic.refill();
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

  constructor(context: CoreContext, ports: PolledPorts, guest: number) {
    super(context, ports, FIRST_GUEST_PORT + guest, 'vhost.poll_empty');
    this.name = `pmd.vhost${guest}`;
    this.#pair = ports.pairs[guest];
  }

  protected take(): number {
    return this.#pair.dequeue(this.ports.nic.pool, this.burst, this.ports.burst);
  }

  protected complete(): boolean {
    return this.#pair.hasUnpublished && this.#pair.publish();
  }
}

/** Sends what the forwarder kept when it is due. */
class KeptTask implements Task {
  readonly name = 'pmd.kept';
  readonly #context: CoreContext;
  readonly #ports: PolledPorts;
  #sent = false;

  constructor(context: CoreContext, ports: PolledPorts) {
    this.#context = context;
    this.#ports = ports;
  }

  run(): TaskResult {
    const ports = this.#ports;
    if (this.#sent) {
      this.#sent = false;
      ports.calls();
      return DONE;
    }
    if (ports.forwarder.release?.() === true) {
      this.#sent = ports.enqueue();
      ports.nic.flush();
      return this.#sent ? BARRIER : DONE;
    }
    const { duePs = Number.POSITIVE_INFINITY } = ports.forwarder;
    if (duePs < Number.POSITIVE_INFINITY) this.#context.wakeAt(duePs);
    return IDLE;
  }
}

/**
 * Makes the module of a core that polls its NIC queue and queue pair `pair` of every guest, run to completion: the
 * virtqueues are handled here, and the forwarder says where frames go.
 */
export function polledCore<C extends PolledCoreConfig>(create: ForwarderFactory<C>): CoreModule {
  return {
    create(context: CoreContext, config: C): void {
      const ports = new PolledPorts(context, config, create as ForwarderFactory);
      if (config.wire) context.addTask(new NicTask(context, ports));
      for (let guest = 0; guest < config.guests; guest++)
        context.addTask(new VhostTask(context, ports, guest));
      if (ports.forwarder.release !== undefined) context.addTask(new KeptTask(context, ports));
    },
  };
}
