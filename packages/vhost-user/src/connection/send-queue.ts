import type { Fd } from '../fd.ts';
import type { MessageSocket } from './message-socket.ts';

interface Waiting {
  bytes: Uint8Array;
  /** Duplicates that the queue owns; empty once the first byte has gone. */
  fds: Fd[];
}

/** What became of bytes that were given to a queue. */
export type SendResult = 'sent' | 'queued' | 'full' | 'gone';

/** Bytes that a slow peer has not taken yet, in order, with their descriptors; bounded. */
export class SendQueue {
  readonly #socket: MessageSocket;
  readonly #maxBytes: number;
  readonly #waiting: Waiting[] = [];
  #bytes = 0;

  constructor(socket: MessageSocket, maxBytes: number) {
    this.#socket = socket;
    this.#maxBytes = maxBytes;
  }

  get isEmpty(): boolean {
    return this.#waiting.length === 0;
  }

  /**
   * Sends now, or keeps what does not go with duplicates of the descriptors: the caller's stay the caller's. `full`:
   * the peer reads too little, and nothing was kept. Throws a HostError when there is no descriptor left to duplicate to.
   */
  send(bytes: Uint8Array, fds: readonly Fd[]): SendResult {
    let sent = 0;
    if (this.isEmpty) {
      const result = this.#socket.send(bytes, fds);
      if (result === 'closed') return 'gone';
      sent = result === 'again' ? 0 : result;
      if (sent === bytes.length) return 'sent';
    }
    const rest = bytes.length - sent;
    if (this.#bytes + rest > this.#maxBytes) return 'full';
    this.#bytes += rest;
    this.#waiting.push({ bytes: bytes.subarray(sent), fds: sent > 0 ? [] : duplicate(fds) });
    return 'queued';
  }

  /** Sends what waits, as far as there is room. */
  flush(): SendResult {
    for (;;) {
      const first = this.#waiting[0];
      if (first === undefined) return 'sent';
      const sent = this.#socket.send(first.bytes, first.fds);
      if (sent === 'closed') return 'gone';
      if (sent === 'again') return 'queued';
      for (const fd of first.fds) fd.close();
      first.fds = [];
      this.#bytes -= sent;
      first.bytes = first.bytes.subarray(sent);
      if (first.bytes.length === 0) this.#waiting.shift();
    }
  }

  /** Drops everything and closes the duplicates. */
  dispose(): void {
    for (const { fds } of this.#waiting) for (const fd of fds) fd.close();
    this.#waiting.length = 0;
    this.#bytes = 0;
  }
}

function duplicate(fds: readonly Fd[]): Fd[] {
  const made: Fd[] = [];
  try {
    for (const fd of fds) made.push(fd.dup());
    return made;
  } catch (error) {
    for (const fd of made) fd.close();
    throw error;
  }
}
