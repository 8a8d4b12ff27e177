import type { Fd, MessageSocket, Received, SocketListener } from '../src/index.ts';

/** One write as the kernel keeps it: descriptors belong to its first byte. */
interface Chunk {
  bytes: Uint8Array;
  fds: Fd[];
}

export interface MemorySocketOptions {
  /** Bytes that one direction holds before `send` answers `again`; default 64 KiB. */
  capacityBytes?: number;
  /** Most bytes of one read; default all. */
  maxReadBytes?: number;
  /** Most bytes of one write; default all. */
  maxWriteBytes?: number;
}

/**
 * A socket in memory that behaves as a Unix stream socket of Linux does: reads join the bytes of several writes and stop
 * behind the first write that brought descriptors; descriptors beyond the room are dropped and reported.
 */
export class MemorySocket implements MessageSocket {
  readonly #chunks: Chunk[] = [];
  readonly #options: MemorySocketOptions;
  #peer: MemorySocket | null = null;
  #listener: SocketListener | null = null;
  #readable = true;
  #writable = false;
  #isClosed = false;
  #scheduled = false;
  #toldHangup = false;

  constructor(options: MemorySocketOptions) {
    this.#options = options;
  }

  /** Joins two sockets. */
  static join(a: MemorySocket, b: MemorySocket): void {
    a.#peer = b;
    b.#peer = a;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  send(bytes: Uint8Array, fds: readonly Fd[]): number | 'again' | 'closed' {
    const peer = this.#peer;
    if (this.#isClosed || peer === null || peer.#isClosed) return 'closed';
    const held = peer.#chunks.reduce((sum, chunk) => sum + chunk.bytes.length, 0);
    const room = (this.#options.capacityBytes ?? 65536) - held;
    const count = Math.min(bytes.length, room, this.#options.maxWriteBytes ?? Infinity);
    if (count <= 0) return 'again';
    peer.#chunks.push({ bytes: bytes.slice(0, count), fds: fds.map((fd) => fd.dup()) });
    peer.wake();
    return count;
  }

  receive(into: Uint8Array, maxFds: number): Received | 'again' | 'closed' {
    if (this.#isClosed) return 'closed';
    if (this.#chunks.length === 0) return this.#peer === null || this.#peer.isClosed ? 'closed' : 'again';
    const room = Math.min(into.length, this.#options.maxReadBytes ?? Infinity);
    let bytes = 0;
    let fds: Fd[] = [];
    while (bytes < room && fds.length === 0 && this.#chunks.length > 0) {
      const chunk = this.#chunks[0];
      const part = chunk.bytes.subarray(0, room - bytes);
      into.set(part, bytes);
      bytes += part.length;
      fds = chunk.fds;
      chunk.fds = [];
      chunk.bytes = chunk.bytes.subarray(part.length);
      if (chunk.bytes.length === 0) this.#chunks.shift();
    }
    for (const fd of fds.slice(maxFds)) fd.close();
    this.#peer?.wake();
    return { bytes, fds: fds.slice(0, maxFds), truncated: fds.length > maxFds };
  }

  listen(listener: SocketListener): void {
    this.#listener = listener;
    this.#schedule();
  }

  want(readable: boolean, writable: boolean): void {
    this.#readable = readable;
    this.#writable = writable;
    this.#schedule();
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#listener = null;
    for (const chunk of this.#chunks) for (const fd of chunk.fds) fd.close();
    this.#chunks.length = 0;
    this.#peer?.wake();
  }

  /** Looks again, soon, whether there is something to tell the listener. */
  wake(): void {
    this.#schedule();
  }

  #schedule(): void {
    if (this.#scheduled || this.#isClosed) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.#tell();
    });
  }

  #tell(): void {
    const ended = this.#peer?.isClosed === true;
    if (ended && !this.#toldHangup) {
      this.#toldHangup = true;
      this.#listener?.hangup();
    }
    if (this.#readable && (this.#chunks.length > 0 || ended)) this.#listener?.readable();
    if (this.#writable) this.#listener?.writable();
    // level-triggered, as epoll is here: what is left is told again
    if (this.#listener !== null && this.#readable && this.#chunks.length > 0) this.#schedule();
  }
}

/** Two sockets joined to each other. */
export function memorySocketPair(
  a: MemorySocketOptions = {},
  b: MemorySocketOptions = a,
): [MemorySocket, MemorySocket] {
  const ends: [MemorySocket, MemorySocket] = [new MemorySocket(a), new MemorySocket(b)];
  MemorySocket.join(...ends);
  return ends;
}
