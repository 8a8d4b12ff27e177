import type { ControlEnd, CoreContext, Procedure, Ps } from '@vhostlab/engine';
import type { FeatureSet, PciQueue } from '@vhostlab/virtio-net';
import { ROUTE_TO, STEER_FLUSH, STEER_HOLD, STEER_TO } from '@vhostlab/workload';
import type { VmmConfig, VmmSwap } from '../core-config.ts';
import { backendShare } from '../features.ts';
import type { VhostSetup } from '../vhost-setup.ts';

/** How a guest's device got to another back end, or why it did not. Moments in picoseconds from the start of the run. */
export interface SwapReport {
  /** Place in the scenario's events. */
  number: number;
  guest: number;
  from: string;
  to: string;
  /** carried: the driver saw nothing. reset: it was told DEVICE_NEEDS_RESET. failover: over a standby device. refused: it stayed. */
  path: 'carried' | 'reset' | 'failover' | 'refused';
  reason: string;
  /** Acknowledged features that the new back end does not offer. */
  missing: string[];
  commandPs: Ps;
  /** The port of the NIC was paused and what it had was with the host. */
  heldPs: Ps;
  /** Nothing was under way on the host any more. */
  drainedPs: Ps;
  /** The rings stood still. */
  stoppedPs: Ps;
  /** The rings ran at the new back end. */
  startedPs: Ps;
  /** The port went on. */
  releasedPs: Ps;
  /** Frames completed between the command and the stop, towards the guest and from it. */
  drained: { rx: number; tx: number };
  /** The back end did not become quiet in time; what it still had is among its drops. */
  gaveUp: boolean;
}

/** The report of a change that has not got anywhere. */
export function emptySwapReport(
  number: number,
  guest: number,
  from: string,
  to: string,
  commandPs: Ps,
): SwapReport {
  return {
    number,
    guest,
    from,
    to,
    path: 'refused',
    reason: '',
    missing: [],
    commandPs,
    heldPs: 0,
    drainedPs: 0,
    stoppedPs: 0,
    startedPs: 0,
    releasedPs: 0,
    drained: { rx: 0, tx: 0 },
    gaveUp: false,
  };
}

/** The device as a change of its back end sees it. */
export interface SwappedDevice {
  readonly isRunning: boolean;
  readonly features: FeatureSet;
  readonly queues: readonly PciQueue[];
  /** Instance that serves it. */
  present: number;
  /** Sets DEVICE_NEEDS_RESET; once the driver resets it, the device offers what the present back end does. */
  demandReset(offers: FeatureSet): void;
  /** Completes when the driver has set the device up again and every receive queue has buffers; the moment or -1. */
  waitForDriver(limitPs: Ps): Procedure<boolean>;
}

/** A back end that is not quiet by then is taken the rings from all the same. */
const DRAIN_LIMIT_PS = 20_000_000_000;
/** A driver that has not come back by then has failed. */
const DRIVER_LIMIT_PS = 100_000_000_000;

/**
 * Moves an emulated device to another back end while the guest runs. In this order nothing is lost and nothing overtakes:
 * the NIC's port is paused; what came in goes to the guest; the rings stop and what the guest has sent leaves; the bases go
 * to the new back end, which starts; the port goes on with its queues.
 */
export class Swapper {
  readonly reports: SwapReport[] = [];
  readonly #context: CoreContext;
  readonly #config: VmmConfig;
  readonly #setups: readonly VhostSetup[];
  readonly #device: SwappedDevice;
  readonly #steer: ControlEnd;
  readonly #routes: readonly ControlEnd[];

  constructor(
    context: CoreContext,
    config: VmmConfig,
    setups: readonly VhostSetup[],
    device: SwappedDevice,
    routes: readonly ControlEnd[],
  ) {
    this.#context = context;
    this.#config = config;
    this.#setups = setups;
    this.#device = device;
    this.#steer = context.control('steer');
    this.#routes = routes;
    context.onCollect('swaps', () => this.reports);
  }

  /** Carries out one event from beginning to end. */
  *swap(event: VmmSwap): Procedure {
    const { instances, guest } = this.#config;
    const device = this.#device;
    const { backend: from } = instances[device.present];
    const { backend: to } = instances[event.instance];
    const report = emptySwapReport(event.number, guest, from, to, this.#context.now());
    this.reports.push(report);
    if (!device.isRunning) {
      this.#refuse(report, 'the driver of the guest has not set the device up');
      return;
    }
    if (event.instance === device.present) {
      this.#refuse(report, `the guest is on ${report.to} already`);
      return;
    }
    const offers = yield* this.#setups[event.instance].open();
    if (offers === undefined) {
      this.#refuse(report, `${report.to} refused to be opened`);
      return;
    }
    const missing = backendShare(device.features).minus(offers);
    report.missing = missing.names();
    const bases = yield* this.#stop(report, event);
    if (bases === undefined) {
      this.#refuse(report, `${report.from} did not say where its rings stand`);
      return;
    }
    for (const route of this.#routes) yield route.request(ROUTE_TO, Uint8Array.of(event.instance));
    device.present = event.instance;
    const ok = missing.isEmpty
      ? yield* this.#carry(report, event, bases)
      : yield* this.#reset(report, event, offers);
    if (!ok) return;
    yield this.#steer.request(STEER_TO, Uint8Array.of(event.instance));
    report.releasedPs = this.#context.now();
    this.#note(`${report.path} from ${report.from} to ${report.to}`);
  }

  /** Pauses the port, drains and stops the present back end; where its rings stand. */
  *#stop(report: SwapReport, event: VmmSwap): Procedure<number[] | undefined> {
    const queues = 2 * this.#config.queues;
    const from = this.#setups[this.#device.present];
    const before = yield* from.frames(queues);
    const drains = event.skips?.includes('drain') !== true;
    if (drains) yield this.#steer.request(STEER_HOLD, new Uint8Array(0));
    report.heldPs = this.#context.now();
    const limitPs = report.heldPs + DRAIN_LIMIT_PS;
    if (drains) report.gaveUp = !(yield* from.quiesce(limitPs));
    report.drainedPs = this.#context.now();
    const bases = yield* from.detach(queues);
    if (bases === undefined) return undefined;
    report.stoppedPs = this.#context.now();
    const after = yield* from.frames(queues);
    if (drains) {
      if (!(yield* from.quiesce(limitPs))) report.gaveUp = true;
      yield this.#steer.request(STEER_FLUSH, new Uint8Array(0));
    }
    yield* from.release();
    for (let index = 0; index < queues; index++) {
      const frames = after[index] - before[index];
      if ((index & 1) === 0) report.drained.rx += frames;
      else report.drained.tx += frames;
    }
    return bases;
  }

  *#carry(report: SwapReport, event: VmmSwap, bases: readonly number[]): Procedure<boolean> {
    const { features, queues } = this.#device;
    const state =
      event.skips?.includes('bases') === true ? { features, queues } : { features, queues, bases };
    if (!(yield* this.#setups[event.instance].start(state))) {
      this.#refuse(report, `${report.to} refused the device's state`);
      return false;
    }
    report.path = 'carried';
    report.reason = `${report.to} offers every feature that the driver acknowledged`;
    report.startedPs = this.#context.now();
    return true;
  }

  *#reset(report: SwapReport, _event: VmmSwap, offers: FeatureSet): Procedure<boolean> {
    report.path = 'reset';
    report.reason = `${report.to} does not offer ${report.missing.join(', ')}`;
    this.#device.demandReset(offers);
    if (!(yield* this.#device.waitForDriver(this.#context.now() + DRIVER_LIMIT_PS))) {
      this.#refuse(report, `${report.reason}, and the driver did not come back after DEVICE_NEEDS_RESET`);
      return false;
    }
    report.startedPs = this.#context.now();
    return true;
  }

  #refuse(report: SwapReport, reason: string): void {
    report.path = 'refused';
    report.reason = reason;
    this.#context.counter('setup.refused').value++;
    this.#note(`swap to ${report.to} refused: ${reason}`);
  }

  #note(text: string): void {
    const { guest } = this.#config;
    this.#context.recorder.note(this.#context.stage('setup'), `guest ${guest}: ${text}`, guest, 0);
  }
}
