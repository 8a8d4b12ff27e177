import { signalEvent } from '@vhostlab/host';
import type { Arena } from '@vhostlab/memory';
import { decodeBase, type RingAreas, type RingBase } from '@vhostlab/vhost-user';
import type { FeatureSet } from '@vhostlab/virtio-net';
import { type DeviceQueue, type RingPlace, ringLayout, violationName } from '@vhostlab/virtqueue';
import type { RingStart } from '../control/commands.ts';
import { COUNTER, FIRST_BATCH } from '../stats/queue-counters.ts';
import type { GuestMemory } from './guest-memory.ts';
import type { InflightPart } from './inflight/inflight-part.ts';
import { JournaledPacked } from './inflight/journaled-packed.ts';
import { startQueue } from './inflight/start-queue.ts';

/** One started ring of a device: its queue, its eventfds and its counters. */
export class Ring {
  readonly index: number;
  readonly queue: DeviceQueue;
  readonly counters: Float64Array;
  readonly memory: GuestMemory;
  enabled: boolean;
  /** False while its memory is away. */
  isPlaced = true;
  callNumber: number;
  errNumber: number;
  usedLogGpa: number | null;
  readonly kickNumber: number;
  readonly place: RingPlace;
  readonly #format: 'split' | 'packed';
  readonly #usedBytes: number;
  readonly #deviceBytes: number;
  readonly #isJournaled: boolean;
  #brokenTold = false;

  private constructor(
    start: RingStart,
    queue: DeviceQueue,
    place: RingPlace,
    usedBytes: number,
    memory: GuestMemory,
    counters: Float64Array,
  ) {
    this.index = start.index;
    this.queue = queue;
    this.place = place;
    this.memory = memory;
    this.counters = counters;
    this.enabled = start.enabled;
    this.kickNumber = start.kick;
    this.callNumber = start.call;
    this.errNumber = start.err;
    this.usedLogGpa = start.usedLogGpa;
    this.#format = start.format;
    this.#isJournaled = queue instanceof JournaledPacked;
    this.#usedBytes = usedBytes;
    const { eventIdx } = place.features;
    this.#deviceBytes = ringLayout(start.format, start.size, eventIdx).device.bytes;
  }

  /** Starts a ring, or says in one sentence why it cannot be. `inflight`: where it tells of buffers in flight. */
  static start(
    start: RingStart,
    features: FeatureSet,
    arena: Arena,
    memory: GuestMemory,
    counters: Float64Array,
    inflight?: InflightPart,
  ): Ring | string {
    const { index, size, format, areas } = start;
    const place = {
      size,
      index,
      descOffset: areas.descriptor,
      driverOffset: areas.driver,
      deviceOffset: areas.device,
      features: {
        eventIdx: features.has('EVENT_IDX'),
        indirect: features.has('INDIRECT_DESC'),
        inOrder: features.has('IN_ORDER'),
      },
    };
    const queue = startQueue(arena, memory.space, place, start, inflight);
    if (typeof queue === 'string') return queue;
    const layout = ringLayout(format, size, features.has('EVENT_IDX'));
    const usedBytes = format === 'packed' ? layout.desc.bytes : layout.device.bytes;
    return new Ring(start, queue, place, usedBytes, memory, counters);
  }

  /** True when frames may flow: started, in memory, not broken. */
  get isAlive(): boolean {
    return this.isPlaced && this.queue.violation === 0;
  }

  /** True when bursts may take the fast path: frames may flow, and nobody keeps a log or copies of what is overwritten. */
  get isPlain(): boolean {
    return this.isAlive && this.enabled && !this.memory.isLogging && !this.#isJournaled;
  }

  /** Where the ring goes on: everything taken has been given back. */
  base(): RingBase {
    const base = decodeBase(this.#format, this.queue.saveBase());
    if (base === null) throw new Error(`ring ${this.index} has a base that it cannot have`);
    return base;
  }

  /** The start that continues this ring at another place. */
  startAt(areas: RingAreas, size: number): RingStart {
    return {
      index: this.index,
      size,
      format: this.#format,
      areas,
      base: this.base(),
      enabled: this.enabled,
      kick: this.kickNumber,
      call: this.callNumber,
      err: this.errNumber,
      usedLogGpa: this.usedLogGpa,
    };
  }

  /** Publishes what was completed, logs it, and calls the driver when it wants to be called. */
  publish(): void {
    this.queue.publishUsed();
    if (this.memory.isLogging) this.#logUsed();
    this.callIfWanted();
  }

  /**
   * Logs what publishing wrote, after it was written: a front end that takes the log in between copies the page with it.
   * The address to log at is the front end's (VHOST_VRING_F_LOG). For a packed ring QEMU gives that of the device area,
   * but used elements are written into the descriptor area, so that its own pages are logged as well.
   */
  #logUsed(): void {
    if (this.usedLogGpa === null) return;
    this.memory.logGpa(this.usedLogGpa, this.#usedBytes);
    if (this.#format === 'packed') this.memory.logWritten(this.place.descOffset, this.#usedBytes);
  }

  /** Calls the driver about what was just published, when it wants to be called. */
  callIfWanted(): void {
    const { queue, counters } = this;
    // the publisher's store is a full barrier: what is read next is no older
    if (!queue.shouldCall()) {
      counters[COUNTER.calls_suppressed]++;
      return;
    }
    if (this.callNumber < 0) return;
    if (signalEvent(this.callNumber)) counters[COUNTER.calls]++;
  }

  /** Asks the driver for kicks, or for none; the words that say so are guest memory too, in the device area. */
  wantKicks(wanted: boolean): void {
    if (wanted) this.queue.enableNotifications();
    else this.queue.disableNotifications();
    if (this.memory.isLogging) this.memory.logWritten(this.place.deviceOffset, this.#deviceBytes);
  }

  /** Counts a burst of `frames` with `bytes` in all. */
  countBurst(frames: number, bytes: number): void {
    const { counters } = this;
    counters[COUNTER.frames] += frames;
    counters[COUNTER.bytes] += bytes;
    counters[FIRST_BATCH + 31 - Math.clz32(frames)]++;
  }

  /** Writes down where the ring is, for whoever looks. */
  countPosition(): void {
    const base = this.base();
    const split = base.format === 'split';
    this.counters[COUNTER.next_available] = split ? base.lastAvail : base.avail;
    this.counters[COUNTER.next_used] = split ? base.lastAvail : base.used;
  }

  /** The violation that broke the ring, told once; the front end's error eventfd is signalled. */
  takeViolation(): string | undefined {
    if (this.queue.violation === 0 || this.#brokenTold) return undefined;
    this.#brokenTold = true;
    this.counters[COUNTER.violations]++;
    if (this.errNumber >= 0) signalEvent(this.errNumber);
    return violationName(this.queue.violation);
  }
}
