import type { ControlEnd, CoreContext, Procedure } from '@vhostlab/engine';
import {
  STATUS_ACKNOWLEDGE,
  STATUS_DRIVER,
  STATUS_DRIVER_OK,
  STATUS_FEATURES_OK,
} from '@vhostlab/virtio-net';
import { ROUTE_TO, STEER_HOLD, STEER_TO } from '@vhostlab/workload';
import type { VmmConfig } from '../core-config.ts';
import { backendShare } from '../features.ts';
import type { SwappedDevice } from '../instances/swap.ts';
import { type VhostRequestInit, vhostRequest } from '../vhost-requests.ts';
import { ROUTE_WRITTEN } from './methods.ts';
import type { Begun, MigrationSource } from './migration-source.ts';
import { shadowProblem } from './shadow-features.ts';
import { ShadowRelay } from './shadow-relay.ts';

/** VHOST_BACKEND_F_SUSPEND. */
const BACKEND_F_SUSPEND = 1n << 4n;
/** How often it is looked whether the device has anything for the guest, and how long. */
const LOOK_PS = 2_000_000;
const LOOKS = 500;
const READ_WRITE = 3;
const NOTHING = new Uint8Array(0);
const SET_UP = STATUS_ACKNOWLEDGE | STATUS_DRIVER | STATUS_FEATURES_OK;

/**
 * A vDPA device keeps no dirty log, so a VMM puts shadow virtqueues between it and the guest while memory is copied:
 * suspend, take the bases, give the device rings of the VMM's own, resume. Without suspend the device is reset, and where
 * the guest's rings stood is guessed from the used index: what the device had fetched is sent again.
 */
export class ShadowLog implements MigrationSource {
  readonly #context: CoreContext;
  readonly #config: VmmConfig;
  readonly #device: SwappedDevice;
  readonly #routes: readonly ControlEnd[];
  readonly #end: ControlEnd;
  readonly #steer: ControlEnd;
  readonly #relay: ShadowRelay;
  #suspends = true;

  constructor(context: CoreContext, config: VmmConfig, device: SwappedDevice, routes: readonly ControlEnd[]) {
    this.#context = context;
    this.#config = config;
    this.#device = device;
    this.#routes = routes;
    this.#end = context.control(config.instances[0].ends[0]);
    this.#steer = context.control('steer');
    this.#relay = new ShadowRelay(context, config);
  }

  *begin(): Procedure<Begun> {
    const { features, queues } = this.#device;
    const { layout } = this.#config;
    const problem = shadowProblem(features);
    const { shadow } = layout;
    if (problem !== undefined) return { refused: problem };
    if (shadow === undefined) return { refused: 'the VMM has no room for shadow virtqueues' };
    const offered = yield* vhostRequest(this.#end, { case: 'getProtocolFeatures', value: {} });
    this.#suspends =
      offered.answer.case === 'protocolFeatures' && (offered.answer.value & BACKEND_F_SUSPEND) !== 0n;
    const rings = 2 * this.#config.queues;
    const map: VhostRequestInit = {
      case: 'dmaMap',
      value: {
        iova: BigInt(shadow.at),
        sizeBytes: BigInt(shadow.bytes),
        userAddr: BigInt(shadow.at),
        access: READ_WRITE,
        window: this.#config.instances[0].window,
        windowOffset: BigInt(shadow.at),
        pageBytes: 4096n,
      },
    };
    const mapped = yield* vhostRequest(this.#end, map);
    if (mapped.error !== 0) return { refused: `the device cannot map shadow virtqueues: ${mapped.reason}` };
    yield this.#steer.request(STEER_HOLD, NOTHING);
    const bases = yield* this.#stopDevice(rings);
    const route = this.#config.instances.length;
    for (const end of this.#routes) yield end.request(ROUTE_TO, Uint8Array.of(route));
    this.#relay.start(features, queues, bases);
    if (!this.#suspends) yield* this.#setUpAgain();
    for (let index = 0; index < rings; index++) {
      const { size } = queues[index];
      const [desc, driver, device] = this.#relay.areas(index, size);
      const value = {
        index,
        num: size,
        descriptorAddr: BigInt(desc),
        driverAddr: BigInt(driver),
        deviceAddr: BigInt(device),
        base: 0,
        kick: true,
        call: true,
        kickVector: index & 1,
        callVector: index & 1,
        enable: true,
        shadow: true,
      };
      const { error, reason } = yield* vhostRequest(this.#end, { case: 'setVring', value });
      if (error !== 0) return { refused: `the device takes no shadow virtqueue: ${reason}` };
    }
    yield* this.#startDevice();
    yield this.#steer.request(STEER_TO, Uint8Array.of(this.#device.present));
    return { isShadow: true, ...(this.#suspends ? {} : { doubt: UNTRUSTED }) };
  }

  /** Where the rings stand when the device has stopped. */
  *#stopDevice(rings: number): Procedure<number[]> {
    if (!this.#suspends) {
      yield* vhostRequest(this.#end, { case: 'setStatus', value: { status: 0 } });
      // a vCPU that answers has seen the last used index
      for (const end of this.#routes) yield end.request(ROUTE_WRITTEN, NOTHING);
      return Array.from({ length: rings }, (_, index) => this.#usedIndex(index));
    }
    yield* vhostRequest(this.#end, { case: 'suspend', value: {} });
    const bases: number[] = [];
    for (let index = 0; index < rings; index++) {
      const { answer } = yield* vhostRequest(this.#end, { case: 'getVringBase', value: { index } });
      bases.push(answer.case === 'vringBase' ? answer.value.base : 0);
    }
    return bases;
  }

  #usedIndex(index: number): number {
    const at = this.#context.window(this.#config.window) + this.#device.queues[index].deviceArea + 2;
    return this.#context.arena.u16[at >>> 1];
  }

  *#setUpAgain(): Procedure {
    const status = (value: number): VhostRequestInit => ({ case: 'setStatus', value: { status: value } });
    const bits = backendShare(this.#device.features).toBigInt();
    yield* vhostRequest(this.#end, status(STATUS_ACKNOWLEDGE | STATUS_DRIVER));
    yield* vhostRequest(this.#end, { case: 'setFeatures', value: { features: { bits, bitsHigh: 0n } } });
    yield* vhostRequest(this.#end, status(SET_UP));
  }

  *#startDevice(): Procedure {
    const request: VhostRequestInit = this.#suspends
      ? { case: 'resume', value: {} }
      : { case: 'setStatus', value: { status: SET_UP | STATUS_DRIVER_OK } };
    yield* vhostRequest(this.#end, request);
  }

  *take(): Procedure<Uint8Array> {
    // in a run of its own: what had arrived by now is relayed and in the log
    yield this.#context.delay(this.#context.now() + 1);
    return this.#relay.take(this.#device.queues);
  }

  *settle(): Procedure {
    for (let look = 0; look < LOOKS; look++) {
      yield this.#context.delay(this.#context.now() + LOOK_PS);
      if (this.#relay.isLevel) return;
    }
  }

  *stop(): Procedure<number[]> {
    if (this.#suspends) yield* vhostRequest(this.#end, { case: 'suspend', value: {} });
    else yield* vhostRequest(this.#end, { case: 'setStatus', value: { status: 0 } });
    return this.#relay.stop();
  }

  *end(): Procedure {
    const { shadow } = this.#config.layout;
    if (shadow === undefined) return;
    const value = { iova: BigInt(shadow.at), sizeBytes: BigInt(shadow.bytes) };
    yield* vhostRequest(this.#end, { case: 'dmaUnmap', value });
  }
}

const UNTRUSTED =
  'the base of the vDPA device is untrusted: it has no VHOST_BACKEND_F_SUSPEND, so it was reset, its rings go on from the used index, and what it had fetched may be sent twice';
