import { signalEvent } from '@vhostlab/host';
import type { Arena } from '@vhostlab/memory';
import {
  DirectPublisher,
  type DriverQueue,
  type OutstandingBuffer,
  PackedDriver,
  SplitDriver,
  violationName,
} from '@vhostlab/virtqueue';
import { COUNTER } from './counters.ts';
import type { Agreement, QueuePlan } from './plan.ts';

const KICKS = COUNTER.kicks;
const KICKS_SUPPRESSED = COUNTER.kicksSuppressed;

/** Base of a packed ring that was never used: slot 0, both wrap counters 1 (virtio 1.3, 2.8.1). */
const PACKED_START = 0x80008000;

/** What a ring had in flight when its back end went away, oldest first, and where it goes on. */
export interface Rewound {
  readonly base: number;
  readonly reset: boolean;
  readonly outstanding: readonly OutstandingBuffer[];
}

/** The driver's end of one ring: a queue of package virtqueue, its eventfds and its life across back ends. */
export class Ring {
  readonly plan: QueuePlan;
  readonly counters: Float64Array;
  readonly #arena: Arena;
  readonly #publisher: DirectPublisher;
  #agreement: Agreement;
  queue: DriverQueue;
  /** Where `queue` began. */
  #base: number;
  /** Eventfds of the back end that is attached; -1: none. */
  #kick = -1;
  call = -1;
  #toldBroken = false;

  constructor(arena: Arena, plan: QueuePlan, agreement: Agreement, counters: Float64Array) {
    this.plan = plan;
    this.counters = counters;
    this.#arena = arena;
    this.#publisher = new DirectPublisher(arena);
    this.#agreement = agreement;
    this.queue = this.#makeQueue();
    this.queue.reset();
    this.#base = plan.format === 'packed' ? PACKED_START : 0;
  }

  #makeQueue(): DriverQueue {
    const { index, format, size, descOffset, driverOffset, deviceOffset, tables } = this.plan;
    const place = {
      index,
      size,
      descOffset,
      driverOffset,
      deviceOffset,
      features: this.#agreement.ring,
      ...(tables === undefined ? {} : { tables }),
    };
    return format === 'split'
      ? new SplitDriver(this.#arena, this.#publisher, place)
      : new PackedDriver(this.#arena, this.#publisher, place);
  }

  /** As SET_VRING_BASE has it for the back end that comes next. */
  get base(): number {
    return this.#base;
  }

  get isAttached(): boolean {
    return this.#kick >= 0;
  }

  attach(kick: number, call: number): void {
    this.#kick = kick;
    this.call = call;
  }

  detach(): void {
    this.#kick = -1;
    this.call = -1;
  }

  /** Makes everything added available, and kicks when the device wants it. @hot */
  publish(): void {
    const queue = this.queue;
    queue.publish();
    if (this.#kick < 0) return;
    if (queue.shouldKick()) this.kick();
    else this.counters[KICKS_SUPPRESSED] += 1;
  }

  kick(): void {
    if (this.#kick < 0) return;
    signalEvent(this.#kick);
    this.counters[KICKS] += 1;
  }

  /** Name of the violation that broke the ring, once; undefined when it is sound or was told before. */
  newViolation(): string | undefined {
    if (this.queue.violation === 0 || this.#toldBroken) return undefined;
    this.#toldBroken = true;
    this.counters[COUNTER.broken] += 1;
    return violationName(this.queue.violation);
  }

  /** The used position as SET_VRING_BASE has it. */
  usedBase(): number {
    const used = this.queue.saveBase() >>> 16;
    return this.plan.format === 'packed' ? (used | (used << 16)) >>> 0 : used;
  }

  /**
   * Goes on where the old back end had got to, for a new one: at the used index, as QEMU does when GET_VRING_BASE
   * failed. All used buffers have been taken. A ring that was broken is cleared and starts at 0. What was in flight is
   * forgotten here: the caller adds it again, and a device then finds it at the base.
   */
  rewind(agreement: Agreement): Rewound {
    const old = this.queue;
    const outstanding = old.outstanding();
    const saved = old.saveBase();
    this.#agreement = agreement;
    this.queue = this.#makeQueue();
    const reset = old.violation !== 0;
    this.#toldBroken = false;
    if (reset) {
      this.queue.reset();
      this.#base = this.plan.format === 'packed' ? PACKED_START : 0;
    } else {
      const used = saved >>> 16;
      this.queue.restoreBase((used | (used << 16)) >>> 0);
      // whatever the old one may have written behind that, the new one begins here
      if (this.plan.format === 'split') this.#publisher.u16(this.plan.deviceOffset + 2, used);
      this.#base = this.plan.format === 'packed' ? (used | (used << 16)) >>> 0 : used;
    }
    return { base: this.#base, reset, outstanding };
  }
}
