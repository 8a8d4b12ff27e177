import type { Fd } from '../fd.ts';

/** What one read of a socket brought. The receiver owns the descriptors. */
export interface Received {
  /** Bytes written at the start of the buffer that was offered. */
  readonly bytes: number;
  /** Descriptors that came with them. */
  readonly fds: readonly Fd[];
  /** MSG_CTRUNC: the kernel threw descriptors away because there was no room for them. */
  readonly truncated: boolean;
}

/** What a socket tells whoever reads and writes it. */
export interface SocketListener {
  /** Bytes, or the end of the stream, may be waiting. Called again while they are, unless `want` says otherwise. */
  readable(): void;
  /** There may be room to send. Only called while `want` asks for it. */
  writable(): void;
  /** The peer has closed; bytes may be left to read. Called once at most, also while nothing is wanted. */
  hangup(): void;
}

/**
 * A non-blocking Unix stream socket that carries descriptors (SCM_RIGHTS), as vhost-user needs it: `HostSocket` is the
 * real one. Nothing here throws on what the peer does.
 */
export interface MessageSocket {
  /**
   * Sends bytes, and `fds` with the first of them: how many bytes went, `again` when there is no room (descriptors
   * included), `closed` when the peer is gone. The descriptors stay the caller's.
   */
  send(bytes: Uint8Array, fds: readonly Fd[]): number | 'again' | 'closed';
  /** One read into `into`, with room for `maxFds` descriptors. */
  receive(into: Uint8Array, maxFds: number): Received | 'again' | 'closed';
  /** Whom to tell; replaces the former listener. Nobody is called before this call has returned. */
  listen(listener: SocketListener): void;
  /** What to tell of. At first: readable, not writable. */
  want(readable: boolean, writable: boolean): void;
  /** Closes it; a second call does nothing, and the listener is not called any more. */
  close(): void;
}
