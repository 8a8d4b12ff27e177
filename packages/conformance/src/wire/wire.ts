import {
  closeAll,
  EVENT_READABLE,
  EVENT_WRITABLE,
  type Fd,
  monotonicMs,
  type Reactor,
  type UnixSocket,
} from '@vhostlab/host';
import { type Channel, decodeMessage, FrameReader, type Message, type Role } from '@vhostlab/vhost-user';

/** A whole message that came. Its descriptors stay the wire's and are closed with it. */
export interface Arrived {
  readonly kind: 'message';
  readonly message: Message;
  readonly bytes: Uint8Array;
  readonly fds: readonly Fd[];
}

/** What waiting for a message brought. `broken`: bytes that are no message. */
export type Arrival =
  | Arrived
  | { readonly kind: 'closed' }
  | { readonly kind: 'silent' }
  | { readonly kind: 'broken' };

/** Messages kept for somebody who does not look: a flood ends there. */
const MAX_WAITING = 4096;
/** Replies longer than any of the protocol are broken. */
const MAX_REPLY_BYTES = 4096;
/** Room for descriptors per read: more than belong to any reply, so that strays are seen. */
const FD_ROOM = 32;

/**
 * One socket to a peer under test, at the level of bytes: sends anything, right or wrong, and hands out whole messages
 * that came. Nothing here throws on what the peer does, and every wait is bounded.
 */
export class Wire {
  readonly #socket: UnixSocket;
  readonly #reactor: Reactor;
  readonly #role: Role;
  readonly #channel: Channel;
  readonly #reader = new FrameReader(MAX_REPLY_BYTES);
  readonly #waiting: Arrived[] = [];
  readonly #fds: Fd[] = [];
  #unwatch: (() => void) | null;
  #end: 'closed' | 'broken' | null = null;
  #wake: (() => void) | null = null;

  /** Takes over the socket. `role`: whether what comes are replies (a back end's) or requests (a front end's). */
  constructor(socket: UnixSocket, reactor: Reactor, role: Role = 'reply', channel: Channel = 'main') {
    this.#socket = socket;
    this.#reactor = reactor;
    this.#role = role;
    this.#channel = channel;
    this.#unwatch = reactor.watch(socket.fd, () => this.#readable());
  }

  /** The socket's descriptor, which stays the wire's. */
  get fd(): Fd {
    return this.#socket.fd;
  }

  /** True once the peer has closed or sent what is no message; messages that came before may still wait. */
  get hasEnded(): boolean {
    return this.#end !== null;
  }

  /**
   * Sends all bytes, and descriptors with the first; false when the peer is gone or reads nothing for `timeoutMs`.
   * Descriptors stay the caller's.
   */
  async send(bytes: Uint8Array, fds: readonly Fd[] = [], timeoutMs = 1000): Promise<boolean> {
    let at = 0;
    while (at < bytes.length) {
      const sent = this.#socket.send(bytes.subarray(at), at === 0 ? fds : []);
      if (sent === 'closed') return false;
      if (sent !== 'again') at += sent;
      else if (!(await this.#writable(timeoutMs))) return false;
    }
    return true;
  }

  /** The next message within `timeoutMs`; `silent` when none came. */
  async next(timeoutMs: number): Promise<Arrival> {
    const end = monotonicMs() + timeoutMs;
    // part of a message wakes too
    while (this.#waiting.length === 0 && this.#end === null) {
      const leftMs = end - monotonicMs();
      if (leftMs <= 0) break;
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, leftMs);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
      this.#wake = null;
    }
    const first = this.#waiting.shift();
    if (first !== undefined) return first;
    return this.#end === null ? { kind: 'silent' } : { kind: this.#end };
  }

  /** Waits up to `timeoutMs` for the peer to close, dropping what comes; true when it did. */
  async untilClosed(timeoutMs: number): Promise<boolean> {
    const end = monotonicMs() + timeoutMs;
    for (;;) {
      const arrival = await this.next(Math.max(0, end - monotonicMs()));
      if (arrival.kind === 'closed' || arrival.kind === 'broken') return true;
      if (arrival.kind === 'silent' || monotonicMs() >= end) return false;
    }
  }

  /** Descriptors that came, which stay the wire's. */
  get receivedDescriptors(): readonly Fd[] {
    return this.#fds;
  }

  /** Closes the descriptors that came so far. */
  closeDescriptors(): void {
    closeAll(this.#fds);
    this.#fds.length = 0;
  }

  /** Closes the socket and every descriptor that came. */
  close(): void {
    this.#stopWatching();
    this.#socket.close();
    this.#reader.dispose();
    this.closeDescriptors();
    this.#end ??= 'closed';
    this.#wake?.();
  }

  #readable(): void {
    while (this.#end === null) {
      const received = this.#socket.receive(this.#reader.room(), FD_ROOM);
      if (received === 'again') break;
      if (received === 'closed') {
        this.#finish('closed');
        break;
      }
      const taken = this.#reader.take(received);
      if (taken.kind === 'broken') this.#finish('broken');
      if (taken.kind !== 'frame') continue;
      const { bytes, fds } = taken.frame;
      this.#fds.push(...fds);
      const message = decodeMessage(bytes, this.#channel, this.#role, fds.length);
      this.#waiting.push({ kind: 'message', message, bytes, fds });
      if (this.#waiting.length > MAX_WAITING) this.#finish('broken');
    }
    this.#wake?.();
  }

  #finish(how: 'closed' | 'broken'): void {
    this.#end = how;
    this.#stopWatching();
  }

  #stopWatching(): void {
    this.#unwatch?.();
    this.#unwatch = null;
  }

  /** Waits for room to send, without losing sight of what comes. */
  async #writable(timeoutMs: number): Promise<boolean> {
    if (this.#unwatch === null) return false;
    this.#stopWatching();
    let events = 0;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, timeoutMs);
      this.#unwatch = this.#reactor.watch(
        this.#socket.fd,
        (ready) => {
          if ((ready & EVENT_READABLE) !== 0) this.#readable();
          events = ready;
          if ((ready & ~EVENT_READABLE) === 0 && this.#end === null) return;
          clearTimeout(timer);
          resolve();
        },
        EVENT_READABLE | EVENT_WRITABLE,
      );
    });
    this.#stopWatching();
    if (this.#end === null) this.#unwatch = this.#reactor.watch(this.#socket.fd, () => this.#readable());
    return this.#end === null && (events & EVENT_WRITABLE) !== 0;
  }
}
