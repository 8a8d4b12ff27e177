import type { Arena } from '@vhostlab/memory';
import { GSO_ECN, type HeaderFields, NO_OFFLOAD } from '@vhostlab/virtio-net';
import { BATCH_FRAMES } from '../frames/frame-batch.ts';
import { COUNTER } from '../stats/queue-counters.ts';
import { BurstTimer } from './burst-timer.ts';
import type { ReceivePath } from './receive-path.ts';
import { swapMacsAt } from './swap-macs.ts';
import type { TransmitPath } from './transmit-path.ts';

/** `OneCopy.turn` found frames that have to go through a batch. */
export const NEEDS_BATCH = -1;

/**
 * From the transmitq of one guest to the receiveq of the same or another one, with one copy: out of the buffer that was
 * sent, into the one that receives. Frames that find no buffer stay in the sender's ring.
 */
export class OneCopy {
  readonly #arena: Arena;
  readonly #from: TransmitPath;
  readonly #to: ReceivePath;
  readonly #swaps: boolean;
  readonly #frames = new Uint32Array(BATCH_FRAMES);
  readonly #length = new Uint32Array(BATCH_FRAMES);
  readonly #fields: HeaderFields = { ...NO_OFFLOAD };
  readonly #timer: BurstTimer;

  /** `swaps`: source and destination address of every frame are exchanged, where it arrives. */
  constructor(arena: Arena, from: TransmitPath, to: ReceivePath, swaps: boolean) {
    this.#arena = arena;
    this.#from = from;
    this.#to = to;
    this.#swaps = swaps;
    this.#timer = new BurstTimer(from.ring.counters);
  }

  /**
   * Moves up to `max` frames (at most 64). Answers how many; NEEDS_BATCH when frame or buffer at the head is not of the
   * fast kind, and nothing was moved. @hot
   */
  turn(max: number): number {
    if (!this.#timer.isDue()) return this.#turn(max);
    const begin = this.#timer.begin();
    const moved = this.#turn(max);
    this.#timer.end(begin, moved);
    return moved;
  }

  #turn(max: number): number {
    const from = this.#from;
    const to = this.#to;
    if (!from.ring.isPlain || !to.ring.isPlain) return NEEDS_BATCH;
    const sent = from.peek(max);
    if (sent === 0) {
      if (from.burst.visible > 0) return NEEDS_BATCH;
      from.ring.counters[COUNTER.polls]++;
      from.ring.counters[COUNTER.empty_polls]++;
      return 0;
    }
    const room = to.peek(sent);
    if (room === 0) return to.burst.visible > 0 ? NEEDS_BATCH : 0;
    this.#lookAt(room);
    const count = this.#headers(to.fitting(this.#length, room));
    if (count === 0) return NEEDS_BATCH;
    const bytes = to.copy(this.#frames, this.#length, count);
    if (this.#swaps) swapMacsAt(this.#arena, to.placed, count);
    to.finish(count, bytes);
    from.finish(count, bytes);
    return count;
  }

  /** Frames in the first `count` sent buffers. */
  #lookAt(count: number): void {
    const { offset, length } = this.#from.burst;
    const header = this.#from.headerBytes | 0;
    const frames = this.#frames;
    const frameBytes = this.#length;
    for (let i = 0; i < count; i++) {
      frames[i] = offset[i] + header;
      frameBytes[i] = length[i] - header;
    }
  }

  /** Writes the headers of up to `count` frames; answers the number of the first that the receiver cannot take so. */
  #headers(count: number): number {
    const from = this.#from;
    const to = this.#to;
    to.writePlainHeaders(count);
    if (!from.mayOffload) return count;
    for (let i = 0; i < count; i++) {
      if (from.hasOffload(i) && !this.#carry(i)) return i;
    }
    return count;
  }

  #carry(i: number): boolean {
    const fields = this.#fields;
    const { rules } = this.#to;
    if (!this.#from.readHeader(i, fields)) return false;
    const { flags, gsoType } = fields;
    if (flags !== 0 && !rules.csum) return false;
    if (gsoType !== 0 && ((rules.gsoTypes >>> (gsoType & 31)) & 1) === 0) return false;
    if ((gsoType & GSO_ECN) !== 0 && !rules.ecn) return false;
    this.#to.writeHeader(i, fields);
    return true;
  }
}
