import {
  closeAll,
  type Fd,
  HostError,
  openTap,
  setTapOffloads,
  TUN_F_CSUM,
  TUN_F_TSO4,
  TUN_F_TSO6,
} from '@vhostlab/host';
import type { CloseReason, FrontendSession } from '@vhostlab/vhost-user';
import { FeatureSet } from '@vhostlab/virtio-net';
import { FrontendError } from '../errors.ts';
import { chooseFeatures } from '../feature-choice.ts';
import type { GuestMemory } from '../memory/guest-memory.ts';
import type { Settings } from '../options.ts';
import type { BackendSession, BackendSource } from '../session/backend.ts';
import type { RingEvents } from '../session/ring-events.ts';
import type { QueuePlan } from '../worker/plan.ts';
import { VHOST_NET_PATH, VhostNetDevice } from './vhost-net-device.ts';

/** Bytes of the virtio_net_hdr with VERSION_1 or MRG_RXBUF, which vhost-net leaves to the tap. */
const HEADER_BYTES = 12;
/** What a tap with a virtio_net_hdr does, and vhost-net therefore does not offer by itself. */
const TAP_FEATURES = FeatureSet.of(
  'CSUM',
  'GUEST_CSUM',
  'GUEST_TSO4',
  'GUEST_TSO6',
  'HOST_TSO4',
  'HOST_TSO6',
);

/** The kernel's vhost-net with the tap interface of the settings: one back end, which never goes away by itself. */
export function kernelBackends(settings: Settings, tapName: string): BackendSource {
  let isOver = false;
  return {
    async next() {
      if (isOver) return undefined;
      isOver = true;
      return new KernelBackend(settings, tapName);
    },
    close() {
      isOver = true;
    },
  };
}

/** The kernel has no vhost-net, or its module is not loaded. */
class NoDeviceError extends FrontendError {}

/** A queue of the tap interface and the kernel thread that serves it: one per queue pair. */
interface PairDevice {
  readonly device: VhostNetDevice;
  readonly tap: Fd;
}

/**
 * Tries what a guest at vhost-net needs: the device, and a tap interface of this name, which is gone afterwards. Undefined:
 * both are there. Otherwise which is not, in one clause.
 */
export function vhostNetProblem(tapName: string): string | undefined {
  try {
    const { device, tap } = openPair(tapName, false);
    device.close();
    tap.close();
    return undefined;
  } catch (error) {
    if (!(error instanceof FrontendError)) throw error;
    return error instanceof NoDeviceError
      ? `not on this machine: there is no ${VHOST_NET_PATH}`
      : `not measured: ${error.message.replace(/\.$/, '')}`;
  }
}

class KernelBackend implements BackendSession {
  readonly finished: Promise<CloseReason>;
  readonly messages: FrontendSession | undefined = undefined;
  readonly #settings: Settings;
  readonly #tapName: string;
  #pairs: PairDevice[] = [];
  #finish: (reason: CloseReason) => void = () => undefined;

  constructor(settings: Settings, tapName: string) {
    this.#settings = settings;
    this.#tapName = tapName;
    this.finished = new Promise((resolve) => {
      this.#finish = resolve;
    });
  }

  async agree(): Promise<FeatureSet> {
    const { queues } = this.#settings;
    for (let pair = 0; pair < queues; pair++) this.#pairs.push(openPair(this.#tapName, queues > 1));
    const [first] = this.#pairs;
    const offered = FeatureSet.fromBigInt(first.device.features()).minus(TAP_FEATURES);
    const chosen = chooseFeatures(offered.or(TAP_FEATURES), this.#settings);
    if (typeof chosen === 'string') throw new FrontendError(`${chosen}.`);
    const offloads =
      (chosen.has('GUEST_CSUM') ? TUN_F_CSUM : 0) |
      (chosen.has('GUEST_TSO4') ? TUN_F_TSO4 : 0) |
      (chosen.has('GUEST_TSO6') ? TUN_F_TSO6 : 0);
    requested(() => {
      for (const { device, tap } of this.#pairs) {
        setTapOffloads(tap, offloads);
        device.setFeatures(chosen.and(offered).toBigInt());
      }
    });
    return chosen;
  }

  async handInflight(): Promise<void> {
    throw new Error('settings allow no inflight region with the kernel');
  }

  async begin(
    memory: GuestMemory,
    rings: readonly QueuePlan[],
    bases: readonly number[],
    events: readonly RingEvents[],
  ): Promise<void> {
    requested(() => {
      for (const { device } of this.#pairs) device.setMemory(memory.regions);
      for (const [at, { index, size, descOffset, driverOffset, deviceOffset }] of rings.entries()) {
        this.#deviceOf(index).setUpRing({
          index: halfOf(index),
          size,
          base: bases[at],
          desc: memory.userAddressOf(descOffset),
          avail: memory.userAddressOf(driverOffset),
          used: memory.userAddressOf(deviceOffset),
          ...events[at],
        });
      }
      for (const { device, tap } of this.#pairs) {
        device.start(0, tap);
        device.start(1, tap);
      }
    });
  }

  async stopRings(rings: readonly QueuePlan[]): Promise<number[]> {
    return rings.map(({ index }) => this.#deviceOf(index).stop(halfOf(index)));
  }

  close(text: string): void {
    for (const { device } of this.#pairs) device.close();
    closeAll(this.#pairs.map(({ tap }) => tap));
    this.#pairs = [];
    this.#finish({ why: 'local', text });
  }

  #deviceOf(index: number): VhostNetDevice {
    return this.#pairs[index >> 1].device;
  }
}

/** Number of a ring on its own device: 0 receives, 1 transmits. */
function halfOf(index: number): 0 | 1 {
  return index % 2 === 0 ? 0 : 1;
}

function openPair(tapName: string, multiQueue: boolean): PairDevice {
  const device = openDevice();
  try {
    return { device, tap: openTap(tapName, { headerBytes: HEADER_BYTES, multiQueue }) };
  } catch (error) {
    device.close();
    if (!(error instanceof HostError)) throw error;
    throw new FrontendError(
      `cannot use the tap interface ${tapName}: ${error.message}; vhost-net needs one of its own, and CAP_NET_ADMIN.`,
    );
  }
}

function openDevice(): VhostNetDevice {
  try {
    return VhostNetDevice.open();
  } catch (error) {
    if (!(error instanceof HostError)) throw error;
    const what = `cannot use ${VHOST_NET_PATH}: ${error.message}`;
    if (error.code === 'ENOENT') throw new NoDeviceError(`${what}; load the kernel module vhost_net.`);
    const mend =
      error.code === 'ENODEV' || error.code === 'ENXIO'
        ? 'load the kernel module vhost_net'
        : 'run as a user who may read and write it';
    throw new FrontendError(`${what}; ${mend}.`);
  }
}

/** A refusal of the kernel as the failure of the run. */
function requested(ask: () => void): void {
  try {
    ask();
  } catch (error) {
    if (!(error instanceof HostError)) throw error;
    throw new FrontendError(`the kernel refuses: ${error.message}.`, 1);
  }
}
