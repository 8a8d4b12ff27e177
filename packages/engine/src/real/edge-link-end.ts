import type { Arena } from '@vhostlab/memory';
import type { FrameMeta, LinkEnd, Ps } from '../api.ts';
import { emptyFrameMeta } from '../link-end.ts';

/** A port at the edge of the lab that gives and takes frames without waiting: of a tap, a packet socket, a capture. */
export interface FramePort {
  /**
   * Puts the next frame at arena offset `offset`, which has `roomBytes`, and what travels with it into `meta` (all zero
   * before). Answers its length, 0 when there is none. Frames that do not fit are the port's to count.
   */
  receive(offset: number, roomBytes: number, meta: FrameMeta): number;
  /** Takes a copy of a frame; false when it cannot now. */
  send(offset: number, length: number, meta: FrameMeta): boolean;
  /** Whether arriving frames are to wake the thread. */
  listen(on: boolean): void;
}

const NOTHING = emptyFrameMeta();

/**
 * A link whose other end is a port at the edge. Received frames lie in a ring of buffers: the bytes of one that was
 * released stay until as many others as there are buffers have come.
 */
export class EdgeLinkEnd implements LinkEnd {
  readonly meta = emptyFrameMeta();
  offset = 0;
  length = 0;
  atPs: Ps = 0;
  readonly #port: FramePort;
  readonly #base: number;
  readonly #buffers: number;
  readonly #bufferBytes: number;
  #next = 0;
  #holds = false;
  #listens = true;

  /** `buffers`: more than are received in one run. `bufferBytes`: the longest frame. */
  constructor(arena: Arena, port: FramePort, buffers: number, bufferBytes: number) {
    this.#port = port;
    this.#buffers = buffers;
    this.#bufferBytes = Math.ceil(bufferBytes / 64) * 64;
    this.#base = arena.alloc(this.#buffers * this.#bufferBytes);
  }

  get listens(): boolean {
    return this.#listens;
  }

  set listens(on: boolean) {
    if (on === this.#listens) return;
    this.#listens = on;
    this.#port.listen(on);
  }

  /** No limit is known: the port says at `send` whether it has room. */
  free(): number {
    return Number.POSITIVE_INFINITY;
  }

  send(offset: number, length: number, meta: FrameMeta, _atPs: Ps): boolean {
    return this.#port.send(offset, length, meta);
  }

  /** A port tells of a frame by giving it: 1 while one is held, else 0. */
  ready(): number {
    return this.#holds ? 1 : 0;
  }

  nextPs(): Ps {
    return this.#holds ? this.atPs : Number.POSITIVE_INFINITY;
  }

  receive(): boolean {
    if (this.#holds) return true;
    const offset = this.#base + this.#next * this.#bufferBytes;
    Object.assign(this.meta, NOTHING);
    const length = this.#port.receive(offset, this.#bufferBytes, this.meta);
    if (length === 0) return false;
    this.offset = offset;
    this.length = length;
    this.#holds = true;
    return true;
  }

  release(): void {
    this.#holds = false;
    this.#next = this.#next + 1 === this.#buffers ? 0 : this.#next + 1;
  }
}
