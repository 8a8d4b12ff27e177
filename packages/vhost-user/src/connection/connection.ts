import { MAX_MESSAGE_FDS, MAX_PAYLOAD_BYTES } from '../codec/layouts.ts';
import { CLAUSE } from '../codec/problem.ts';
import type { Fd } from '../fd.ts';
import { type Frame, FrameReader } from './frame-reader.ts';
import type { MessageSocket } from './message-socket.ts';
import { SendQueue } from './send-queue.ts';

/** Why a connection ended. */
export interface CloseReason {
  /**
   * `peer`: it closed; `violation`: it broke the protocol; `slow`: it does not read; `local`: this side wanted it;
   * `failure`: a fault of this side.
   */
  readonly why: 'peer' | 'violation' | 'slow' | 'local' | 'failure';
  /** One sentence. */
  readonly text: string;
  /** Of a violation. */
  readonly clause?: string;
  /** Of a failure: what was thrown. */
  readonly error?: unknown;
}

/** Who handles what a connection brings. */
export interface ConnectionHandler {
  /**
   * One message, in order: the next one is given only when the promise is settled. The handler owns the descriptors. A
   * rejected promise ends the connection as a failure of this side.
   */
  frame(frame: Frame): Promise<void> | void;
  /** The peer has closed while a message is being handled; messages that came before are still given. */
  hangup?(): void;
  /** The end, once. No message comes any more. */
  closed(reason: CloseReason): void;
}

export interface ConnectionOptions {
  /** Longest payload taken; default 4096. */
  readonly maxPayloadBytes?: number;
  /** Bytes kept for a peer that does not read; default 256 KiB. */
  readonly maxQueuedBytes?: number;
}

/** Counts of one connection. */
export interface ConnectionCounters {
  framesIn: number;
  framesOut: number;
  bytesIn: number;
  bytesOut: number;
  /** Descriptors received, with those that were closed at once. */
  fdsIn: number;
  /** Descriptors that came in the middle of a message. */
  strayFds: number;
}

/** Messages handled in a row before other work of the event loop gets its turn. */
const TURN = 32;

/**
 * One vhost-user socket: cuts it into messages, hands them on one at a time, sends whole messages with their
 * descriptors. Whatever the peer does ends in `closed` with a reason; every descriptor is closed on every path.
 */
export class Connection {
  readonly #socket: MessageSocket;
  readonly #handler: ConnectionHandler;
  readonly #reader: FrameReader;
  readonly #queue: SendQueue;
  readonly counters: ConnectionCounters = {
    framesIn: 0,
    framesOut: 0,
    bytesIn: 0,
    bytesOut: 0,
    fdsIn: 0,
    strayFds: 0,
  };
  #isBusy = false;
  #isPaused = false;
  #closed: CloseReason | null = null;

  /** Takes over the socket. The handler is called from the next event on. */
  constructor(socket: MessageSocket, handler: ConnectionHandler, options: ConnectionOptions = {}) {
    this.#socket = socket;
    this.#handler = handler;
    this.#reader = new FrameReader(options.maxPayloadBytes ?? MAX_PAYLOAD_BYTES);
    this.#queue = new SendQueue(socket, options.maxQueuedBytes ?? 256 * 1024);
    socket.listen({
      readable: () => this.#readable(),
      writable: () => this.#writable(),
      hangup: () => {
        if (this.#closed === null) this.#handler.hangup?.();
      },
    });
  }

  /** Why it ended; null while it is open. */
  get closed(): CloseReason | null {
    return this.#closed;
  }

  /**
   * Sends one message, or any bytes, in one write if the socket takes them; descriptors go with the first byte and stay
   * the caller's. False when the connection is closed or just broke.
   */
  send(bytes: Uint8Array, fds: readonly Fd[] = []): boolean {
    if (this.#closed !== null) return false;
    let result: ReturnType<SendQueue['send']>;
    try {
      result = this.#queue.send(bytes, fds);
    } catch (error) {
      const text = `cannot send: ${error instanceof Error ? error.message : error}`;
      this.close({ why: 'failure', text, error });
      return false;
    }
    if (result === 'gone') this.close({ why: 'peer', text: 'the peer has closed the connection' });
    else if (result === 'full') this.close({ why: 'slow', text: 'the peer does not read what it is sent' });
    else {
      this.counters.framesOut++;
      this.counters.bytesOut += bytes.length;
      if (result === 'queued') this.#want();
      return true;
    }
    return false;
  }

  /** Ends the connection. Only the first reason counts. */
  close(reason: CloseReason): void {
    if (this.#closed !== null) return;
    this.#closed = reason;
    this.#socket.close();
    this.#reader.dispose();
    this.#queue.dispose();
    this.#handler.closed(reason);
  }

  #want(): void {
    this.#socket.want(!this.#isPaused, !this.#queue.isEmpty);
  }

  #writable(): void {
    if (this.#closed !== null) return;
    if (this.#queue.flush() === 'gone') {
      this.close({ why: 'peer', text: 'the peer has closed the connection' });
      return;
    }
    this.#want();
  }

  #readable(): void {
    if (this.#isBusy) {
      this.#isPaused = true;
      this.#want();
      return;
    }
    this.#isBusy = true;
    void this.#readAll();
  }

  async #readAll(): Promise<void> {
    for (let count = 1; this.#closed === null; count++) {
      const frame = this.#readFrame();
      if (frame === null) break;
      try {
        await this.#handler.frame(frame);
      } catch (error) {
        this.close({ why: 'failure', text: error instanceof Error ? error.message : String(error), error });
      }
      if (count % TURN === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    this.#isBusy = false;
    if (this.#isPaused && this.#closed === null) {
      this.#isPaused = false;
      this.#want();
    }
  }

  /** The next whole message; null when there is none yet or the connection has ended. */
  #readFrame(): Frame | null {
    for (;;) {
      const received = this.#socket.receive(this.#reader.room(), MAX_MESSAGE_FDS);
      if (received === 'again') return null;
      if (received === 'closed') {
        this.close(
          this.#reader.isInside
            ? {
                why: 'peer',
                text: 'the peer has closed the connection inside a message',
                clause: CLAUSE.header,
              }
            : { why: 'peer', text: 'the peer has closed the connection' },
        );
        return null;
      }
      this.counters.bytesIn += received.bytes;
      this.counters.fdsIn += received.fds.length;
      const taken = this.#reader.take(received);
      this.counters.strayFds = this.#reader.strayFds;
      if (taken.kind === 'broken') {
        const { text, clause } = taken.problem;
        this.close({ why: 'violation', text, clause });
        return null;
      }
      if (taken.kind === 'frame') {
        this.counters.framesIn++;
        return taken.frame;
      }
    }
  }
}
