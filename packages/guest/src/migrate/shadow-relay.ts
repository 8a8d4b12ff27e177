import {
  BARRIER,
  type CoreContext,
  DONE,
  IDLE,
  type MemoryEnd,
  type Task,
  type TaskResult,
} from '@vhostlab/engine';
import { AddressSpace, PageSet, PERMISSION_RW } from '@vhostlab/memory';
import type { FeatureSet, PciQueue } from '@vhostlab/virtio-net';
import { ringLayout, ShadowQueue, type ShadowSides, SplitDevice, SplitDriver } from '@vhostlab/virtqueue';
import type { VmmConfig } from '../core-config.ts';

const BURST = 64;

/** Where the rings of one queue are, on both sides. */
interface Relayed {
  readonly queue: ShadowQueue;
  readonly guestEnd: MemoryEnd;
  readonly deviceEnd: MemoryEnd;
  /** 0: receive, 1: transmit queue of its pair. */
  readonly vector: number;
  isPublished: boolean;
  isUsed: boolean;
}

/**
 * The VMM between a guest and its vDPA device, on the main loop: shadow virtqueues for all queues. It relays every buffer,
 * so it sees each page that the device writes; each kick of the guest is an exit and wakes it, and so does each call of the
 * device.
 */
export class ShadowRelay implements Task {
  readonly name = 'vmm.shadow';
  readonly #context: CoreContext;
  readonly #config: VmmConfig;
  readonly #written: PageSet;
  readonly #opWakeup: number;
  readonly #opRelay: number;
  readonly #opCall: number;
  #relayed: Relayed[] = [];
  #step: 'work' | 'tell' | 'armed' = 'armed';
  #runs = false;

  constructor(context: CoreContext, config: VmmConfig) {
    this.#context = context;
    this.#config = config;
    this.#written = new PageSet(config.layout.bytes);
    this.#opWakeup = context.op('vdpa.shadow_wakeup');
    this.#opRelay = context.op('vdpa.shadow_relay');
    this.#opCall = context.op('vdpa.shadow_call');
    context.addTask(this);
  }

  /** Guest addresses of the shadow ring of queue `index` of `size` entries: descriptor, driver and device area. */
  areas(index: number, size: number): [descriptor: number, driver: number, device: number] {
    const { shadow } = this.#config.layout;
    if (shadow === undefined) throw new Error('the guest has no room for shadow virtqueues');
    const ring = ringLayout('split', size, true);
    const at = shadow.at + index * shadow.ringBytes;
    return [at + ring.desc.offset, at + ring.driver.offset, at + ring.device.offset];
  }

  /** Takes the guest's rings over at `bases` and makes fresh shadow rings. */
  start(features: FeatureSet, queues: readonly PciQueue[], bases: readonly number[]): void {
    const { arena } = this.#context;
    const { layout, window } = this.#config;
    const base = this.#context.window(window);
    const space = new AddressSpace(arena);
    for (const { gpa, bytes } of layout.regions) space.map(gpa, bytes, base + gpa, PERMISSION_RW);
    const ringFeatures = { eventIdx: features.has('EVENT_IDX'), indirect: false, inOrder: false };
    this.#relayed = bases.map((from, index) => {
      const { size, descriptorArea, driverArea, deviceArea } = queues[index];
      const guestEnd = this.#context.memory(`shadow${index >>> 1}`);
      const deviceEnd = this.#context.memory(`device${index >>> 1}`);
      const place = ([desc, driver, device]: readonly number[]) => ({
        size,
        index,
        descOffset: base + desc,
        driverOffset: base + driver,
        deviceOffset: base + device,
        features: ringFeatures,
      });
      const guest = new SplitDevice(
        arena,
        guestEnd.publisher,
        space,
        place([descriptorArea, driverArea, deviceArea]),
      );
      if (!guest.restoreBase(from)) throw new Error(`the device stood at ${from}, outside of ring ${index}`);
      const shadow = new SplitDriver(arena, deviceEnd.publisher, place(this.areas(index, size)));
      const vector = index & 1;
      const queue = new ShadowQueue(guest, shadow, this.#sides(guestEnd, deviceEnd, base, vector));
      return { queue, guestEnd, deviceEnd, vector, isPublished: false, isUsed: false };
    });
    this.#written.clear();
    for (const index of this.#relayed.keys()) this.#wroteRing(queues[index]);
    this.#runs = true;
    this.#step = 'work';
  }

  #sides(guestEnd: MemoryEnd, deviceEnd: MemoryEnd, base: number, queue: number): ShadowSides {
    return {
      toDevice: (address, length) => deviceEnd.publisher.cover(base + address, length),
      toGuest: (address, length) => {
        guestEnd.publisher.cover(base + address, length);
        this.#written.addRange(address, length);
      },
      offered: (guestSlot, shadowSlot) =>
        deviceEnd.setTag(
          queue,
          shadowSlot,
          guestEnd.tagPacket(queue, guestSlot),
          guestEnd.tagBornPs(queue, guestSlot),
        ),
      used: (guestSlot, shadowSlot) =>
        guestEnd.setTag(
          queue,
          guestSlot,
          deviceEnd.tagPacket(queue, shadowSlot),
          deviceEnd.tagBornPs(queue, shadowSlot),
        ),
    };
  }

  /** The VMM's own writes to a guest's ring are dirty too: all of its device area, whichever entry it was. */
  #wroteRing({ deviceArea, size }: PciQueue): void {
    this.#written.addRange(deviceArea, ringLayout('split', size, true).device.bytes);
  }

  /** Pages that the device and the VMM wrote since the last call, as the bytes of a dirty log. */
  take(queues: readonly PciQueue[]): Uint8Array {
    const log = this.#written.take();
    for (const index of this.#relayed.keys()) this.#wroteRing(queues[index]);
    return log;
  }

  /** True when the device has nothing for the guest that was not relayed. */
  get isLevel(): boolean {
    return this.#relayed.every(({ queue }) => !queue.shadow.hasUsed() && queue.unpublished === 0);
  }

  /**
   * The device has stopped: what it completed goes to the guest, the rest is given back to the guest's rings. Answers where
   * these stand.
   */
  stop(): number[] {
    this.#runs = false;
    return this.#relayed.map(({ queue }) => {
      while (queue.complete(BURST) > 0);
      queue.publishUsed();
      queue.guest.unpop(queue.inFlight);
      return queue.guest.saveBase();
    });
  }

  run(): TaskResult {
    if (!this.#runs) return IDLE;
    if (this.#step === 'tell') return this.#tell();
    const rung = this.#rung();
    if (rung) this.#context.meter.charge(this.#opWakeup, 1, 0);
    if (this.#relay()) {
      this.#step = 'tell';
      return BARRIER;
    }
    if (this.#step === 'armed') return IDLE;
    // asks for kicks and calls, and looks once more after the barrier
    this.#step = 'armed';
    for (const { queue } of this.#relayed) {
      queue.guest.enableNotifications();
      queue.shadow.enableInterrupts();
    }
    return BARRIER;
  }

  #rung(): boolean {
    let mask = 0;
    for (const { guestEnd, deviceEnd } of this.#relayed) {
      mask |= guestEnd.takeNotified() | deviceEnd.takeNotified();
    }
    return mask !== 0;
  }

  /** One burst each way of every queue; true when something was published. */
  #relay(): boolean {
    const { meter } = this.#context;
    let published = false;
    for (const one of this.#relayed) {
      const { queue } = one;
      const count = queue.complete(BURST) + queue.relay(BURST);
      if (count > 0) meter.charge(this.#opRelay, count, 0);
      one.isPublished = queue.publish();
      one.isUsed = queue.publishUsed();
      published ||= one.isPublished || one.isUsed;
    }
    return published;
  }

  /** After the barrier: kicks and calls that are wanted. */
  #tell(): TaskResult {
    const { meter } = this.#context;
    for (const { queue, guestEnd, deviceEnd, vector, isPublished, isUsed } of this.#relayed) {
      if (isPublished && queue.shadow.shouldKick()) {
        meter.charge(this.#opCall, 1, 0);
        deviceEnd.notify(vector);
      }
      if (isUsed && queue.guest.shouldCall()) {
        meter.charge(this.#opCall, 1, 0);
        guestEnd.notify(vector);
      }
    }
    this.#step = 'work';
    return DONE;
  }
}
