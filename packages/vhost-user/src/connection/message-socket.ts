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
  /** Bytes, or the end of the stream, may be waiting. May be called when nothing is. */
  readable(): void;
  /** There may be room again after a `send` that was answered `again` or sent a part. */
  writable(): void;
}

/**
 * A non-blocking Unix stream socket that carries descriptors (SCM_RIGHTS), as vhost-user needs it. Nothing here
 * throws on what the peer does.
 */
export interface MessageSocket {
  /**
   * Sends bytes, and `fds` with the first of them: how many bytes went, `again` when there is no room for one,
   * `closed` when the peer is gone. The descriptors stay the caller's. They have gone when at least one byte has.
   */
  send(bytes: Uint8Array, fds: readonly Fd[]): number | 'again' | 'closed';
  /** One read into `into`, with room for `maxFds` descriptors. */
  receive(into: Uint8Array, maxFds: number): Received | 'again' | 'closed';
  /** Whom to tell; replaces the former listener. No call comes before this one returned. */
  listen(listener: SocketListener | null): void;
  /** Stops (false) and starts (true) telling of readable bytes, so that an unread socket costs nothing. */
  wantReadable(on: boolean): void;
  /** Starts (true) and stops (false) telling of room to write. Off at first. */
  wantWritable(on: boolean): void;
  /** Closes it; a second call does nothing, and no listener is called any more. */
  close(): void;
}
