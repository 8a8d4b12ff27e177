import { toNumber, type vhostV1 } from '@vhostlab/contracts';
import type { ControlEnd, MemoryEnd } from '@vhostlab/engine';
import {
  ControlQueue,
  CTRL_HEADER_BYTES,
  CTRL_OK,
  checkAcknowledged,
  FeatureSet,
  NetConfig,
  STATUS_DRIVER_OK,
  STATUS_FEATURES_OK,
  STATUS_NEEDS_RESET,
  StatusMachine,
} from '@vhostlab/virtio-net';
import type { Offloads } from '@vhostlab/workload';
import type { Nic } from '../nic.ts';
import { type DmaMapper, EINVAL, EOPNOTSUPP } from './dma-mapper.ts';
import { offeredFeatures } from './features.ts';
import { serveVhost, type VhostOutcome } from './vhost-service.ts';
import type { RingAddresses, VirtioFunction } from './virtio-function.ts';

/** What a vDPA device needs. */
export interface VdpaFrontOptions {
  readonly guest: number;
  readonly mac: readonly number[];
  readonly offloads: Offloads;
  readonly speedMbps: number;
  readonly ends: readonly MemoryEnd[];
  /** By pair: where a ring's words go while it is the VMM's own; none: it never is. */
  readonly shadowEnds?: readonly MemoryEnd[];
  /** What the device cannot do. */
  readonly lacks?: readonly 'suspend'[];
}

interface VringState {
  addresses: RingAddresses | undefined;
  enabled: boolean;
  callVector: number;
  /** Whom its calls go to. */
  end: MemoryEnd;
}

/** Position of a packed ring that nobody has used: slot 0 and wrap counter 1 on both sides. */
const FRESH_PACKED_BASE = 0x8000_8000;
const DONE: VhostOutcome = {};
/** VHOST_BACKEND_F_SUSPEND and VHOST_BACKEND_F_RESUME. */
const BACKEND_FEATURES = (1n << 4n) | (1n << 5n);
const NO_SUSPEND: VhostOutcome = {
  error: EOPNOTSUPP,
  reason: 'The device has no VHOST_BACKEND_F_SUSPEND.',
};
const UNKNOWN_QUEUE = 'This device does not have that ring.';

/**
 * The vDPA parent's side of a function: the host's vhost-vdpa driver sets rings, maps memory and moves the device's
 * status; doorbells come from the guest directly. Suspend stops all rings with nothing in flight and keeps their
 * positions, Resume goes on from there.
 */
export class VdpaFront {
  readonly #nic: Nic;
  readonly #options: VdpaFrontOptions;
  readonly #function: VirtioFunction;
  readonly #mapper: DmaMapper;
  readonly #config: NetConfig;
  readonly #control: ControlQueue;
  readonly #offers: FeatureSet;
  readonly #status = new StatusMachine();
  readonly #vrings: VringState[];
  #features = FeatureSet.EMPTY;
  #suspended = false;

  constructor(
    nic: Nic,
    fn: VirtioFunction,
    mapper: DmaMapper,
    control: ControlEnd,
    options: VdpaFrontOptions,
  ) {
    const pairs = options.ends.length;
    this.#nic = nic;
    this.#options = options;
    this.#function = fn;
    this.#mapper = mapper;
    this.#config = new NetConfig({ mac: options.mac, maxQueuePairs: pairs, speedMbps: options.speedMbps });
    this.#control = new ControlQueue(this.#config, { onOffloads: (offloads) => fn.setOffloads(offloads) });
    fn.steering = this.#control.steering;
    // the VMM has the control queue, and what it is told comes as requests
    this.#offers = offeredFeatures(options.offloads, pairs, false);
    this.#vrings = Array.from({ length: pairs * 2 }, (_, index) => ({
      addresses: undefined,
      enabled: false,
      callVector: index & 1,
      end: options.ends[index >>> 1],
    }));
    serveVhost(control, (request) => this.#handle(request));
  }

  get #canSuspend(): boolean {
    return this.#options.lacks?.includes('suspend') !== true;
  }

  /** Raises the call of a ring. */
  interrupt(index: number): void {
    const { end, callVector } = this.#vrings[index];
    end.notify(callVector);
  }

  /** A ring broke: the driver finds DEVICE_NEEDS_RESET in the status. */
  onBroken(): void {
    this.#status.setNeedsReset();
  }

  #handle(request: vhostV1.VhostRequest['request']): VhostOutcome {
    const { recorder, stages } = this.#nic;
    recorder.note(stages.setup, `vdpa ${request.case ?? 'nothing'}`, this.#options.guest, 0);
    switch (request.case) {
      case 'setOwner':
        return DONE;
      case 'getFeatures':
        return { answer: { case: 'features', value: { bits: this.#offers.toBigInt() } } };
      case 'setFeatures':
        return this.#setFeatures(request.value.features?.bits ?? 0n);
      case 'getProtocolFeatures':
        return { answer: { case: 'protocolFeatures', value: this.#canSuspend ? BACKEND_FEATURES : 0n } };
      case 'setProtocolFeatures':
        return DONE;
      case 'setMemTable':
        return this.#mapper.setMemTable(request.value) ?? DONE;
      case 'dmaMap':
        return this.#mapper.map(request.value) ?? DONE;
      case 'dmaUnmap':
        return this.#mapper.unmap(request.value) ?? DONE;
      case 'iotlbUpdate':
        return this.#mapper.update(request.value) ?? DONE;
      case 'iotlbInvalidate':
        this.#mapper.invalidate(request.value);
        return DONE;
      case 'setVring':
        return this.#setVring(request.value);
      case 'getVringState':
        return this.#getVringState(request.value.index);
      case 'getVringBase':
        return this.#getVringBase(request.value.index);
      case 'setStatus':
        return this.#setStatus(request.value.status);
      case 'getStatus':
        return { answer: { case: 'status', value: this.#status.value } };
      case 'getConfig':
        return this.#getConfig(request.value.offset, request.value.sizeBytes);
      case 'suspend':
        return this.#canSuspend ? this.#suspend() : NO_SUSPEND;
      case 'resume':
        this.#suspended = false;
        this.#startAll();
        return DONE;
      case 'resetDevice':
        this.#reset();
        return DONE;
      case 'getQueueNum':
        return { answer: { case: 'queuePairs', value: this.#options.ends.length } };
      case 'controlQueue':
        return this.#controlQueue(request.value);
      default:
        return {
          error: EOPNOTSUPP,
          reason: `A vDPA device has no request ${request.case ?? 'of this kind'}.`,
        };
    }
  }

  #setFeatures(bits: bigint): VhostOutcome {
    const features = FeatureSet.fromBigInt(bits);
    const faults = checkAcknowledged(this.#offers, features);
    if (faults.length > 0) {
      return {
        error: EINVAL,
        reason: `The device does not offer or cannot combine ${features.minus(this.#offers)}.`,
      };
    }
    this.#features = features;
    this.#function.setFeatures(features);
    this.#control.reset(features.with('CTRL_VQ', 'MQ', 'CTRL_MAC_ADDR'));
    return DONE;
  }

  #setVring(request: vhostV1.SetVring): VhostOutcome {
    const vring = this.#vrings[request.index];
    if (vring === undefined) return { error: EINVAL, reason: UNKNOWN_QUEUE };
    const packed = this.#features.has('RING_PACKED');
    const isStart = packed
      ? request.base === FRESH_PACKED_BASE || request.base === 0x8000
      : request.base === 0;
    const fresh = isStart && !request.takenOver;
    const end = request.shadow
      ? this.#options.shadowEnds?.[request.index >>> 1]
      : this.#options.ends[request.index >>> 1];
    if (end === undefined) return { error: EINVAL, reason: 'This device has no channel to the VMM.' };
    vring.end = end;
    vring.addresses = {
      end,
      index: request.index,
      size: request.num,
      descriptorArea: toNumber(request.descriptorAddr),
      driverArea: toNumber(request.driverAddr),
      deviceArea: toNumber(request.deviceAddr),
      ...(fresh ? {} : { base: request.base }),
    };
    vring.callVector = request.callVector < 32 && request.call ? request.callVector : request.index & 1;
    const enable = request.enable;
    if (vring.enabled && !enable) this.#stop(request.index);
    vring.enabled = enable;
    this.#spread();
    return enable ? this.#start(request.index) : DONE;
  }

  #getVringBase(index: number): VhostOutcome {
    const vring = this.#vrings[index];
    if (vring === undefined) return { error: EINVAL, reason: UNKNOWN_QUEUE };
    if (this.#function.isRunning(index)) this.#stop(index);
    vring.enabled = false;
    const base = vring.addresses?.base ?? (this.#features.has('RING_PACKED') ? FRESH_PACKED_BASE : 0);
    return { answer: { case: 'vringBase', value: { index, base } } };
  }

  #getVringState(index: number): VhostOutcome {
    if (this.#vrings[index] === undefined) return { error: EINVAL, reason: UNKNOWN_QUEUE };
    const { frames, bytes, calls, callsSuppressed, ...state } = this.#function.report(index);
    const counts = {
      frames: BigInt(frames),
      bytes: BigInt(bytes),
      calls: BigInt(calls),
      callsSuppressed: BigInt(callsSuppressed),
    };
    return { answer: { case: 'vringState', value: { index, ...state, ...counts } } };
  }

  #setStatus(value: number): VhostOutcome {
    const answer = this.#status.write(
      value,
      () => (value & STATUS_FEATURES_OK) === 0 || this.#features.has('VERSION_1'),
    );
    if (answer === 'reset') {
      this.#reset();
      return DONE;
    }
    if (answer !== 'accepted') return { error: EINVAL, reason: `Status ${value} is refused: ${answer}.` };
    return this.#startAll() ?? DONE;
  }

  #getConfig(offset: number, bytes: number): VhostOutcome {
    const config = this.#config.copyBytes();
    if (offset + bytes > config.length) {
      return { error: EINVAL, reason: `The configuration has ${config.length} bytes.` };
    }
    return { answer: { case: 'config', value: config.slice(offset, offset + bytes) } };
  }

  #suspend(): VhostOutcome {
    for (let index = 0; index < this.#vrings.length; index++) {
      if (this.#function.isRunning(index)) this.#stop(index);
    }
    this.#suspended = true;
    return DONE;
  }

  #controlQueue(request: vhostV1.ControlQueue): VhostOutcome {
    const command = new Uint8Array(CTRL_HEADER_BYTES + request.data.length);
    command[0] = request.classId;
    command[1] = request.command;
    command.set(request.data, CTRL_HEADER_BYTES);
    if (this.#control.execute(command, 0, command.length) === CTRL_OK) return DONE;
    return { error: EINVAL, reason: `The control command is refused: ${this.#control.lastRefusal}.` };
  }

  #live(): boolean {
    const bits = STATUS_DRIVER_OK | STATUS_NEEDS_RESET;
    return (this.#status.value & bits) === STATUS_DRIVER_OK && !this.#suspended;
  }

  #startAll(): VhostOutcome | undefined {
    for (let index = 0; index < this.#vrings.length; index++) {
      if (!this.#vrings[index].enabled) continue;
      const outcome = this.#start(index);
      if ('error' in outcome) return outcome;
    }
    return undefined;
  }

  #start(index: number): VhostOutcome {
    const { addresses } = this.#vrings[index];
    if (!this.#live() || addresses === undefined || this.#function.isRunning(index)) return DONE;
    const problem = this.#function.startRing(addresses);
    return problem === undefined ? DONE : { error: EINVAL, reason: `The ring cannot run: ${problem}.` };
  }

  /** Stops a ring and remembers where it stands. */
  #stop(index: number): void {
    const base = this.#function.stopRing(index);
    const vring = this.#vrings[index];
    if (vring.addresses !== undefined) vring.addresses = { ...vring.addresses, base };
  }

  /** Until the control queue says otherwise, frames are spread over the pairs that are enabled. */
  #spread(): void {
    const enabled = this.#vrings.filter((vring, index) => (index & 1) === 0 && vring.enabled).length;
    if (enabled > 0) this.#function.steering.setPairs(enabled);
  }

  #reset(): void {
    for (const vring of this.#vrings) {
      vring.addresses = undefined;
      vring.enabled = false;
    }
    this.#suspended = false;
    this.#features = FeatureSet.EMPTY;
    this.#function.reset();
  }
}
