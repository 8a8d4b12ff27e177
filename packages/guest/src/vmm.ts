import type { CoreContext, CoreModule, Procedure, RegisterTarget } from '@vhostlab/engine';
import {
  COMMON_CONFIG,
  ControlQueue,
  type FeatureSet,
  NET_CONFIG,
  NetConfig,
  STATUS_DRIVER_OK,
  VirtioPciDevice,
} from '@vhostlab/virtio-net';
import { CONTROL_SIZE } from '@vhostlab/workload';
import { ControlDevice } from './control-device.ts';
import type { VmmConfig } from './core-config.ts';
import { vmmOffers } from './features.ts';
import { VhostSetup } from './vhost-setup.ts';

/** The VMM's part of an emulated device: registers, control queue, and the requests to the back end. */
export const vmmModule: CoreModule = {
  create(context: CoreContext, config: VmmConfig): void {
    const vmm = new Vmm(context, config);
    context.memory('pci').onRegister(vmm);
    context.spawn('vmm.open', vmm.open());
  },
};

class Vmm implements RegisterTarget {
  readonly #context: CoreContext;
  readonly #config: VmmConfig;
  readonly #setup: VhostSetup;
  /** Absent until the back end has said what it offers. */
  #device: VirtioPciDevice | undefined;
  #control: ControlDevice | undefined;
  #started = false;

  constructor(context: CoreContext, config: VmmConfig) {
    this.#context = context;
    this.#config = config;
    this.#setup = new VhostSetup(context, config);
  }

  *open(): Procedure {
    const offers = yield* this.#setup.open();
    if (offers === undefined) this.#context.counter('setup.refused').value++;
    else this.#create(vmmOffers(offers, this.#config.queues));
  }

  #create(offers: FeatureSet): void {
    const { queues, ringSize, guest } = this.#config;
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
    const ok = yield* this.#setup.start({ features: device.features, queues: device.queues });
    if (ok) {
      this.#control?.open();
      this.#started = true;
    } else {
      this.#context.counter('setup.refused').value++;
      device.needsReset();
    }
  }

  #stop(): void {
    if (!this.#started) return;
    this.#started = false;
    this.#context.spawn('vmm.stop', this.#setup.stop());
  }

  #note(text: string, value: number): void {
    this.#context.recorder.note(this.#context.stage('setup'), text, value, 0);
  }
}
