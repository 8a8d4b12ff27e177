import {
  completeChecksum,
  GSO_NONE,
  HDR_F_NEEDS_CSUM,
  NO_OFFLOAD,
  readHeader,
  Segmenter,
} from '@vhostlab/virtio-net';
import type { PairContext } from '../pair-context.ts';
import { HEADER_BYTES } from '../rx-path.ts';
import type { TxPath } from '../tx-path.ts';
import type { UnsentFrame } from './unsent-frame.ts';

/** The queue pair that frames are sent on. */
type ResubmitPort = PairContext & { readonly tx: TxPath };

/**
 * Frames that a driver sends again after a reset, oldest first, before anything new. What the device does not offer any more
 * is done in software: checksums are completed, large frames cut.
 */
export class Resubmission {
  /** Frames sent again, as the source counts them. */
  frames = 0;
  readonly #port: ResubmitPort;
  readonly #left: UnsentFrame[];
  readonly #segmenter: Segmenter;
  readonly #fields = { ...NO_OFFLOAD };
  #at = 0;

  constructor(port: ResubmitPort, left: readonly UnsentFrame[]) {
    this.#port = port;
    this.#left = [...left];
    this.#segmenter = new Segmenter(port.context.arena.u8);
  }

  get isDone(): boolean {
    return this.#at === this.#left.length;
  }

  /** Frames that were not sent; a frame of which segments were sent is given up and counted. */
  rest(): UnsentFrame[] {
    const isOpen = this.#segmenter.index < this.#segmenter.count;
    if (isOpen) {
      this.#port.context.counter('drop.guest-reset').value += this.#segmenter.count - this.#segmenter.index;
      this.#port.pool.free(this.#left[this.#at].buffer);
    }
    return this.#left.slice(this.#at + (isOpen ? 1 : 0));
  }

  /** Adds as many as there is room for; answers how many descriptors' worth of frames were added. */
  pump(): number {
    let added = 0;
    while (this.#at < this.#left.length) {
      const count = this.#send(this.#left[this.#at]);
      if (count < 0) break;
      added += count;
      if (this.#segmenter.index === this.#segmenter.count) this.#at++;
    }
    return added;
  }

  /** Sends one frame, or the next segment of it; -1 without room. */
  #send(frame: UnsentFrame): number {
    const port = this.#port;
    const { arena } = port.context;
    const frameAt = port.base + port.pool.gpa[frame.buffer];
    const header = frameAt - HEADER_BYTES;
    const fields = this.#fields;
    readHeader(arena.u8, header, fields);
    const { gsoTypes, csum } = port.transmitRules;
    const isCut = fields.gsoType !== GSO_NONE && ((gsoTypes >>> (fields.gsoType & 0x1f)) & 1) === 0;
    const isMerged = port.pool.next[frame.buffer] >= 0;
    if (isMerged && (isCut || (!csum && (fields.flags & HDR_F_NEEDS_CSUM) !== 0))) return this.#drop(frame);
    if (isCut) return this.#sendSegment(frame, frameAt);
    if (!csum && (fields.flags & HDR_F_NEEDS_CSUM) !== 0) {
      completeChecksum(arena.u8, frameAt, frame.length, fields);
      plainHeader(arena.u32, header);
    }
    if (!port.tx.hasRoom(1)) return -1;
    if (!port.tx.add(frame.buffer, frame.length, frame.packet, frame.bornPs)) {
      // an empty queue will not get roomier
      return port.tx.queue.inFlight === 0 ? this.#drop(frame) : -1;
    }
    this.frames++;
    return 1;
  }

  #sendSegment(frame: UnsentFrame, frameAt: number): number {
    const port = this.#port;
    const segmenter = this.#segmenter;
    if (!port.tx.hasRoom(1)) return -1;
    const buffer = port.pool.takeSmall();
    if (buffer < 0) return -1;
    if (segmenter.index === segmenter.count && segmenter.begin(frameAt, frame.length, this.#fields) === 0) {
      port.pool.free(buffer);
      return this.#drop(frame);
    }
    const to = port.base + port.pool.gpa[buffer];
    const length = segmenter.next(to);
    plainHeader(port.context.arena.u32, to - HEADER_BYTES);
    if (!port.tx.add(buffer, length, frame.packet, frame.bornPs))
      throw new Error('the transmit queue lost its room');
    this.frames++;
    if (segmenter.index === segmenter.count) port.pool.free(frame.buffer);
    return 1;
  }

  /** A frame that cannot be made into what the device takes. */
  #drop(frame: UnsentFrame): number {
    const { context, pool } = this.#port;
    const { gsoType, gsoSize, hdrLen } = this.#fields;
    const frames = gsoType === GSO_NONE ? 1 : Math.max(1, Math.ceil((frame.length - hdrLen) / gsoSize));
    context.counter('drop.guest-offload').value += frames;
    pool.free(frame.buffer);
    return 0;
  }
}

/** The header of a frame without offloads. */
function plainHeader(u32: Uint32Array, header: number): void {
  const word = header >>> 2;
  u32[word] = 0;
  u32[word + 1] = 0;
  u32[word + 2] = 0;
}
