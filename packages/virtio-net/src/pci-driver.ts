import { FeatureSet } from './feature-set.ts';
import { type DroppedFeature, negotiate } from './negotiation.ts';
import { type DiscoveredLayout, discoverVirtioPci } from './pci-discovery.ts';
import { COMMON_CONFIG, MSIX_ENTRY, NO_VECTOR, PCI_CONFIG_WINDOW, type PciBarLayout } from './pci-layout.ts';
import { type RegisterProcedure, readRegister, writeRegister } from './register-access.ts';
import {
  STATUS_ACKNOWLEDGE,
  STATUS_DRIVER,
  STATUS_DRIVER_OK,
  STATUS_FAILED,
  STATUS_FEATURES_OK,
} from './status.ts';

/** What a driver gives a queue: addresses are guest physical, `vector` an MSI-X vector or NO_VECTOR. */
export interface QueueSetup {
  size: number;
  descriptorArea: number;
  driverArea: number;
  deviceArea: number;
  vector: number;
}

export interface InitOptions {
  wants: FeatureSet;
  /** Vector for configuration changes, or NO_VECTOR. */
  configVector: number;
  /**
   * Called once per queue of the device when the features are settled: memory for it, or undefined to leave it
   * unused. `maxSize` is what the device allows.
   */
  setupQueue(queue: number, maxSize: number, features: FeatureSet): QueueSetup | undefined;
  /** Message data and address of an MSI-X vector; default: address 0xfee00000, data the vector. */
  message?(vector: number): { address: number; data: number };
  /** Reads of device_status after a reset before the driver gives up; default 1000. */
  resetPolls?: number;
}

/** A queue as it was set up, with the BAR offset that its notifications are written to. */
export interface DriverQueue extends QueueSetup {
  index: number;
  notifyOffset: number;
  /** Bytes of a notification: 4 with NOTIFICATION_DATA, else 2. */
  notifyWidth: number;
  /** What a notification carries in its low 16 bits: the index, or the device's value with NOTIF_CONFIG_DATA. */
  notifyData: number;
}

/** Why a driver gave up; device_status is FAILED then, unless the device is not there at all. */
export type InitFailure =
  | 'no-device'
  | 'reset-timeout'
  | 'no-version-1'
  | 'features-refused'
  | 'no-vector'
  | 'queue-not-available';

export interface VirtioPciNegotiated {
  layout: DiscoveredLayout;
  features: FeatureSet;
  /** Features that either side named and that are not in use, with the reason. */
  dropped: readonly DroppedFeature[];
  queues: DriverQueue[];
  /** Number of queues that the device has. */
  deviceQueues: number;
}

export type InitResult =
  | { ok: true; value: VirtioPciNegotiated }
  | { ok: false; failure: InitFailure; detail: string };

/**
 * Driver initialisation of a virtio-pci function (virtio 1.3, 3.1.1 and 4.1.5.1) up to DRIVER_OK, as a
 * procedure of register accesses: find the capabilities, enable the function and MSI-X, reset, ACKNOWLEDGE,
 * DRIVER, features, FEATURES_OK and its check, vectors, queues, DRIVER_OK. Receive buffers may be placed by
 * `setupQueue`; the device looks for them when it sees DRIVER_OK.
 */
export function* initVirtioPci(options: InitOptions): RegisterProcedure<InitResult> {
  const layout = yield* discoverVirtioPci();
  if (layout === undefined) return { ok: false, failure: 'no-device', detail: 'no virtio capabilities' };
  const common = layout.common;
  yield* enableFunction(layout, options);
  if (!(yield* resetDevice(layout, options.resetPolls ?? 1000))) {
    return { ok: false, failure: 'reset-timeout', detail: 'device_status never became 0 after a reset' };
  }
  yield* setStatus(common, STATUS_ACKNOWLEDGE);
  yield* setStatus(common, STATUS_ACKNOWLEDGE | STATUS_DRIVER);
  const offers = yield* readDeviceFeatures(common);
  const { accepted, dropped } = negotiate(offers, options.wants);
  if (!accepted.has('VERSION_1')) return yield* giveUp(common, 'no-version-1', 'the device is legacy only');
  yield* writeDriverFeatures(common, accepted);
  const ready = STATUS_ACKNOWLEDGE | STATUS_DRIVER | STATUS_FEATURES_OK;
  yield* setStatus(common, ready);
  if (((yield* readStatus(common)) & STATUS_FEATURES_OK) === 0) {
    return yield* giveUp(common, 'features-refused', `the device refused ${accepted}`);
  }
  const configVector = common + COMMON_CONFIG.config_msix_vector;
  yield* writeRegister(configVector, 2, options.configVector);
  if ((yield* readRegister(configVector, 2)) !== options.configVector) {
    return yield* giveUp(common, 'no-vector', 'no MSI-X vector for configuration changes');
  }
  const deviceQueues = yield* readRegister(common + COMMON_CONFIG.num_queues, 2);
  const queues: DriverQueue[] = [];
  for (let index = 0; index < deviceQueues; index++) {
    const queue = yield* setUpQueue(layout, index, accepted, options);
    if (typeof queue === 'string') return yield* giveUp(common, queue, `queue ${index}`);
    if (queue !== undefined) queues.push(queue);
  }
  yield* setStatus(common, ready | STATUS_DRIVER_OK);
  return { ok: true, value: { layout, features: accepted, dropped, queues, deviceQueues } };
}

/** Writes 0 to device_status and waits until it reads 0 (virtio 1.3, 4.1.4.3.2); false when it never does. */
export function* resetDevice(layout: PciBarLayout, polls: number): RegisterProcedure<boolean> {
  yield* setStatus(layout.common, 0);
  for (let poll = 0; poll < polls; poll++) {
    if ((yield* readStatus(layout.common)) === 0) return true;
  }
  return false;
}

/** Resets one queue (virtio 1.3, 2.6.1) and waits for the end of it; false when it never ends. */
export function* resetQueue(layout: PciBarLayout, queue: number, polls: number): RegisterProcedure<boolean> {
  const { common } = layout;
  yield* writeRegister(common + COMMON_CONFIG.queue_select, 2, queue);
  yield* writeRegister(common + COMMON_CONFIG.queue_reset, 2, 1);
  for (let poll = 0; poll < polls; poll++) {
    if ((yield* readRegister(common + COMMON_CONFIG.queue_reset, 2)) === 0) return true;
  }
  return false;
}

/** Reads `length` bytes of the device configuration, again when the generation changed (virtio 1.3, 2.5). */
export function* readDeviceConfig(layout: PciBarLayout, length: number): RegisterProcedure<Uint8Array> {
  const bytes = new Uint8Array(Math.min(length, layout.deviceBytes));
  const generation = layout.common + COMMON_CONFIG.config_generation;
  for (let attempt = 0; attempt < 8; attempt++) {
    const before = yield* readRegister(generation, 1);
    for (let i = 0; i < bytes.length; i++) bytes[i] = yield* readRegister(layout.device + i, 1);
    if ((yield* readRegister(generation, 1)) === before) break;
  }
  return bytes;
}

/** Sets FAILED and reports why. */
function* giveUp(common: number, failure: InitFailure, detail: string): RegisterProcedure<InitResult> {
  const status = yield* readStatus(common);
  yield* setStatus(common, status | STATUS_FAILED);
  return { ok: false, failure, detail };
}

/** Memory space and bus master on; MSI-X table filled, unmasked and enabled. */
function* enableFunction(layout: DiscoveredLayout, options: InitOptions): RegisterProcedure<void> {
  yield* writeRegister(PCI_CONFIG_WINDOW + 4, 2, 6);
  if (layout.vectors === 0) return;
  for (let vector = 0; vector < layout.vectors; vector++) {
    const { address, data } = options.message?.(vector) ?? { address: 0xfee0_0000, data: vector };
    const entry = layout.msixTable + vector * MSIX_ENTRY.$size;
    yield* writeRegister(entry + MSIX_ENTRY.address_low, 4, address >>> 0);
    yield* writeRegister(entry + MSIX_ENTRY.address_high, 4, Math.floor(address / 0x1_0000_0000));
    yield* writeRegister(entry + MSIX_ENTRY.data, 4, data);
    yield* writeRegister(entry + MSIX_ENTRY.control, 4, 0);
  }
  const control = PCI_CONFIG_WINDOW + layout.msixCapability + 2;
  yield* writeRegister(control, 2, ((yield* readRegister(control, 2)) & 0x3fff) | 0x8000);
}

function* readDeviceFeatures(common: number): RegisterProcedure<FeatureSet> {
  yield* writeRegister(common + COMMON_CONFIG.device_feature_select, 4, 0);
  const low = yield* readRegister(common + COMMON_CONFIG.device_feature, 4);
  yield* writeRegister(common + COMMON_CONFIG.device_feature_select, 4, 1);
  const high = yield* readRegister(common + COMMON_CONFIG.device_feature, 4);
  return new FeatureSet(low, high);
}

function* writeDriverFeatures(common: number, features: FeatureSet): RegisterProcedure<void> {
  for (let word = 0; word < 2; word++) {
    yield* writeRegister(common + COMMON_CONFIG.driver_feature_select, 4, word);
    yield* writeRegister(common + COMMON_CONFIG.driver_feature, 4, features.word(word));
  }
}

/** One queue (virtio 1.3, 4.1.5.1.3); undefined: absent or left unused. */
function* setUpQueue(
  layout: PciBarLayout,
  index: number,
  features: FeatureSet,
  options: InitOptions,
): RegisterProcedure<DriverQueue | InitFailure | undefined> {
  const { common } = layout;
  yield* writeRegister(common + COMMON_CONFIG.queue_select, 2, index);
  const maxSize = yield* readRegister(common + COMMON_CONFIG.queue_size, 2);
  if (maxSize === 0) return undefined;
  const setup = options.setupQueue(index, maxSize, features);
  if (setup === undefined) return undefined;
  if ((yield* readRegister(common + COMMON_CONFIG.queue_enable, 2)) !== 0) return 'queue-not-available';
  yield* writeRegister(common + COMMON_CONFIG.queue_size, 2, setup.size);
  if ((yield* readRegister(common + COMMON_CONFIG.queue_size, 2)) !== setup.size)
    return 'queue-not-available';
  yield* writeAddress(common + COMMON_CONFIG.queue_desc, setup.descriptorArea);
  yield* writeAddress(common + COMMON_CONFIG.queue_driver, setup.driverArea);
  yield* writeAddress(common + COMMON_CONFIG.queue_device, setup.deviceArea);
  if (setup.vector !== NO_VECTOR) {
    yield* writeRegister(common + COMMON_CONFIG.queue_msix_vector, 2, setup.vector);
    const vector = yield* readRegister(common + COMMON_CONFIG.queue_msix_vector, 2);
    if (vector !== setup.vector) return 'no-vector';
  }
  const notifyOff = yield* readRegister(common + COMMON_CONFIG.queue_notify_off, 2);
  const notifyData = features.has('NOTIF_CONFIG_DATA')
    ? yield* readRegister(common + COMMON_CONFIG.queue_notif_config_data, 2)
    : index;
  yield* writeRegister(common + COMMON_CONFIG.queue_enable, 2, 1);
  return {
    ...setup,
    index,
    notifyOffset: layout.notify + notifyOff * layout.notifyMultiplier,
    notifyWidth: features.has('NOTIFICATION_DATA') ? 4 : 2,
    notifyData,
  };
}

function* writeAddress(offset: number, address: number): RegisterProcedure<void> {
  yield* writeRegister(offset, 4, address >>> 0);
  yield* writeRegister(offset + 4, 4, Math.floor(address / 0x1_0000_0000));
}

function* setStatus(common: number, status: number): RegisterProcedure<void> {
  yield* writeRegister(common + COMMON_CONFIG.device_status, 1, status);
}

function* readStatus(common: number): RegisterProcedure<number> {
  return yield* readRegister(common + COMMON_CONFIG.device_status, 1);
}
