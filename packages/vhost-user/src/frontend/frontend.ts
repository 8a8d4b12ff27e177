import type { ConfigPayload, InflightPayload, Payload } from '../codec/payload.ts';
import type { CloseReason } from '../connection/connection.ts';
import type { Fd } from '../fd.ts';
import type { FrontName } from '../registry/front-messages.ts';
import type { Answered } from './pending.ts';
import type { Answer, Negotiated, RingConfig, SharedRegion } from './session-api.ts';

/**
 * The driver's side of vhost-user, as FrontendSession implements it. Requests may be made one after the other or at once;
 * they are sent in the order of the calls. Each rejects with a FrontendRequestError that names the message; requests
 * without an answer of their own are acknowledged where REPLY_ACK is negotiated, else followed by GET_FEATURES where
 * it matters that the back end has finished.
 */
export interface Frontend {
  /** Ends with the connection. */
  readonly finished: Promise<CloseReason>;
  /** What `negotiate` agreed on. Throws before it has. */
  readonly negotiated: Negotiated;
  /** GET_FEATURES, protocol features, queues, slots, the back-end channel, SET_OWNER. Once, first. */
  negotiate(): Promise<Negotiated>;
  /** SET_FEATURES; throws a RangeError when a bit was not offered. */
  setFeatures(features: bigint): Promise<void>;
  /** The whole memory: SET_MEM_TABLE, or slots where more than 8 regions are needed. */
  setMemory(regions: readonly SharedRegion[]): Promise<void>;
  addRegion(region: SharedRegion): Promise<void>;
  removeRegion(region: SharedRegion): Promise<void>;
  /** NUM, BASE, ADDR, KICK, CALL and ERR of one ring. */
  setUpRing(ring: RingConfig): Promise<void>;
  setCall(index: number, fd: Fd | null): Promise<void>;
  setEnabled(index: number, on: boolean): Promise<void>;
  /** GET_VRING_BASE: stops the ring and answers where it stands (`num`, see `decodeBase`). */
  stopRing(index: number): Promise<number>;
  setStatus(status: number): Promise<void>;
  getStatus(): Promise<number>;
  getConfig(offset: number, size: number): Promise<Uint8Array>;
  setConfig(config: Omit<ConfigPayload, 'kind' | 'size'>): Promise<void>;
  setMtu(bytes: number): Promise<void>;
  sendRarp(mac: Uint8Array): Promise<void>;
  resetDevice(): Promise<void>;
  /** SET_LOG_BASE; the descriptor stays the caller's. */
  setLogBase(fd: Fd, bytes: number, offset: number): Promise<void>;
  /** GET_INFLIGHT_FD: the answer's descriptor is the caller's. */
  getInflight(queues: number, queueSize: number): Promise<{ inflight: InflightPayload; fd: Fd }>;
  setInflight(inflight: InflightPayload, fd: Fd): Promise<void>;
  /** IOTLB_MSG update: `permission` 1 read, 2 write, 3 both. */
  updateIotlb(iova: bigint, bytes: bigint, userAddress: bigint, permission: number): Promise<void>;
  invalidateIotlb(iova: bigint, bytes: bigint): Promise<void>;
  /** SET_DEVICE_STATE_FD: begins a transfer; null: through the descriptor that was given, which may be closed now. */
  startStateTransfer(direction: 'save' | 'load', fd: Fd): Promise<Fd | null>;
  /** CHECK_DEVICE_STATE: whether the transfer succeeded. */
  checkState(): Promise<void>;
  /** In-band VRING_KICK. */
  kickInBand(index: number): Promise<void>;
  /**
   * Any message of the registry; `acknowledge` asks for need_reply where the message has no answer of its own. Answers
   * null when no answer was asked for.
   */
  request(
    name: FrontName,
    payload: Payload,
    options?: { fds?: readonly Fd[]; acknowledge?: boolean; timeoutMs?: number },
  ): Promise<Answer | null>;
  /** Any bytes and descriptors, in one write: for conformance tests. False when the connection is closed. */
  sendRaw(bytes: Uint8Array, fds?: readonly Fd[]): boolean;
  /**
   * The next answer that no request waits for, good or bad: what belongs to `sendRaw`. Its descriptors are the caller's.
   * Null: none came within the time, or the connection ended.
   */
  rawAnswer(timeoutMs?: number): Promise<Answered | null>;
  close(text: string): void;
}
