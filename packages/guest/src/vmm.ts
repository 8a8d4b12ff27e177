import {
  type CoreContext,
  type CoreModule,
  IDLE,
  type Procedure,
  type Ps,
  type RegisterTarget,
  type TaskResult,
} from '@vhostlab/engine';
import {
  COMMON_CONFIG,
  ControlQueue,
  FeatureSet,
  NET_CONFIG,
  NetConfig,
  type PciQueue,
  STATUS_DRIVER_OK,
  VirtioPciDevice,
} from '@vhostlab/virtio-net';
import { CONTROL_SIZE, DueEvents, ROUTE_OPENED } from '@vhostlab/workload';
import { ControlDevice } from './control-device.ts';
import type { VmmConfig, VmmSwap } from './core-config.ts';
import { FailoverSwapper, type PluggableDevice } from './failover/failover-swap.ts';
import { vmmOffers } from './features.ts';
import { type SwappedDevice, Swapper } from './instances/swap.ts';
import { Migrator } from './migrate/migrator.ts';
import { VhostSetup } from './vhost-setup.ts';

/** Notification of the register channel: the device's configuration or status has changed. */
export const VECTOR_CONFIG = 1;
/** How often the VMM looks whether the driver is back. */
const DRIVER_LOOK_PS = 5_000_000;

/** The VMM's part of an emulated device: registers, control queue, and the requests to the back end. */
export const vmmModule: CoreModule = {
  create(context: CoreContext, config: VmmConfig): void {
    const vmm = new Vmm(context, config);
    context.memory('pci').onRegister(vmm);
    // a primary device that is not plugged yet is not there
    if (config.failover?.primary !== 'passed') context.spawn('vmm.open', vmm.open());
    if (config.failover !== undefined) {
      const failover = new FailoverSwapper(context, config, config.failover, vmm);
      inTurn(context, config.failover.swaps, (event) => failover.swap(event));
    }
    if (config.swaps.length > 0) serveSwaps(context, config, vmm);
    if (config.migration !== undefined) {
      const routes = Array.from({ length: config.queues }, (_, q) => context.control(`route${q}`));
      new Migrator(context, config, config.migration, vmm.setups, vmm, routes);
    }
  },
};

/** Carries out the changes of the back end, one after the other, each at its moment or when the one before is done. */
function serveSwaps(context: CoreContext, config: VmmConfig, vmm: Vmm): void {
  const routes = Array.from({ length: config.queues }, (_, q) => context.control(`route${q}`));
  routes.forEach((route, q) => {
    route.onRequest((method) => {
      if (method === ROUTE_OPENED) vmm.opened.add(q);
    });
  });
  const swapper = new Swapper(context, config, vmm.setups, vmm, routes);
  inTurn(context, config.swaps, (event) => swapper.swap(event));
}

/** Carries out events at their moments, or when the one before is done. */
function inTurn(context: CoreContext, events: readonly VmmSwap[], swap: (event: VmmSwap) => Procedure): void {
  const due = new DueEvents<'swap'>(context, 'swap', events);
  let busy = false;
  context.addTask({
    name: 'vmm.swap',
    run: (): TaskResult => {
      if (busy) return IDLE;
      const event = due.take(context.now()) as VmmSwap | undefined;
      if (event === undefined) {
        if (due.nextPs < Number.POSITIVE_INFINITY) context.wakeAt(due.nextPs);
        return IDLE;
      }
      busy = true;
      context.spawn(
        'vmm.swapping',
        (function* () {
          yield* swap(event);
          busy = false;
        })(),
      );
      return IDLE;
    },
  });
}

class Vmm implements RegisterTarget, SwappedDevice, PluggableDevice {
  readonly setups: readonly VhostSetup[];
  /** Queue pairs that the driver has set up again. */
  readonly opened = new Set<number>();
  present = 0;
  readonly #context: CoreContext;
  readonly #config: VmmConfig;
  /** Absent until the back end has said what it offers. */
  #device: VirtioPciDevice | undefined;
  #control: ControlDevice | undefined;
  #started = false;
  /** What the device is to offer after its next reset. */
  #nextOffers: FeatureSet | undefined;
  #failed = false;

  constructor(context: CoreContext, config: VmmConfig) {
    this.#context = context;
    this.#config = config;
    this.setups = config.instances.map((instance) => new VhostSetup(context, config, instance));
  }

  get isRunning(): boolean {
    return this.#started;
  }

  get features(): FeatureSet {
    return this.#device?.features ?? FeatureSet.EMPTY;
  }

  get queues(): readonly PciQueue[] {
    return this.#device?.queues ?? [];
  }

  *open(): Procedure {
    const offers = yield* this.setups[0].open();
    if (offers === undefined) this.#context.counter('setup.refused').value++;
    else this.#create(this.#offersOf(offers));
  }

  *plug(): Procedure<boolean> {
    const offers = yield* this.setups[0].open();
    if (offers === undefined) return false;
    this.#create(this.#offersOf(offers));
    return true;
  }

  *unplug(): Procedure<void> {
    yield* this.setups[0].detach(2 * this.#config.queues);
    yield* this.setups[0].release();
    this.#started = false;
    this.#device = undefined;
    this.#control = undefined;
  }

  demandReset(offers: FeatureSet): void {
    this.#nextOffers = this.#offersOf(offers);
    this.#failed = false;
    this.opened.clear();
    // the rings are no back end's: what the driver sets up next starts the present one
    this.#started = false;
    this.#device?.needsReset();
  }

  *waitForDriver(limitPs: Ps): Procedure<boolean> {
    while (!(this.#started && this.opened.size === this.#config.queues)) {
      if (this.#failed || this.#context.now() >= limitPs) return false;
      yield this.#context.delay(this.#context.now() + DRIVER_LOOK_PS);
    }
    return true;
  }

  /** Guest memory is not behind an IOMMU of the guest: a device that may change its back end does without it. */
  #offersOf(backend: FeatureSet): FeatureSet {
    const { queues, swaps, failover, isStandby } = this.#config;
    const offers = vmmOffers(backend, queues);
    if (isStandby === true) return offers.without('ACCESS_PLATFORM').with('STANDBY');
    return swaps.length > 0 || failover !== undefined ? offers.without('ACCESS_PLATFORM') : offers;
  }

  #create(offers: FeatureSet): void {
    const { queues, ringSize, guest, swaps } = this.#config;
    const config = new NetConfig({ mac: [0x52, 0x54, 0, 0, 0, guest + 1], maxQueuePairs: queues });
    const control = new ControlQueue(config, {
      onPairs: (pairs) => this.#note(`guest ${guest}: ${pairs} queue pairs in use`, pairs),
    });
    const device = new VirtioPciDevice({
      offers,
      queues: 2 * queues + 1,
      maxQueueSize: Math.max(2 ** Math.ceil(Math.log2(ringSize)), CONTROL_SIZE),
      config,
      configBytes: NET_CONFIG.$size,
      onStatus: (status) => {
        if ((status & STATUS_DRIVER_OK) !== 0 && !this.#started) this.#start();
      },
      onReset: () => this.#stop(),
      onNotify: (queue) => {
        if (queue === 2 * queues) this.#control?.run();
      },
      // queues are announced by the back end itself
      ...(swaps.length > 0 ? { onInterrupt: () => this.#context.memory('pci').notify(VECTOR_CONFIG) } : {}),
    });
    this.#device = device;
    this.#control = new ControlDevice(this.#context, this.#config, device, control);
  }

  /** A device that is not there yet reads as all ones, as an empty PCI slot does. */
  readRegister(offset: number, width: number): number {
    const device = this.#device;
    if (device === undefined) return 2 ** (8 * width) - 1;
    const value = device.readRegister(offset, width);
    const isStatus = offset === device.layout.common + COMMON_CONFIG.device_status;
    return isStatus && !this.#started ? value & ~STATUS_DRIVER_OK : value;
  }

  writeRegister(offset: number, width: number, value: number): void {
    this.#device?.writeRegister(offset, width, value);
  }

  #start(): void {
    const device = this.#device as VirtioPciDevice;
    this.#context.spawn('vmm.start', this.#startBackend(device));
  }

  *#startBackend(device: VirtioPciDevice): Procedure {
    const ok = yield* this.setups[this.present].start({ features: device.features, queues: device.queues });
    if (ok) {
      this.#control?.open();
      this.#started = true;
    } else {
      this.#context.counter('setup.refused').value++;
      this.#failed = true;
      device.needsReset();
    }
  }

  #stop(): void {
    const offers = this.#nextOffers;
    if (offers !== undefined) {
      this.#nextOffers = undefined;
      this.#device?.offer(offers);
      return;
    }
    if (!this.#started) return;
    this.#started = false;
    this.#context.spawn('vmm.stop', this.setups[this.present].stop());
  }

  #note(text: string, value: number): void {
    this.#context.recorder.note(this.#context.stage('setup'), text, value, 0);
  }
}
