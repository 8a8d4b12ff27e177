import { decodeHeader } from '../codec/header.ts';
import { HEADER_BYTES, MAX_MESSAGE_FDS, MAX_PAYLOAD_BYTES } from '../codec/layouts.ts';
import { CLAUSE, type Problem, problem } from '../codec/problem.ts';
import type { Fd } from '../fd.ts';
import type { Received } from './message-socket.ts';

/** What is wrong with the way in which a message arrived. */
export type FramingCode = 'stray-fds' | 'fds-truncated' | 'too-long' | 'end-inside-message';

/** One whole message as it arrived. Whoever gets it owns the descriptors. */
export interface Frame {
  /** Header and payload, a copy of its own. */
  readonly bytes: Uint8Array;
  readonly fds: readonly Fd[];
  /** `stray-fds`: some came after the first byte and were closed; `fds-truncated`: the kernel dropped some. */
  readonly problems: readonly Problem<FramingCode>[];
}

/** What `take` made of a read: nothing yet, a message, or that the stream is of no use any more. */
export type Taken =
  | { readonly kind: 'more' }
  | { readonly kind: 'frame'; readonly frame: Frame }
  | { readonly kind: 'broken'; readonly problem: Problem<FramingCode> };

const MORE: Taken = { kind: 'more' };

/**
 * Cuts a stream into messages. Each read must be exactly into `room()`, never beyond the message: only so is it certain
 * which message descriptors belong to, because the kernel may join the bytes of several writes.
 */
export class FrameReader {
  readonly #maxPayloadBytes: number;
  readonly #header = new Uint8Array(HEADER_BYTES);
  #message: Uint8Array | null = null;
  #filled = 0;
  #fds: Fd[] = [];
  #problems: Problem<FramingCode>[] = [];
  /** Descriptors that did not come with the first byte of a message, and were closed. */
  strayFds = 0;

  /** `maxPayloadBytes`: a longer payload breaks the stream. */
  constructor(maxPayloadBytes: number = MAX_PAYLOAD_BYTES) {
    this.#maxPayloadBytes = maxPayloadBytes;
  }

  /** Where the next read goes: what is missing of the header, then of the payload. Never empty. */
  room(): Uint8Array {
    return (this.#message ?? this.#header).subarray(this.#filled);
  }

  /** True when part of a message is here. */
  get isInside(): boolean {
    return this.#filled > 0;
  }

  /** Takes what one read of `room()` brought; its descriptors are the reader's from now on. */
  take(received: Received): Taken {
    this.#takeFds(received);
    this.#filled += received.bytes;
    if (this.#message === null) {
      if (this.#filled < HEADER_BYTES) return MORE;
      const { size } = decodeHeader(this.#header);
      if (size > this.#maxPayloadBytes) return this.#broken(size);
      this.#message = new Uint8Array(HEADER_BYTES + size);
      this.#message.set(this.#header);
    }
    if (this.#filled < this.#message.length) return MORE;
    const frame = { bytes: this.#message, fds: this.#fds, problems: this.#problems };
    this.#reset();
    return { kind: 'frame', frame };
  }

  /** Closes descriptors of a message that will not be completed. */
  dispose(): void {
    for (const fd of this.#fds) fd.close();
    this.#reset();
  }

  #takeFds({ fds, truncated }: Received): void {
    if (truncated) {
      const text = `a message came with more than ${MAX_MESSAGE_FDS} descriptors`;
      this.#problems.push(problem('fds-truncated', CLAUSE.ancillary, text));
    }
    if (fds.length === 0) return;
    if (this.#filled === 0) {
      this.#fds.push(...fds);
      return;
    }
    for (const fd of fds) fd.close();
    this.strayFds += fds.length;
    const text = `${fds.length} descriptors came ${this.#filled} bytes into a message, not with its first byte`;
    this.#problems.push(problem('stray-fds', CLAUSE.ancillary, text));
  }

  #broken(size: number): Taken {
    this.dispose();
    const text = `a message says ${size} bytes of payload, ${this.#maxPayloadBytes} are accepted`;
    return { kind: 'broken', problem: problem('too-long', CLAUSE.header, text) };
  }

  #reset(): void {
    this.#message = null;
    this.#filled = 0;
    this.#fds = [];
    this.#problems = [];
  }
}
