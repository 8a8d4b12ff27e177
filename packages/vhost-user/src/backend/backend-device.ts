import type { Fd } from '../fd.ts';
import type { RingBase } from './ring-base.ts';
import type {
  InflightArea,
  IotlbRange,
  LogArea,
  MappedRegion,
  RingPlacement,
  RingSetup,
} from './ring-setup.ts';

/** What a device offers a front end; constant for the life of a session. */
export interface DeviceOffer {
  /**
   * Virtio feature bits of the device. Bit 30 (VHOST_USER_F_PROTOCOL_FEATURES) is added by the session, and so is
   * bit 26 (VHOST_F_LOG_ALL) when LOG_SHMFD is among the protocol features.
   */
  readonly features: bigint;
  /** Protocol feature bits (`PROTOCOL_F_…`); the session refuses to be made with one that it does not implement. */
  readonly protocolFeatures: bigint;
  /** Queue pairs, 1 to 128: two rings each. The answer to GET_QUEUE_NUM, which counts pairs for network devices. */
  readonly queuePairs: number;
  /** Largest ring, in descriptors: at most 32768. */
  readonly maxQueueSize: number;
  /** Regions with CONFIGURE_MEM_SLOTS, at most 509; SET_MEM_TABLE carries 8 at most in any case. */
  readonly memSlots: number;
  /** The device configuration (struct virtio_net_config), a fresh copy per call. */
  config(): Uint8Array;
}

/**
 * A request that the device does not accept, in one sentence for the log. The front end then gets a refusal, never an
 * acknowledgement.
 */
export type Refused = string;

/** A new table of guest memory, and what it means for the rings that run. */
export interface MemoryChange {
  /** Every region from now on, by guest-physical address. */
  readonly regions: readonly MappedRegion[];
  /** Every started ring with its place in the new table; `null` areas: it has none, and must pause. */
  readonly rings: readonly RingPlacement[];
}

/** A change of I/O translations (VIRTIO_F_ACCESS_PLATFORM), and what it means for the rings that run. */
export interface IotlbChange {
  readonly kind: 'update' | 'invalidate';
  /** What to add or to forget: adjacent pieces of one request, split where the arena is not contiguous. */
  readonly ranges: readonly IotlbRange[];
  /** As in MemoryChange; only rings whose place changed. */
  readonly rings: readonly RingPlacement[];
}

/**
 * The device behind a BackendSession: moves data, knows nothing of messages. The session makes at most one call at a
 * time, in the order of the messages, and handles the next message only when the promise is settled; a rejected promise
 * is a bug of the device and ends the connection. Descriptors named here stay the session's: it keeps each open until a
 * later call that replaces it, stopRing or reset has resolved, and closes it then. The device must not close them.
 */
export interface BackendDevice {
  readonly offer: DeviceOffer;
  /** Feature bits that were acknowledged, without LOG_ALL (see setLog). Comes before rings start. */
  setFeatures(features: bigint): Promise<Refused | null>;
  /** Protocol features that were acknowledged, for what depends on them. */
  setProtocolFeatures(protocolFeatures: bigint): void;
  /**
   * Called with the new table while both old and new mappings exist. When it resolves, no thread uses an old mapping
   * that is not in the new table, and the session removes those.
   */
  memoryChanged(change: MemoryChange): Promise<void>;
  /**
   * Starts a ring that has size, addresses, base and a kick (or none: `kick` null means poll). A ring that is not
   * enabled is started all the same: a disabled transmitq is processed and its packets dropped, a disabled receiveq is
   * left alone (vhost-user, "Ring states").
   */
  startRing(ring: RingSetup): Promise<Refused | null>;
  /** Stops a started ring; no memory of the ring is touched once it resolves. Answers the base for GET_VRING_BASE. */
  stopRing(index: number): Promise<RingBase>;
  /** Enables or disables a ring, started or not. */
  setEnabled(index: number, on: boolean): Promise<void>;
  /** The call eventfd of a ring, started or not; null: none, never call. */
  setCall(index: number, fd: Fd | null): Promise<void>;
  /** The error eventfd of a ring; null: none. */
  setErr(index: number, fd: Fd | null): Promise<void>;
  /** Kicks a ring as its eventfd would (in-band VRING_KICK). */
  kick(index: number): void;
  /**
   * Dirty logging: where the log is and whether VHOST_F_LOG_ALL is on; null: there is no log, and the one before may be
   * unmapped when it resolves. When it resolves with logging on, every later write is logged.
   */
  setLog(log: LogArea | null): Promise<void>;
  /** The address that a started ring's used ring is logged at; null: not logged. Comes while it runs. */
  setRingLog(index: number, usedLogGpa: number | null): Promise<void>;
  /** The inflight region for the rings that start from now on; null: there is none, the former may be unmapped then. */
  setInflight(area: InflightArea | null): Promise<void>;
  /** Bytes of one queue in an inflight region for rings of `queueSize` in the format that was negotiated. */
  inflightBytesPerQueue(queueSize: number): number;
  /** The device status byte. With 0 all rings have been stopped before. */
  setStatus(status: number): Promise<void>;
  iotlb(change: IotlbChange): Promise<void>;
  /**
   * Back to the initial state: RESET_DEVICE, or the end of the connection. All rings were stopped before; after the end
   * of a connection all memory was taken away too.
   */
  reset(why: 'reset-device' | 'disconnected'): Promise<void>;
  /** Writes configuration bytes (SET_CONFIG); `migration`: on the destination of a migration. */
  writeConfig(offset: number, bytes: Uint8Array, migration: boolean): Promise<Refused | null>;
  /** SEND_RARP: announce this address of six bytes to the network. */
  rarp(mac: Uint8Array): Promise<Refused | null>;
  /** NET_SET_MTU, 68 to 65535. */
  mtu(bytes: number): Promise<Refused | null>;
  /**
   * SET_DEVICE_STATE_FD, save: writes the internal state and ends the stream; resolves when all is written. Bounded by
   * the device; ends early when `signal` aborts. The session closes the descriptor.
   */
  saveState(fd: Fd, signal: AbortSignal): Promise<Refused | null>;
  /** SET_DEVICE_STATE_FD, load: reads to the end of the stream. As saveState. */
  loadState(fd: Fd, signal: AbortSignal): Promise<Refused | null>;
}
