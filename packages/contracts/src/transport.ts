import type { DescMethod } from '@bufbuild/protobuf';

/** Largest message of any contract, on every transport; larger ones end in RESOURCE_EXHAUSTED. */
export const MAX_MESSAGE_BYTES = 64 * 1024 * 1024;

/** Text metadata of a call; keys in lower case. */
export type CallMetadata = Record<string, string>;

/** The calling side of a call in bytes: what a transport has to offer, whatever kind the call is. */
export interface RawCall {
  /** Sends one message. Answers a promise that the sender should wait for when the transport is full. */
  send(message: Uint8Array): Promise<void> | undefined;
  /** No more messages will be sent. */
  closeSend(): void;
  /** What arrives, to its end; throws a ContractError when the call fails. */
  readonly responses: AsyncIterator<Uint8Array>;
  /** Gives the call up: `responses` ends with CANCELLED soon, the server's signal is aborted. */
  cancel(): void;
}

/** Carries calls to the services of one place: another process (gRPC) or this one (local). */
export interface Transport {
  /** `rpc.system.name` of spans. */
  readonly system: string;
  /** Host name, address or socket path; `embedded` in this process. */
  readonly address: string;
  /** TCP port, absent for sockets and embedded services. */
  readonly port?: number;
  /** Opens a call. `deadlineAt` is a moment of the wall clock in milliseconds since 1970. */
  open(method: DescMethod, metadata: CallMetadata, deadlineAt: number | undefined): RawCall;
  /** Waits until the place can be called; throws UNAVAILABLE after `timeoutMs`. */
  ready(timeoutMs: number): Promise<void>;
  /** Ends the connection; calls in flight end with CANCELLED or UNAVAILABLE. */
  close(): void;
}

/** The serving side of a call in bytes. */
export interface IncomingCall {
  readonly metadata: CallMetadata;
  /** Moment of the wall clock in milliseconds since 1970 at which the caller gives up; undefined: never. */
  readonly deadlineAt: number | undefined;
  /** Aborted when the caller gives the call up or is lost. */
  readonly signal: AbortSignal;
  /** Where the caller is. */
  readonly peer: string;
  readonly requests: AsyncIterable<Uint8Array>;
  /** Sends one answer. Answers a promise to wait for when the transport is full. */
  send(message: Uint8Array): Promise<void> | undefined;
}
