import type { MemoryEnd, Ps } from '@vhostlab/engine';
import { ACCESS_READ, ACCESS_WRITE, faultName } from '@vhostlab/memory';
import {
  type ChainBatch,
  DESC_BYTES,
  type DeviceQueue,
  PackedDevice,
  type RingFeatures,
  type RingFormat,
  ringLayout,
  SplitDevice,
  violationName,
} from '@vhostlab/virtqueue';
import type { DmaDomain } from '../dma/dma.ts';
import type { Nic, TimerOwner } from '../nic.ts';
import type { InterruptGate } from './interrupt-gate.ts';
import type { QueueTotals } from './queue-totals.ts';

/** Where a virtqueue is and what was negotiated for it; addresses as the device uses them. */
export interface RingSetup {
  readonly index: number;
  readonly size: number;
  readonly format: RingFormat;
  readonly descriptorArea: number;
  readonly driverArea: number;
  readonly deviceArea: number;
  readonly features: RingFeatures;
  /** Position to start at, as VHOST_USER_GET_VRING_BASE writes it; absent: a fresh ring. */
  readonly base?: number;
}

/** What is done with the chains of a ring. */
export interface RingOwner {
  /** Chains that `take` has room for. */
  room(): number;
  /** Takes all chains of the batch, which is used again afterwards. */
  take(batch: ChainBatch, nowPs: Ps): void;
  /** Completes the buffers (`DeviceRing.queue.pushUsed`) whose bytes are there at `nowPs`; answers the frames among them. */
  settle(nowPs: Ps): number;
  /** Forgets the chains that it took and did not complete: the last ones that were taken. Answers how many. */
  abandon(): number;
  /** The driver broke the ring, or its memory is not mapped. */
  broken(reason: string): void;
}

/** Descriptors of a packed ring in a line of 64 bytes, the least that a look at them reads. */
const LINE_DESCRIPTORS = 64 / DESC_BYTES;

const INDEX = 0;
const RING = 1;
const DESCRIPTORS = 2;
const USED = 3;
const CALL = 4;

/**
 * The device side of one virtqueue in hardware: every look at the driver's memory is a DMA read that takes its time,
 * and its bytes are those of the moment at which it completes. Split: index, then ring entries, then descriptors, each
 * a round trip. Packed: descriptors at once, and as no index tells how many there are, a line of them at first and
 * twice as many as long as all of them are there. With nothing left, notifications are enabled and the ring is looked at
 * once more, no earlier than the driver can have seen that; then the doorbell is waited for.
 */
export class DeviceRing implements TimerOwner {
  readonly queue: DeviceQueue;
  readonly #nic: Nic;
  readonly #domain: DmaDomain;
  readonly #setup: RingSetup;
  readonly #owner: RingOwner;
  readonly #gate: InterruptGate;
  readonly #batch: ChainBatch;
  readonly #totals: QueueTotals;
  readonly #timer: number;
  readonly #split: boolean;
  readonly #layout: ReturnType<typeof ringLayout>;
  /** Entries whose ring read or descriptor read is under way, one number per read, oldest first. */
  readonly #ringReads: number[] = [];
  readonly #descriptorReads: number[] = [];
  #fetching = 0;
  #ahead = LINE_DESCRIPTORS;
  #looking = false;
  #armed = true;
  #paused = false;
  #running = false;
  #checking = false;
  #checkAgain = false;
  #unannounced = 0;

  /** `batch` is scratch space that rings share. Throws when the ring does not lie in one piece; see `ringProblem`. */
  constructor(
    nic: Nic,
    domain: DmaDomain,
    end: MemoryEnd,
    setup: RingSetup,
    owner: RingOwner,
    gate: InterruptGate,
    batch: ChainBatch,
    totals: QueueTotals,
  ) {
    this.#nic = nic;
    this.#domain = domain;
    this.#setup = setup;
    this.#owner = owner;
    this.#gate = gate;
    this.#batch = batch;
    this.#totals = totals;
    this.#timer = nic.register(this);
    this.#split = setup.format === 'split';
    this.#layout = ringLayout(setup.format, setup.size, setup.features.eventIdx);
    const place = {
      size: setup.size,
      index: setup.index,
      features: setup.features,
      descOffset: domain.translate(setup.descriptorArea, this.#layout.desc.bytes, ACCESS_READ),
      driverOffset: domain.translate(setup.driverArea, this.#layout.driver.bytes, ACCESS_READ),
      deviceOffset: domain.translate(setup.deviceArea, this.#layout.device.bytes, ACCESS_WRITE),
    };
    const Device = this.#split ? SplitDevice : PackedDevice;
    this.queue = new Device(nic.arena, end.publisher, domain, place);
  }

  /** Starts to look for buffers. */
  start(nowPs: Ps): void {
    this.#running = true;
    if (this.#setup.base !== undefined) {
      // nobody knows what the event words of a ring taken over say: enable anew
      this.#armed = false;
      if (!this.queue.restoreBase(this.#setup.base)) {
        this.#break('ring-base');
        return;
      }
    }
    this.#look(nowPs, nowPs);
  }

  /** Stops for good: nothing of it happens any more. Buffers that are fetched and not used are the owner's to forget. */
  stop(): void {
    this.#running = false;
  }

  /**
   * Stops with nothing in flight: what was fetched and not carried out is given back, what is complete is published.
   * Answers the position, as VHOST_USER_GET_VRING_BASE writes it.
   */
  suspend(): number {
    if (this.#running) {
      this.queue.unpop(this.#owner.abandon());
      this.#owner.settle(Number.POSITIVE_INFINITY);
      this.queue.publishUsed();
    }
    this.#running = false;
    return this.queue.saveBase();
  }

  get running(): boolean {
    return this.#running;
  }

  /** It is never used again: its number is free. */
  dispose(): void {
    this.#running = false;
    this.#nic.release(this.#timer);
  }

  /** The driver rang. */
  doorbell(nowPs: Ps): void {
    if (!this.#paused) this.#look(nowPs, nowPs);
  }

  /** The owner has room again. */
  resume(nowPs: Ps): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.#look(nowPs, nowPs);
  }

  get paused(): boolean {
    return this.#paused;
  }

  /**
   * Writes `entries` used entries to the driver's memory from `atPs` on; when they are there, at the earliest at
   * `notBeforePs`, the owner settles and the entries are published.
   */
  writeUsed(atPs: Ps, entries: number, notBeforePs: Ps): void {
    if (!this.#running) return;
    const { meter, ops } = this.#nic;
    // in order, one entry stands for all transmit buffers of a batch (virtio 1.3, 2.7.9 and 2.8.9)
    const written = this.#setup.features.inOrder && (this.#setup.index & 1) === 1 ? 1 : entries;
    const bytes = this.#split ? written * 8 + 2 : written * DESC_BYTES;
    const area = this.#split ? this.#setup.deviceArea : this.#setup.descriptorArea;
    let done = this.#domain.write(atPs, area, this.#split ? written * 8 : bytes);
    if (this.#split && done >= 0) done = this.#domain.write(done, area, 2);
    if (done < 0) {
      this.#break(faultName(done));
      return;
    }
    meter.book(ops.usedWrite, 1, bytes, done - atPs);
    this.#nic.later(done > notBeforePs ? done : notBeforePs, this.#timer, USED);
  }

  /** A sampled packet is among the buffers that are used now: an interrupt that follows tells of it. */
  announce(packet: number): void {
    this.#gate.announce(packet);
  }

  due(kind: number, nowPs: Ps): void {
    if (!this.#running) return;
    if (kind === INDEX) this.#onIndex(nowPs);
    else if (kind === RING) this.#onRing(nowPs);
    else if (kind === DESCRIPTORS) this.#onDescriptors(nowPs);
    else if (kind === USED) this.#onUsed(nowPs);
    else if (kind === CALL) this.#onCall(nowPs);
  }

  /** Looks for new buffers; the answer is not from before `notBeforePs`. */
  #look(nowPs: Ps, notBeforePs: Ps): void {
    if (!this.#running || this.#looking) return;
    if (this.#split) {
      this.#looking = true;
      this.#read(nowPs, notBeforePs, this.#setup.driverArea, 4, INDEX);
      return;
    }
    if (this.#fetching > 0) return;
    const room = this.#owner.room();
    if (room <= 0) {
      this.#paused = true;
      return;
    }
    const position = (this.queue.saveBase() & 0x7fff) % this.#setup.size;
    const toLineEnd = this.#ahead - (position % LINE_DESCRIPTORS);
    const ask = Math.min(room, toLineEnd, this.#setup.size - position);
    this.#fetching = ask;
    this.#descriptorReads.push(ask);
    this.#read(
      nowPs,
      notBeforePs,
      this.#setup.descriptorArea + position * DESC_BYTES,
      ask * DESC_BYTES,
      DESCRIPTORS,
    );
  }

  #onIndex(nowPs: Ps): void {
    this.#looking = false;
    const found = this.queue.available() - this.#fetching;
    if (this.#isBroken()) return;
    if (found <= 0) {
      if (this.#fetching === 0) this.#arm(nowPs);
      return;
    }
    this.#disarm();
    let take = Math.min(found, this.#owner.room() - this.#fetching);
    this.#paused = take < found;
    while (take > 0) {
      const part = Math.min(take, this.#nic.constants.descriptorPrefetch);
      take -= part;
      this.#fetching += part;
      this.#ringReads.push(part);
      this.#read(nowPs, nowPs, this.#setup.driverArea, part * 2, RING);
    }
    if (!this.#paused) this.#look(nowPs, nowPs);
  }

  #onRing(nowPs: Ps): void {
    const entries = this.#ringReads.shift() as number;
    this.#descriptorReads.push(entries);
    this.#read(nowPs, nowPs, this.#setup.descriptorArea, entries * DESC_BYTES, DESCRIPTORS);
  }

  #onDescriptors(nowPs: Ps): void {
    const asked = this.#descriptorReads.shift() as number;
    this.#fetching -= asked;
    const taken = this.queue.pop(this.#batch, asked);
    if (taken > 0) this.#owner.take(this.#batch, nowPs);
    if (this.#isBroken()) return;
    if (this.#split) {
      if (this.#fetching === 0 && !this.#paused) this.#look(nowPs, nowPs);
      return;
    }
    this.#ahead =
      taken < asked ? LINE_DESCRIPTORS : Math.min(2 * this.#ahead, this.#nic.constants.descriptorPrefetch);
    if (taken === 0) {
      this.#arm(nowPs);
      return;
    }
    this.#disarm();
    this.#look(nowPs, nowPs);
  }

  /** Nothing there: asks for a doorbell and looks once more, or waits for it when that was the second look. */
  #arm(nowPs: Ps): void {
    if (this.#armed) return;
    this.#armed = true;
    this.queue.enableNotifications();
    this.#look(nowPs, nowPs + this.#nic.constants.upLatencyPs);
  }

  #disarm(): void {
    if (!this.#armed) return;
    this.#armed = false;
    this.queue.disableNotifications();
  }

  #onUsed(nowPs: Ps): void {
    this.#unannounced += this.#owner.settle(nowPs);
    this.queue.publishUsed();
    this.#checkCall(nowPs);
  }

  /** Reads what the driver says about interrupts; the read pushes the used write before it. */
  #checkCall(nowPs: Ps): void {
    if (this.#checking) {
      this.#checkAgain = true;
      return;
    }
    this.#checking = true;
    this.#read(nowPs, nowPs + this.#nic.constants.upLatencyPs, this.#setup.driverArea, 4, CALL);
  }

  #onCall(nowPs: Ps): void {
    this.#checking = false;
    const frames = this.#unannounced;
    this.#unannounced = 0;
    if (this.queue.shouldCall()) this.#gate.raise(nowPs, frames > 0 ? frames : 1);
    else this.#totals.callsSuppressed++;
    if (!this.#checkAgain) return;
    this.#checkAgain = false;
    this.#checkCall(nowPs);
  }

  #read(nowPs: Ps, notBeforePs: Ps, address: number, bytes: number, kind: number): void {
    const done = this.#domain.read(nowPs, address, bytes);
    if (done < 0) {
      this.#break(faultName(done));
      return;
    }
    const { meter, ops } = this.#nic;
    meter.book(ops.descRead, 1, bytes, done - nowPs);
    this.#nic.later(done > notBeforePs ? done : notBeforePs, this.#timer, kind);
  }

  #isBroken(): boolean {
    if (this.queue.violation === 0) return false;
    this.#break(violationName(this.queue.violation));
    return true;
  }

  #break(reason: string): void {
    if (!this.#running) return;
    this.#running = false;
    this.#owner.broken(reason.replaceAll(/[ _]/g, '-'));
  }
}

/** One sentence that says why a ring cannot be used by the device, or undefined when it can. */
export function ringProblem(domain: DmaDomain, setup: RingSetup): string | undefined {
  const { format, size, features } = setup;
  const layout = ringLayout(format, size, features.eventIdx);
  const areas = [
    ['descriptor', setup.descriptorArea, layout.desc, ACCESS_READ],
    ['driver', setup.driverArea, layout.driver, ACCESS_READ],
    ['device', setup.deviceArea, layout.device, ACCESS_WRITE],
  ] as const;
  for (const [name, address, area, access] of areas) {
    if (address % area.align !== 0)
      return `the ${name} area of queue ${setup.index} is not aligned to ${area.align}`;
    const offset = domain.translate(address, area.bytes, access);
    if (offset < 0) return `the ${name} area of queue ${setup.index} is not usable: ${faultName(offset)}`;
    if (offset % area.align !== 0)
      return `the ${name} area of queue ${setup.index} is mapped off its alignment`;
  }
  return undefined;
}
