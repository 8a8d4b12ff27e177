import type { Fd } from '../fd.ts';
import { PROTOCOL_F, type ProtocolFeatureName } from '../registry/protocol-features.ts';
import {
  F_ACCESS_PLATFORM,
  F_EVENT_IDX,
  F_LOG_ALL,
  F_PROTOCOL_FEATURES,
  F_RING_PACKED,
} from '../registry/virtio-features.ts';
import type { BackendChannel } from './backend-channel.ts';
import type { BackendDevice } from './backend-device.ts';
import { IotlbTable } from './iotlb-table.ts';
import type { Mapping, MemoryMapper } from './memory-mapper.ts';
import { MemoryTable } from './memory-table.ts';
import type { RingShape } from './ring-areas.ts';
import type { LogArea } from './ring-setup.ts';
import { RingState } from './ring-state.ts';
import type { BackendSessionOptions, SessionObserver } from './session-api.ts';
import type { StateTransfer } from './state-transfer.ts';

/** Device status bits that matter here (virtio 1.3, 2.1). */
export const STATUS_DRIVER_OK = 4;
export const STATUS_FEATURES_OK = 8;
export const STATUS_NEEDS_RESET = 64;

/** Everything that one connection of a back end knows. Handlers of messages read and change it. */
export class BackendState {
  readonly device: BackendDevice;
  readonly mapper: MemoryMapper;
  readonly observer: SessionObserver;
  readonly openChannel: BackendSessionOptions['openChannel'];
  readonly signal: (fd: Fd) => void;
  readonly checkEventFd: (fd: Fd) => string | null;
  /** Virtio features as GET_FEATURES answers them. */
  readonly offered: bigint;
  readonly rings: readonly RingState[];
  /** What SET_FEATURES acknowledged; null: nothing yet. */
  features: bigint | null = null;
  protocolFeatures = 0n;
  /** What SET_STATUS wrote; null: nothing yet on this connection. */
  status: number | null = null;
  memory: MemoryTable = MemoryTable.EMPTY;
  readonly iotlb = new IotlbTable();
  log: Mapping | null = null;
  /** Signalled by nobody: front ends that send one do not wait for it. Kept until the end, as SET_LOG_FD asks. */
  logFd: Fd | null = null;
  inflight: Mapping | null = null;
  channel: BackendChannel | null = null;
  transfer: StateTransfer | null = null;

  constructor(options: BackendSessionOptions) {
    const { device } = options;
    const { features, protocolFeatures, queuePairs } = device.offer;
    this.device = device;
    this.mapper = options.mapper;
    this.observer = options.observer ?? {};
    this.openChannel = options.openChannel;
    this.signal = options.signal;
    this.checkEventFd = options.checkEventFd ?? (() => null);
    const logs = (protocolFeatures & PROTOCOL_F.LOG_SHMFD) !== 0n ? F_LOG_ALL : 0n;
    this.offered = features | F_PROTOCOL_FEATURES | logs;
    this.rings = Array.from({ length: 2 * queuePairs }, (_, index) => new RingState(index));
  }

  /** True when the protocol feature was offered and acknowledged. */
  hasProtocol(name: ProtocolFeatureName): boolean {
    return (this.protocolFeatures & PROTOCOL_F[name]) !== 0n;
  }

  /** True when every bit of the mask was acknowledged. */
  has(mask: bigint): boolean {
    return this.features !== null && (this.features & mask) === mask;
  }

  get format(): 'split' | 'packed' {
    return this.has(F_RING_PACKED) ? 'packed' : 'split';
  }

  /** Ring addresses are I/O virtual ones. */
  get usesIotlb(): boolean {
    return this.has(F_ACCESS_PLATFORM);
  }

  shape(ring: RingState): RingShape {
    return { format: this.format, size: ring.size, eventIdx: this.has(F_EVENT_IDX) };
  }

  /**
   * Whether rings may run: no buffer is used before DRIVER_OK (virtio 1.3, 3.1.1). A front end that never writes the
   * status, or cannot, is taken to be ready.
   */
  get isDriverReady(): boolean {
    return this.status === null || !this.hasProtocol('STATUS') || (this.status & STATUS_DRIVER_OK) !== 0;
  }

  get hasStartedRing(): boolean {
    return this.rings.some((ring) => ring.isStarted);
  }

  /** The log as the device is to see it; null: none. */
  get logArea(): LogArea | null {
    if (this.log === null) return null;
    return { arenaOffset: this.log.arenaOffset, bytes: this.log.bytes, logAll: this.has(F_LOG_ALL) };
  }
}
