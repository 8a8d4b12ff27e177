import {
  EVENT_ERROR,
  EVENT_HANGUP,
  EVENT_READABLE,
  EVENT_WRITABLE,
  type Reactor,
  type UnixSocket,
} from '@vhostlab/host';
import type { Fd } from '../fd.ts';
import type { MessageSocket, Received, SocketListener } from './message-socket.ts';

/** A Unix socket of the operating system, watched by the reactor of this thread. It owns the socket. */
export class HostSocket implements MessageSocket {
  readonly #socket: UnixSocket;
  readonly #reactor: Reactor;
  #listener: SocketListener | null = null;
  #unwatch: (() => void) | null = null;
  #events = EVENT_READABLE;
  #isClosed = false;
  #hungUp = false;

  constructor(socket: UnixSocket, reactor: Reactor) {
    this.#socket = socket;
    this.#reactor = reactor;
  }

  /** The descriptor of the socket itself, which stays this object's. */
  get fd(): Fd {
    return this.#socket.fd;
  }

  send(bytes: Uint8Array, fds: readonly Fd[]): number | 'again' | 'closed' {
    return this.#isClosed ? 'closed' : this.#socket.send(bytes, fds);
  }

  receive(into: Uint8Array, maxFds: number): Received | 'again' | 'closed' {
    return this.#isClosed ? 'closed' : this.#socket.receive(into, maxFds);
  }

  listen(listener: SocketListener): void {
    this.#listener = listener;
    this.#watch();
  }

  want(readable: boolean, writable: boolean): void {
    const events = (readable ? EVENT_READABLE : 0) | (writable ? EVENT_WRITABLE : 0);
    if (events === this.#events) return;
    this.#events = events;
    if (this.#listener !== null) this.#watch();
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#listener = null;
    this.#unwatch?.();
    this.#unwatch = null;
    this.#socket.close();
  }

  #watch(): void {
    this.#unwatch?.();
    this.#unwatch = null;
    // epoll reports a hang-up again and again, whatever is asked of it
    if (this.#isClosed || (this.#hungUp && this.#events === 0)) return;
    this.#unwatch = this.#reactor.watch(this.#socket.fd, (events) => this.#ready(events), this.#events);
  }

  #ready(events: number): void {
    if ((events & (EVENT_HANGUP | EVENT_ERROR)) !== 0 && !this.#hungUp) {
      this.#hungUp = true;
      if (this.#events === 0) this.#watch();
      this.#listener?.hangup();
    }
    const readable = EVENT_READABLE | EVENT_HANGUP | EVENT_ERROR;
    if ((events & readable) !== 0 && (this.#events & EVENT_READABLE) !== 0) this.#listener?.readable();
    if ((events & EVENT_WRITABLE) !== 0) this.#listener?.writable();
  }
}
