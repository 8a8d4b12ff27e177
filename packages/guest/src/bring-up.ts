import type { Procedure } from '@vhostlab/engine';
import {
  COMMON_CONFIG,
  CTRL_OK,
  encodeQueuePairs,
  type FeatureSet,
  type InitResult,
  initVirtioPci,
  NO_VECTOR,
  type QueueSetup,
  readRegister,
  STATUS_DRIVER_OK,
  type VirtioPciNegotiated,
} from '@vhostlab/virtio-net';
import { ringLayout } from '@vhostlab/virtqueue';
import type { GuestLayout } from '@vhostlab/workload';
import { controlQueueSize, sendCommand } from './control-driver.ts';
import type { VcpuConfig } from './core-config.ts';
import { driverWants } from './features.ts';
import type { PairStart } from './guest-port.ts';
import { accessRegisters, type RegisterPath } from './register-path.ts';
import { deviceOffset } from './ring-place.ts';

/** Outcome of bringing the device up: what every vCPU needs, or why there is none. */
export type BringUpResult =
  | {
      ok: true;
      features: FeatureSet;
      dropped: readonly string[];
      pairs: PairStart[];
      /** Register offset of device_status. */
      status: number;
    }
  | { ok: false; failure: string; detail: string };

/** Tries, 100 microseconds apart, that a device and its back end get to appear. */
const ATTEMPTS = 100;
const RETRY_PS = 100_000_000;
const CONTROL_POLLS = 5000;

/**
 * The driver's way from power-on to running queues (virtio 1.3, 3.1.1, 4.1.5.1 and 5.1.5): initialisation of the
 * function, then the number of queue pairs over the control queue where there are several.
 */
export function* bringUp(
  path: RegisterPath,
  config: VcpuConfig,
  layout: GuestLayout,
  base: number,
): Procedure<BringUpResult> {
  const { context } = path;
  let result: InitResult = { ok: false, failure: 'no-device', detail: '' };
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    result = yield* accessRegisters(path, initVirtioPci(initOptions(config, layout)));
    if (result.ok || result.failure !== 'no-device') break;
    yield context.delay(context.now() + RETRY_PS);
  }
  if (!result.ok) return result;
  const { value } = result;
  const pairs = pairsOf(value, config.scenario.queues);
  if (pairs.length < config.scenario.queues) {
    const detail = `the device has ${pairs.length} queue pairs, ${config.scenario.queues} are wanted`;
    return { ok: false, failure: 'too-few-queues', detail };
  }
  if (!(yield* waitForBackend(path, value))) {
    return { ok: false, failure: 'backend', detail: 'the back end was not set up after DRIVER_OK' };
  }
  if (value.features.has('MQ')) {
    const ack = yield* setPairs(path, value, layout, base, pairs.length);
    if (ack !== CTRL_OK) {
      return { ok: false, failure: 'control-queue', detail: `VQ_PAIRS_SET was answered with ${ack}` };
    }
  }
  const dropped = value.dropped.map(({ name, reason, missing }) => `${name}: ${reason} ${missing}`.trimEnd());
  return {
    ok: true,
    features: value.features,
    dropped,
    pairs,
    status: value.layout.common + COMMON_CONFIG.device_status,
  };
}

function initOptions(config: VcpuConfig, layout: GuestLayout) {
  const { scenario } = config;
  const interrupts = scenario.guest === 'interrupt';
  return {
    // net_failover takes a device for its standby one by that feature
    wants:
      config.failover?.isStandby === true ? driverWants(scenario).with('STANDBY') : driverWants(scenario),
    configVector: 0,
    setupQueue: (queue: number, maxSize: number, features: FeatureSet): QueueSetup | undefined => {
      const isPacked = features.has('RING_PACKED');
      const pair = layout.pairs[queue >> 1];
      let size = Math.min(scenario.ringSize, maxSize);
      let at: number;
      if (pair !== undefined) at = (queue & 1) === 0 ? pair.rxRing : pair.txRing;
      else if (!isControl(queue, scenario.queues, features)) return undefined;
      else {
        at = layout.controlRing;
        size = controlQueueSize(maxSize);
      }
      if (!isPacked) size = 2 ** Math.floor(Math.log2(size));
      const ring = ringLayout(isPacked ? 'packed' : 'split', size, features.has('EVENT_IDX'));
      return {
        size,
        descriptorArea: at + ring.desc.offset,
        driverArea: at + ring.driver.offset,
        deviceArea: at + deviceOffset(ring, pair?.deviceAlign),
        vector: interrupts && pair !== undefined ? queue + 1 : NO_VECTOR,
      };
    },
  };
}

/** The control queue is the last one of the device, an even number behind all pairs (virtio 1.3, 5.1.2). */
function isControl(queue: number, pairs: number, features: FeatureSet): boolean {
  return features.has('CTRL_VQ') && queue >= 2 * pairs && (queue & 1) === 0;
}

function pairsOf(value: VirtioPciNegotiated, wanted: number): PairStart[] {
  const sizes = new Map(value.queues.map(({ index, size }) => [index, size]));
  const pairs: PairStart[] = [];
  for (let q = 0; q < wanted; q++) {
    const rxSize = sizes.get(2 * q);
    const txSize = sizes.get(2 * q + 1);
    const isControl = 2 * q + 1 >= value.deviceQueues;
    if (rxSize === undefined || txSize === undefined || isControl) break;
    pairs.push({ low: value.features.low, high: value.features.high, rxSize, txSize });
  }
  return pairs;
}

/**
 * A VMM sets the back end up within the exit of the DRIVER_OK write. Here the write is posted, so the vCPU reads the
 * status until the bit is there, which the VMM shows when it is done.
 */
function* waitForBackend(path: RegisterPath, value: VirtioPciNegotiated): Procedure<boolean> {
  const { context } = path;
  const status = value.layout.common + COMMON_CONFIG.device_status;
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const now = yield* accessRegisters(path, readRegister(status, 1));
    if ((now & STATUS_DRIVER_OK) !== 0) return true;
    yield context.delay(context.now() + RETRY_PS);
  }
  return false;
}

function* setPairs(
  path: RegisterPath,
  value: VirtioPciNegotiated,
  layout: GuestLayout,
  base: number,
  pairs: number,
): Procedure<number> {
  const index = value.deviceQueues - 1;
  const queue = value.queues.find((candidate) => candidate.index === index);
  if (queue === undefined) return 0xff;
  const { notifyOffset, notifyWidth, notifyData, size } = queue;
  const place = {
    index,
    size,
    features: value.features,
    layout,
    base,
    notifyOffset,
    notifyWidth,
    notifyData,
  };
  return yield* sendCommand(path, place, encodeQueuePairs(pairs), CONTROL_POLLS);
}
