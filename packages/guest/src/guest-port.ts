import {
  BARRIER,
  type ControlEnd,
  type CoreContext,
  IDLE,
  type MemoryEnd,
  type Ps,
  type TaskResult,
} from '@vhostlab/engine';
import { FeatureSet, GSO_NONE, NO_OFFLOAD, readHeader } from '@vhostlab/virtio-net';
import { type DriverQueue, PackedDriver, ringLayout, SplitDriver } from '@vhostlab/virtqueue';
import { ROUTE_OPENED, ROUTE_TO, TABLE_ENTRIES } from '@vhostlab/workload';
import type { VcpuConfig } from './core-config.ts';
import { Doorbell, VECTOR_RX, VECTOR_TX } from './doorbell.ts';
import { Resubmission } from './instances/resubmission.ts';
import { RoutedMemory } from './instances/routed-memory.ts';
import { pairMemory, routeEnds } from './instances/routes.ts';
import type { UnsentFrame } from './instances/unsent-frame.ts';
import { ROUTE_PAUSE, ROUTE_RESUME, ROUTE_WATCH, ROUTE_WRITTEN } from './migrate/methods.ts';
import { PageWatch } from './migrate/page-watch.ts';
import { PairContext } from './pair-context.ts';
import { deviceOffset } from './ring-place.ts';
import { BURST_LIMIT, HEADER_BYTES, RxPath } from './rx-path.ts';
import { TxPath } from './tx-path.ts';

/** What a vCPU needs to know of the negotiation to run its queue pair: plain data. */
export interface PairStart {
  /** Negotiated feature bits. */
  low: number;
  high: number;
  rxSize: number;
  txSize: number;
}

/** A queue pair that sends what it has and then no more. */
interface Leaving {
  limitPs: Ps;
  /** Undefined when it was called. */
  done: (() => void) | undefined;
  /** What had been received was taken. */
  isSwept: boolean;
}

/** How often a queue pair looks whether what was sent has left. */
const LEAVE_LOOK_PS = 1_000_000;

/** A vCPU's queue pair with everything around it. */
export class GuestPort extends PairContext {
  rx: RxPath;
  tx: TxPath;
  /** The queues were filled since they were set up. */
  opened = false;
  /** Frames to send again before any other. */
  again: Resubmission | undefined;
  /** Frames that were sent again, by reset. */
  readonly resubmitted: number[] = [];
  #doorbell: Doorbell;
  readonly #doorbells: readonly Doorbell[];
  #onHalted: (() => void) | undefined;
  #isHalted = false;
  #unsent: UnsentFrame[] = [];
  #isRestarted = false;
  /** The VMM has stopped this vCPU. */
  isPaused = false;
  /** Frames are sent on this device; of several, one is that. */
  isActive = true;
  /** Called when the receive queue was filled after the queues were set up. */
  onOpened: () => void = () => undefined;
  #leaving: Leaving | undefined;
  readonly #watch: PageWatch | undefined;

  constructor(context: CoreContext, config: VcpuConfig, start: PairStart) {
    super(context, config, memoryOf(context, config), new FeatureSet(start.low, start.high));
    const { routes = [config.doorbell] } = config;
    this.#doorbells = routes.map((kind) => new Doorbell(context, this.vq, kind));
    this.#doorbell = this.#doorbells[0];
    if (this.vq instanceof RoutedMemory) {
      if (config.arrival !== undefined) {
        this.#watch = new PageWatch(this.vq, this.base, config.arrival.memoryBytes);
        this.vq.publisher = this.#watch;
      }
      this.#serveRoutes(context.control('route'), this.vq);
      context.onCollect('resubmitted', () => this.resubmitted);
    }
    this.rx = new RxPath(this, this.#queue(2 * config.queue, config.pair.rxRing, start.rxSize));
    this.tx = new TxPath(this, this.#queue(2 * config.queue + 1, config.pair.txRing, start.txSize));
  }

  /** The back end changes: rings, kicks and interrupts are those of another instance from now on. */
  #serveRoutes(end: ControlEnd, routed: RoutedMemory): void {
    end.onRequest((method, body, reply) => {
      if (this.#watch !== undefined && method !== ROUTE_TO) {
        reply(0, this.#migrate(method, this.#watch));
        return;
      }
      const known = method === ROUTE_TO && body.length === 1 && this.#doorbells[body[0]] !== undefined;
      if (known) {
        if (body[0] === this.config.arrival?.instance) this.#arrive(routed, this.config.arrival.window);
        routed.to(body[0], this.config.scenario.guest === 'interrupt');
        this.#doorbell = this.#doorbells[body[0]];
      }
      reply(known ? 0 : 22, new Uint8Array(0));
    });
  }

  /** A step of a migration that concerns this vCPU; what is to be answered. */
  #migrate(method: number, watch: PageWatch): Uint8Array {
    if (method === ROUTE_WATCH) watch.begin();
    if (method === ROUTE_PAUSE) this.isPaused = true;
    if (method === ROUTE_RESUME) this.isPaused = false;
    return method === ROUTE_WRITTEN ? watch.take() : new Uint8Array(0);
  }

  /** The guest goes on in the memory of another host: from now on every access is there. */
  #arrive(routed: RoutedMemory, window: string): void {
    const from = this.base;
    this.base = this.context.window(window);
    routed.moveBy(this.base - from);
    this.#watch?.end(this.base);
    for (const { queue } of [this.rx, this.tx]) queue.moveTo(this.vq.publisher, this.base - from);
    this.tx.moved();
  }

  #queue(index: number, ring: number, size: number): DriverQueue {
    const { features, base } = this;
    const eventIdx = features.has('EVENT_IDX');
    const layout = ringLayout(this.packed ? 'packed' : 'split', size, eventIdx);
    const { tables, deviceAlign } = this.config.pair;
    const place = {
      size,
      index,
      descOffset: base + ring + layout.desc.offset,
      driverOffset: base + ring + layout.driver.offset,
      deviceOffset: base + ring + deviceOffset(layout, deviceAlign),
      features: { eventIdx, indirect: features.has('INDIRECT_DESC'), inOrder: features.has('IN_ORDER') },
      tables: { offset: base + tables, address: tables, entries: TABLE_ENTRIES },
    };
    const { arena } = this.context;
    const { publisher } = this.vq;
    return this.packed ? new PackedDriver(arena, publisher, place) : new SplitDriver(arena, publisher, place);
  }

  /** Fills the receive queue for the first time; the caller answers BARRIER and then checks the kicks. */
  open(): void {
    this.opened = true;
    this.rx.refill();
    this.rx.publish();
    this.onOpened();
    if (this.#isRestarted && this.config.routes !== undefined)
      this.context.control('route').send(ROUTE_OPENED, new Uint8Array(0));
  }

  /** The second half of what was published in the run before: kicks that the device wants. */
  checkKicks(): void {
    if (this.tx.toCheck) {
      this.tx.toCheck = false;
      this.#doorbell.check(this.tx.queue, VECTOR_TX, this.tx.sampled);
    }
    if (this.rx.toCheck) {
      this.rx.toCheck = false;
      this.#doorbell.check(this.rx.queue, VECTOR_RX, this.rx.noSamples);
    }
  }

  /** The device wants a reset and does nothing any more: `done` is called when what it has completed is taken back. */
  halt(done: () => void): void {
    this.#onHalted = done;
  }

  /** True from `halt` to `restart`: the task calls `settle` and nothing else. */
  get isHalting(): boolean {
    return this.#onHalted !== undefined || this.#isHalted || this.#leaving !== undefined;
  }

  /**
   * Takes everything that the device has completed, then what it has not, and zeroes the rings; `deliver` takes the frames of
   * a burst of the receive queue.
   */
  settle(deliver: () => void): TaskResult {
    if (this.#leaving !== undefined) return this.#leave(this.#leaving, deliver);
    const done = this.#onHalted;
    if (done === undefined) return IDLE;
    this.#onHalted = undefined;
    this.#isHalted = true;
    while (this.tx.reclaim(BURST_LIMIT) > 0);
    while (this.rx.pop(BURST_LIMIT) > 0) deliver();
    this.tx.publish();
    this.#unsent = this.tx.takeBack();
    if (this.again !== undefined) this.#unsent.push(...this.again.rest());
    this.again = undefined;
    for (const { token } of this.rx.queue.outstanding()) this.pool.free(token);
    // the memory is zero again before the device is told of it
    this.rx.queue.reset();
    this.tx.queue.reset();
    done();
    return IDLE;
  }

  /** The device will be unplugged: `done` is called when what was sent on it has left, at the latest at `limitPs`. */
  leave(limitPs: Ps, done: () => void): void {
    this.#leaving = { limitPs, done, isSwept: false };
  }

  #leave(leaving: Leaving, deliver: () => void): TaskResult {
    const { limitPs, done } = leaving;
    this.checkKicks();
    while (this.tx.reclaim(BURST_LIMIT) > 0);
    // what is forwarded must leave as well: that is done once, or it would never end
    if (!leaving.isSwept || this.config.role === 'sink') {
      leaving.isSwept = true;
      while (this.rx.pop(BURST_LIMIT) > 0) deliver();
      if (this.tx.publish()) return BARRIER;
    }
    if (done === undefined) return IDLE;
    const now = this.context.now();
    if (this.tx.queue.inFlight > 0 && now < limitPs) {
      this.context.wakeAt(now + LEAVE_LOOK_PS);
      return IDLE;
    }
    leaving.done = undefined;
    done();
    return IDLE;
  }

  /** The device is gone: what its queues still had is lost and counted, and they are empty. */
  forget(): void {
    while (this.tx.reclaim(BURST_LIMIT) > 0);
    let lost = 0;
    for (const frame of this.tx.takeBack()) {
      lost += this.#wireFramesOf(frame);
      this.pool.free(frame.buffer);
    }
    while (this.rx.pop(BURST_LIMIT) > 0) {
      for (let i = 0; i < this.rx.count; i++) {
        if (this.rx.packet[i] >= 0) lost++;
        this.pool.free(this.rx.buffer[i]);
      }
    }
    for (const { token } of this.rx.queue.outstanding()) this.pool.free(token);
    this.context.counter('drop.hot-unplug').value += lost;
    this.rx.queue.reset();
    this.tx.queue.reset();
    this.#leaving = undefined;
    this.#isHalted = true;
  }

  /** Frames on the wire that a frame stands for; none when it is no frame of the traffic. */
  #wireFramesOf({ buffer, length, packet }: UnsentFrame): number {
    if (packet < 0) return 0;
    const header = this.base + this.pool.gpa[buffer] - HEADER_BYTES;
    const fields = { ...NO_OFFLOAD };
    readHeader(this.context.arena.u8, header, fields);
    const { gsoType, gsoSize, hdrLen } = fields;
    return gsoType === GSO_NONE ? 1 : Math.max(1, Math.ceil((length - hdrLen) / gsoSize));
  }

  /** The device was set up again: empty queues, and what was sent and not used before is to be sent again. */
  restart(start: PairStart): void {
    this.negotiated(new FeatureSet(start.low, start.high));
    const { queue, pair } = this.config;
    this.rx = new RxPath(this, this.#queue(2 * queue, pair.rxRing, start.rxSize));
    this.tx = new TxPath(this, this.#queue(2 * queue + 1, pair.txRing, start.txSize));
    this.again = new Resubmission(this, this.#unsent);
    this.resubmitted.push(0);
    this.#unsent = [];
    this.#isHalted = false;
    this.#isRestarted = true;
    this.opened = false;
  }

  /** Sends frames again; answers how many were added, for the caller to publish. */
  resubmit(): number {
    const { again } = this;
    if (again === undefined) return 0;
    const before = again.frames;
    this.tx.begin();
    const added = again.pump();
    this.resubmitted[this.resubmitted.length - 1] += again.frames - before;
    if (again.isDone) this.again = undefined;
    return added;
  }
}

/** Where a vCPU's queue pair is: at one device, or at one of several. */
function memoryOf(context: CoreContext, { routes, failover, arrival, pair, window }: VcpuConfig): MemoryEnd {
  if (failover !== undefined) return context.memory(failover.end);
  if (routes === undefined) return context.memory('vq');
  const ends = routeEnds(routes).map((end) => context.memory(end));
  return new RoutedMemory(context, ends, pairMemory(pair, context.window(window)), arrival?.shadow);
}
