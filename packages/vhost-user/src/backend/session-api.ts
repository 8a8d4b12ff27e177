import type { Message } from '../codec/message.ts';
import type { Payload } from '../codec/payload.ts';
import type { CloseReason } from '../connection/connection.ts';
import type { MessageSocket } from '../connection/message-socket.ts';
import type { Fd } from '../fd.ts';
import type { BackendDevice } from './backend-device.ts';
import type { MemoryMapper } from './memory-mapper.ts';
import type { Refusal } from './refusal.ts';

/** What a BackendSession is made of. */
export interface BackendSessionOptions {
  /** The main socket; the session owns it from now on. */
  readonly socket: MessageSocket;
  readonly device: BackendDevice;
  readonly mapper: MemoryMapper;
  /**
   * Makes a socket of the descriptor that SET_BACKEND_REQ_FD brought, or says in one sentence why it is none. The
   * descriptor becomes the socket's; on refusal it stays the session's.
   */
  readonly openChannel: (fd: Fd) => MessageSocket | string;
  /** Signals an error eventfd of a ring that cannot run. Must not block and must not throw. */
  readonly signal: (fd: Fd) => void;
  /**
   * Why a kick, call or error descriptor is of no use, in one sentence; null: it will do. Default: any does. A file cannot
   * be waited for; a socket may be the front end's own end of this connection, which would then never end.
   */
  readonly checkEventFd?: (fd: Fd) => string | null;
  readonly observer?: SessionObserver;
}

/** Who is told what a session does: logs, traces, the tap. None of these may throw. */
export interface SessionObserver {
  /** A message arrived, before it is handled. */
  received?(message: Message): void;
  /** An answer to `message` goes out. */
  answered?(message: Message, payload: Payload): void;
  /** A message was refused; `closes`: and the connection ends for it. */
  refused?(message: Message, refusal: Refusal, closes: boolean): void;
  /** A ring started, stopped, paused (its memory is gone) or cannot run. */
  ring?(index: number, event: 'started' | 'stopped' | 'paused' | 'resumed' | 'broken', text: string): void;
  /** Anything else that an operator may want to read, in one sentence. */
  note?(text: string): void;
}

/** What a device and its program may ask of a session. */
export interface BackendControl {
  /** Resolves when the connection has ended and everything was given back: rings stopped, memory unmapped. */
  readonly finished: Promise<CloseReason>;
  /** Ends the connection. */
  close(reason: CloseReason): void;
  /** Asks for the translation of an I/O virtual address (1 read, 2 write, 3 both); asked once until it is answered. */
  requestTranslation(iova: number, permission: number): void;
  /** Tells the front end that the device configuration changed; false when there is no way to tell it. */
  configChanged(): boolean;
  /** Sets DEVICE_NEEDS_RESET where STATUS is negotiated, and tells of a configuration change. */
  needsReset(): void;
  /** Calls a ring in-band (INBAND_NOTIFICATIONS); false when that is not negotiated. */
  callInBand(index: number): boolean;
  /** Reports an error of a ring in-band; false when that is not negotiated. */
  errInBand(index: number): boolean;
  /** Messages by name, refusals by code, descriptors: for statistics. */
  counters(): SessionCounters;
}

export interface SessionCounters {
  readonly messages: Readonly<Record<string, number>>;
  readonly refusals: Readonly<Record<string, number>>;
  readonly strayFds: number;
}
