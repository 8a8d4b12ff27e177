import type { Message } from '../codec/message.ts';
import type { Iotlb, MemRegion, Payload } from '../codec/payload.ts';
import type { MessageSocket } from '../connection/message-socket.ts';
import type { Fd } from '../fd.ts';
import type { FrontName } from '../registry/front-messages.ts';

/** What a front end wants. */
export interface FrontendOptions {
  /** Virtio features that the driver can use; what the back end offers is intersected with them. */
  readonly features: bigint;
  /** Protocol features to use where offered; default: all that this side implements. */
  readonly protocolFeatures?: bigint;
  /** Longest wait for an answer, in milliseconds; default 5000. */
  readonly timeoutMs?: number;
  /**
   * Makes the socket pair for back-end requests: the near end and the descriptor of the far end, whose owner becomes the
   * session. Absent: BACKEND_REQ is not negotiated.
   */
  readonly makeChannel?: () => { readonly near: MessageSocket; readonly far: Fd };
  /** Handles what the back end asks on that channel. */
  readonly requests?: BackendRequests;
  readonly observer?: FrontendObserver;
}

/** What a back end may ask of a front end. Each answers null, or in one sentence why it is refused. */
export interface BackendRequests {
  /** A translation is missing or failed: answer it with `updateIotlb`. */
  iotlb?(message: Iotlb): Promise<string | null>;
  configChanged?(): Promise<string | null>;
  /** In-band call and error of a ring. */
  call?(index: number): void;
  err?(index: number): void;
}

/** Who is told what a session does. None of these may throw. */
export interface FrontendObserver {
  sent?(message: Message): void;
  answered?(message: Message): void;
  /** A message on the back-end channel. */
  requested?(message: Message): void;
  note?(text: string): void;
}

/** What was agreed. */
export interface Negotiated {
  /** Offered by the back end, as it came. */
  readonly offered: bigint;
  readonly offeredProtocol: bigint;
  /** Virtio features that both sides can use, with bit 30 when protocol features are used; for `setFeatures`. */
  readonly features: bigint;
  readonly protocolFeatures: bigint;
  /** Queue pairs that the back end has: 1 without MQ. */
  readonly queuePairs: number;
  /** Memory regions at once: 8 without CONFIGURE_MEM_SLOTS. */
  readonly memSlots: number;
}

/** A region of memory to share. The descriptor stays the caller's. */
export interface SharedRegion {
  readonly fd: Fd;
  readonly region: MemRegion;
}

/** A ring as the back end is told of it. Descriptors stay the caller's. */
export interface RingConfig {
  readonly index: number;
  /** Descriptors. */
  readonly size: number;
  /** `num` of SET_VRING_BASE: see `encodeBase`. */
  readonly base: number;
  /** Addresses of the three areas: front-end virtual ones, I/O virtual ones with VIRTIO_F_ACCESS_PLATFORM. */
  readonly desc: bigint;
  readonly avail: bigint;
  readonly used: bigint;
  /** Guest-physical address of the used ring for the dirty log; null: not logged. */
  readonly usedLogAddress: bigint | null;
  /** Null: no eventfd; the back end polls. */
  readonly kick: Fd | null;
  /** Null: the back end never calls. */
  readonly call: Fd | null;
  readonly err: Fd | null;
}

/** Why a request has no good answer. */
export type FrontendFailure =
  /** The back end said no: a non-zero acknowledgement. */
  | 'refused'
  /** No answer within the time. */
  | 'timeout'
  /** The connection ended first. */
  | 'closed'
  /** The answer is none: another request, wrong size, flags or descriptors. The connection ends with it. */
  | 'bad-answer'
  /** The message needs a protocol feature that is not negotiated. */
  | 'not-negotiated';

/** A request that failed. It names the message. */
export class FrontendRequestError extends Error {
  override readonly name = 'FrontendRequestError';
  readonly failure: FrontendFailure;
  readonly request: FrontName;

  constructor(request: FrontName, failure: FrontendFailure, text: string) {
    super(`${request}: ${text}`);
    this.failure = failure;
    this.request = request;
  }
}

/** An answer with the descriptors that came with it, which are the caller's. */
export interface Answer {
  readonly payload: Payload;
  readonly fds: readonly Fd[];
}
