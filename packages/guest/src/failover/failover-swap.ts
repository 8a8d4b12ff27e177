import type { ControlEnd, CoreContext, Procedure } from '@vhostlab/engine';
import { FAILOVER_DEVICES, type FailoverDeviceName, STEER_TO } from '@vhostlab/workload';
import type { VmmConfig, VmmFailover, VmmSwap } from '../core-config.ts';
import { emptySwapReport, type SwapReport } from '../instances/swap.ts';
import { PLUG, UNPLUG, UNPLUGGED } from './failover-config.ts';

/** The emulated primary device, as its VMM plugs and unplugs it. */
export interface PluggableDevice {
  /** Makes the device appear, with what its back end offers; false when that refuses. */
  plug(): Procedure<boolean>;
  /** Takes the rings from its back end and the device from the guest. */
  unplug(): Procedure<void>;
}

/**
 * Changes to and from a device that is passed through: nothing can be carried, so the primary device is unplugged, traffic
 * goes over the standby device (VIRTIO_NET_F_STANDBY, net_failover in the guest), and the new primary device is plugged.
 */
export class FailoverSwapper {
  readonly #context: CoreContext;
  readonly #failover: VmmFailover;
  readonly #guest: number;
  readonly #emulated: PluggableDevice;
  readonly #plug: ControlEnd;
  readonly #steer: ControlEnd;
  readonly #reports: SwapReport[] = [];
  #primary: 'emulated' | 'passed' | undefined;
  #backend: string;

  constructor(context: CoreContext, config: VmmConfig, failover: VmmFailover, emulated: PluggableDevice) {
    this.#context = context;
    this.#failover = failover;
    this.#guest = config.guest;
    this.#emulated = emulated;
    this.#plug = context.control('plug');
    this.#steer = context.control('steer');
    this.#primary = failover.primary;
    this.#backend = failover.primary === 'passed' ? 'vfio' : config.backend;
    context.onCollect('swaps', () => this.#reports);
  }

  /** Carries out one event from beginning to end. */
  *swap(event: VmmSwap): Procedure {
    const context = this.#context;
    const report = emptySwapReport(event.number, this.#guest, this.#backend, event.to, context.now());
    this.#reports.push(report);
    const next = event.to === 'vfio' ? 'passed' : 'emulated';
    if (this.#primary !== undefined) yield* this.#unplug(this.#primary, report);
    report.path = 'failover';
    report.reason = `${event.to === 'vfio' ? event.to : this.#backend} is a device passed through: hot-unplug, and the standby device on vhost-net meanwhile`;
    if (next === 'emulated' && !(yield* this.#emulated.plug())) {
      this.#refuse(report, `${event.to} refused to be opened`);
      return;
    }
    const plugged = yield this.#plug.request(PLUG, bodyOf(next));
    if (plugged.value !== 0) {
      this.#refuse(report, `the driver of the guest did not set the device on ${event.to} up`);
      return;
    }
    this.#primary = next;
    this.#backend = event.to;
    report.startedPs = context.now();
    yield* this.#steerTo(next);
    report.releasedPs = context.now();
    this.#note(`failover from ${report.from} to ${report.to}`);
  }

  *#unplug(device: 'emulated' | 'passed', report: SwapReport): Procedure {
    const context = this.#context;
    yield this.#plug.request(UNPLUG, bodyOf(device));
    report.heldPs = context.now();
    report.drainedPs = report.heldPs;
    if (device === 'emulated') yield* this.#emulated.unplug();
    yield this.#plug.request(UNPLUGGED, bodyOf(device));
    report.stoppedPs = context.now();
    this.#primary = undefined;
    // the card learns of it when the device is gone: what comes until then is lost there
    yield* this.#steerTo('standby');
  }

  *#steerTo(device: FailoverDeviceName): Procedure {
    yield this.#steer.request(STEER_TO, Uint8Array.of(this.#failover.instances[device]));
  }

  #refuse(report: SwapReport, reason: string): void {
    report.path = 'refused';
    report.reason = `${reason}; traffic stays on the standby device`;
    this.#context.counter('setup.refused').value++;
    this.#note(`swap to ${report.to} refused: ${report.reason}`);
  }

  #note(text: string): void {
    this.#context.recorder.note(
      this.#context.stage('setup'),
      `guest ${this.#guest}: ${text}`,
      this.#guest,
      0,
    );
  }
}

function bodyOf(device: FailoverDeviceName): Uint8Array {
  return Uint8Array.of(FAILOVER_DEVICES.indexOf(device));
}
