import { KEY_WORDS } from '@vhostlab/datapath';
import { emptyFrameMeta, type FrameMeta, type Ticket } from '@vhostlab/engine';
import type { Arena } from '@vhostlab/memory';
import type { Nic } from '../nic.ts';
import { HEADROOM_BYTES } from '../queue/dequeue-queue.ts';

/** Frames of one port that wait for the switch service, in order, with their bytes in a ring of the NIC's memory. */
export class HoldQueue {
  readonly capacity: number;
  /** By place (`at`): frame, its key and hash, what it waits for. */
  readonly offset: Float64Array;
  readonly length: Uint32Array;
  readonly keys: Uint32Array;
  readonly hash: Uint32Array;
  readonly meta: FrameMeta[];
  readonly ticket: (Ticket | undefined)[];
  /** Moment at which the slow path is done with the frame, Infinity while it has not begun. */
  readonly readyPs: Float64Array;
  count = 0;
  readonly #arena: Arena;
  readonly #ring: number;
  readonly #ringBytes: number;
  #head = 0;
  #write = 0;
  #free: number;
  /** Bytes of the ring that each frame takes, with what was skipped at the end. */
  readonly #taken: Uint32Array;

  constructor(nic: Nic, frames: number, bytes: number) {
    this.#arena = nic.arena;
    this.capacity = frames;
    this.#ringBytes = bytes;
    this.#ring = nic.alloc(bytes);
    this.#free = bytes;
    this.offset = new Float64Array(frames);
    this.length = new Uint32Array(frames);
    this.keys = new Uint32Array(frames * KEY_WORDS);
    this.hash = new Uint32Array(frames);
    this.readyPs = new Float64Array(frames);
    this.#taken = new Uint32Array(frames);
    this.meta = Array.from({ length: frames }, emptyFrameMeta);
    this.ticket = new Array(frames).fill(undefined);
  }

  /** Place of the n-th frame, the oldest being number 0. */
  at(n: number): number {
    const place = this.#head + n;
    return place < this.capacity ? place : place - this.capacity;
  }

  /** Copies a frame in and answers its place, -1 when there is no room. The caller fills key and hash. */
  push(offset: number, length: number, meta: FrameMeta): number {
    if (this.count === this.capacity) return -1;
    const need = (length + HEADROOM_BYTES + 63) & ~63;
    const skip = this.#write + need > this.#ringBytes ? this.#ringBytes - this.#write : 0;
    if (need + skip > this.#free) return -1;
    if (skip > 0) this.#write = 0;
    const place = this.at(this.count++);
    this.offset[place] = this.#ring + this.#write + HEADROOM_BYTES;
    this.length[place] = length;
    this.#taken[place] = need + skip;
    this.#write += need;
    this.#free -= need + skip;
    this.readyPs[place] = Number.POSITIVE_INFINITY;
    this.ticket[place] = undefined;
    Object.assign(this.meta[place], meta);
    this.#arena.u8.copyWithin(this.offset[place], offset, offset + length);
    return place;
  }

  /** Forgets the oldest frame. */
  shift(): void {
    const place = this.#head;
    this.ticket[place] = undefined;
    this.#free += this.#taken[place];
    this.#head = this.at(1);
    this.count--;
  }
}
