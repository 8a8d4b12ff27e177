import { vhostV1 } from '@vhostlab/contracts';
import type { ControlEnd, CoreContext, Procedure, Ps } from '@vhostlab/engine';
import {
  FeatureSet,
  type PciQueue,
  STATUS_ACKNOWLEDGE,
  STATUS_DRIVER,
  STATUS_DRIVER_OK,
  STATUS_FEATURES_OK,
} from '@vhostlab/virtio-net';
import { METHOD_QUIESCE } from '@vhostlab/workload';
import type { VmmConfig, VmmInstance } from './core-config.ts';
import { backendShare } from './features.ts';
import { EOPNOTSUPP, type VhostRequestInit, vhostRequest } from './vhost-requests.ts';

/** Where the VMM has mapped guest memory: host user address of guest address 0, one tebibyte per guest. */
const USER_BASE = 0x7f00_0000_0000;
const USER_STRIDE = 0x100_0000_0000;
/** A packed ring that nobody has used: slot 0, wrap counter 1, available and used. */
const FRESH_PACKED_BASE = 0x8000_8000;
/** How often the VMM looks whether a back end is quiet. */
const QUIESCE_LOOK_PS = 1_000_000;
const READ_WRITE = vhostV1.Access.READ_WRITE;

/** What of the virtio-pci device the set-up needs. */
export interface DeviceState {
  features: FeatureSet;
  queues: readonly PciQueue[];
  /** Where the rings stand, by queue, when another device ran them before; absent: nobody did. */
  bases?: readonly number[];
}

/** A VMM's side of vhost: the requests that it makes of the back end, in QEMU's order. */
export class VhostSetup {
  /** Requests that were refused; the first one stops the set-up. */
  refused = 0;
  readonly #context: CoreContext;
  readonly #config: VmmConfig;
  readonly #instance: VmmInstance;
  readonly #ends: ControlEnd[];
  readonly #stage: number;
  #owned = false;

  constructor(context: CoreContext, config: VmmConfig, instance: VmmInstance) {
    this.#context = context;
    this.#config = config;
    this.#instance = instance;
    this.#ends = instance.ends.map((end) => context.control(end));
    for (const end of this.#ends)
      end.onRequest((_method, _body, reply) => reply(EOPNOTSUPP, new Uint8Array(0)));
    this.#stage = context.stage('setup');
  }

  /** Takes ownership and asks for the features that all of the back end's devices offer; undefined when refused. */
  *open(): Procedure<FeatureSet | undefined> {
    let offers: FeatureSet | undefined;
    for (let q = 0; q < this.#ends.length; q++) {
      if (!this.#owned && !(yield* this.#ask(q, 'SET_OWNER', { case: 'setOwner', value: {} })))
        return undefined;
      const reply = yield* this.#ask(q, 'GET_FEATURES', { case: 'getFeatures', value: {} });
      if (reply?.answer.case !== 'features') return undefined;
      const features = FeatureSet.fromBigInt(reply.answer.value.bits);
      this.#note(`pair ${q}: back end offers ${features}`, features.low, features.high);
      if (this.#instance.backend === 'vhost-user' && features.has('PROTOCOL_FEATURES'))
        yield* this.#protocol(q);
      offers = offers === undefined ? features : offers.and(features);
    }
    this.#owned = true;
    return offers;
  }

  /** Protocol features of vhost-user: everything that is offered is accepted. */
  *#protocol(q: number): Procedure {
    const reply = yield* this.#ask(q, 'GET_PROTOCOL_FEATURES', { case: 'getProtocolFeatures', value: {} });
    if (reply?.answer.case !== 'protocolFeatures') return;
    const bits = reply.answer.value;
    yield* this.#ask(q, 'SET_PROTOCOL_FEATURES', { case: 'setProtocolFeatures', value: { bits } });
  }

  /** What DRIVER_OK sets off: memory and rings of every pair. False when the back end refused something. */
  *start(device: DeviceState): Procedure<boolean> {
    return this.#isVdpa ? yield* this.#startVdpa(device) : yield* this.#startVhost(device);
  }

  *#startVhost(device: DeviceState): Procedure<boolean> {
    for (let q = 0; q < this.#ends.length; q++) {
      if (!(yield* this.#setFeatures(q, device.features))) return false;
      const table: VhostRequestInit = { case: 'setMemTable', value: { regions: this.#regions() } };
      if (!(yield* this.#ask(q, 'SET_MEM_TABLE', table))) return false;
      if (!(yield* this.#ring(q, device, 2 * q))) return false;
      if (!(yield* this.#ring(q, device, 2 * q + 1))) return false;
    }
    return true;
  }

  *#startVdpa(device: DeviceState): Procedure<boolean> {
    const driver = STATUS_ACKNOWLEDGE | STATUS_DRIVER;
    if (!(yield* this.#setStatus(driver))) return false;
    if (!(yield* this.#setFeatures(0, device.features))) return false;
    if (!(yield* this.#setStatus(driver | STATUS_FEATURES_OK))) return false;
    for (const { guestPhysAddr, sizeBytes, userAddr, window, windowOffset, pageBytes } of this.#regions()) {
      const value = {
        iova: guestPhysAddr,
        sizeBytes,
        userAddr,
        access: READ_WRITE,
        window,
        windowOffset,
        pageBytes,
      };
      if (!(yield* this.#ask(0, 'DMA_MAP', { case: 'dmaMap', value }))) return false;
    }
    for (let index = 0; index < 2 * this.#config.queues; index++) {
      if (!(yield* this.#ring(0, device, index))) return false;
    }
    return yield* this.#setStatus(driver | STATUS_FEATURES_OK | STATUS_DRIVER_OK);
  }

  /** A reset of the device: every ring stops. */
  *stop(): Procedure {
    if (this.#isVdpa) {
      yield* this.#setStatus(0);
      return;
    }
    for (let q = 0; q < this.#ends.length; q++) {
      for (const index of [2 * q, 2 * q + 1]) {
        yield* this.#ask(q, `GET_VRING_BASE ${index}`, { case: 'getVringBase', value: { index } });
      }
    }
  }

  /**
   * Takes the rings away from the back end and answers where they stand, by queue; what was completed is published before.
   * vDPA: the device is suspended for that, then reset, and its mappings are removed. Undefined when something was refused.
   */
  *detach(queues: number): Procedure<number[] | undefined> {
    if (this.#isVdpa && !(yield* this.#ask(0, 'SUSPEND', { case: 'suspend', value: {} }))) return undefined;
    const bases: number[] = [];
    for (let index = 0; index < queues; index++) {
      const q = this.#isVdpa ? 0 : index >>> 1;
      const reply = yield* this.#ask(q, `GET_VRING_BASE ${index}`, {
        case: 'getVringBase',
        value: { index },
      });
      if (reply?.answer.case !== 'vringBase') return undefined;
      bases.push(reply.answer.value.base);
    }
    return bases;
  }

  /** After `detach`: a vDPA device is reset and forgets the guest's memory, so that it can be set up again. */
  *release(): Procedure {
    if (!this.#isVdpa) return;
    yield* this.#setStatus(0);
    for (const { guestPhysAddr, sizeBytes } of this.#regions()) {
      const value = { iova: guestPhysAddr, sizeBytes };
      yield* this.#ask(0, 'DMA_UNMAP', { case: 'dmaUnmap', value });
    }
  }

  /** Frames that went through each ring so far. */
  *frames(queues: number): Procedure<number[]> {
    const frames: number[] = [];
    for (let index = 0; index < queues; index++) {
      const q = this.#isVdpa ? 0 : index >>> 1;
      const reply = yield* this.#ask(q, `GET_VRING_STATE ${index}`, {
        case: 'getVringState',
        value: { index },
      });
      frames.push(reply?.answer.case === 'vringState' ? Number(reply.answer.value.frames) : 0);
    }
    return frames;
  }

  /** Waits until the host's cores have nothing under way for the guest; vDPA has none. False after `limitPs`. */
  *quiesce(limitPs: Ps): Procedure<boolean> {
    if (this.#isVdpa) return true;
    for (const end of this.#ends) {
      const asked = end.request(METHOD_QUIESCE, new Uint8Array(0));
      while (!asked.done) {
        if (this.#context.now() >= limitPs) return false;
        yield this.#context.delay(this.#context.now() + QUIESCE_LOOK_PS);
      }
    }
    return true;
  }

  *#setFeatures(q: number, features: FeatureSet): Procedure<boolean> {
    const share = backendShare(features);
    const bits = share.toBigInt();
    const request: VhostRequestInit = { case: 'setFeatures', value: { features: { bits, bitsHigh: 0n } } };
    return (yield* this.#ask(q, `SET_FEATURES ${share}`, request)) !== undefined;
  }

  *#setStatus(status: number): Procedure<boolean> {
    const request: VhostRequestInit = { case: 'setStatus', value: { status } };
    return (yield* this.#ask(0, `SET_STATUS ${status}`, request)) !== undefined;
  }

  /**
   * One ring: VRING_NUM, _BASE, _ADDR, _KICK, _CALL and _ENABLE in one request. Addresses are the VMM's own for vhost,
   * I/O virtual ones (guest physical here) for vDPA.
   */
  *#ring(q: number, device: DeviceState, index: number): Procedure<boolean> {
    const queue = device.queues[index];
    if (!queue.enabled) return true;
    const offset = this.#isVdpa ? 0 : this.#userBase();
    const vector = index & 1;
    const value = {
      index,
      num: queue.size,
      descriptorAddr: BigInt(offset + queue.descriptorArea),
      driverAddr: BigInt(offset + queue.driverArea),
      deviceAddr: BigInt(offset + queue.deviceArea),
      base: device.bases?.[index] ?? (device.features.has('RING_PACKED') ? FRESH_PACKED_BASE : 0),
      takenOver: device.bases !== undefined,
      kick: true,
      call: queue.vector !== 0xffff,
      kickVector: vector,
      callVector: vector,
      enable: true,
    };
    return (yield* this.#ask(q, `SET_VRING ${index}`, { case: 'setVring', value })) !== undefined;
  }

  #userBase(): number {
    return USER_BASE + this.#config.guest * USER_STRIDE;
  }

  #regions() {
    const { layout } = this.#config;
    // host cores of an instance know the window of their instance by the plain name
    const window = this.#isVdpa ? this.#instance.window : this.#config.window;
    return layout.regions.map(({ gpa, bytes }) => ({
      guestPhysAddr: BigInt(gpa),
      sizeBytes: BigInt(bytes),
      userAddr: BigInt(this.#userBase() + gpa),
      window,
      windowOffset: BigInt(gpa),
      pageBytes: BigInt(layout.pageBytes),
    }));
  }

  get #isVdpa(): boolean {
    return this.#instance.backend === 'vdpa';
  }

  /** Asks and records; undefined when refused. */
  *#ask(q: number, what: string, request: VhostRequestInit): Procedure<vhostV1.VhostReply | undefined> {
    const reply = yield* vhostRequest(this.#ends[q], request);
    if (reply.error === 0) {
      this.#note(`pair ${q}: ${what}`, q, 0);
      return reply;
    }
    this.refused++;
    this.#note(`pair ${q}: ${what} refused: ${reply.reason}`, q, reply.error);
    return undefined;
  }

  #note(text: string, a: number, b: number): void {
    this.#context.recorder.note(this.#stage, `guest ${this.#config.guest}, ${text}`, a, b);
  }
}
