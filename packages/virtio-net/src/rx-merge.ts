import { NUM_BUFFERS_OFFSET, writeNumBuffers } from './header.ts';

/** Chains that a device popped: chain `c` owns `segmentCount[c]` segments from `firstSegment[c]` on. */
export interface ReceiveChains {
  readonly firstSegment: ArrayLike<number>;
  readonly segmentCount: ArrayLike<number>;
  /** Bytes that the device may write into a chain. */
  readonly writableBytes: ArrayLike<number>;
  /** Arena offset, bytes and whether the device may write, per segment. */
  readonly offset: ArrayLike<number>;
  readonly length: ArrayLike<number>;
  readonly writable: ArrayLike<number>;
}

/** Memory in which bytes are copied; an arena. */
export interface CopyMemory {
  readonly u8: Uint8Array;
  copy(to: number, from: number, length: number): void;
}

/** Answers of `RxMerge.plan` other than a number of buffers. */
export const MERGE_NEEDS_MORE = 0;
export const MERGE_TOO_SMALL = -1;

/**
 * Puts received frames into receive buffers: one buffer each, or several with MRG_RXBUF (virtio 1.3, 5.1.6.4).
 * `plan` decides, `place` copies. Allocates nothing.
 */
export class RxMerge {
  /** Bytes written into the first, second, … buffer of the last plan: what goes to the used ring. */
  readonly written: Uint32Array;
  /** Buffers of the last plan. */
  count = 0;
  readonly #mergeable: boolean;
  readonly #headerBytes: number;
  /** Where `place` continues: chain, segment in it, byte in that. */
  #chain = 0;
  #segment = 0;
  #segmentByte = 0;

  /** `maxBuffers`: most buffers that one frame may take, at most 65535. */
  constructor(mergeable: boolean, headerBytes: number, maxBuffers: number) {
    this.#mergeable = mergeable;
    this.#headerBytes = headerBytes;
    this.written = new Uint32Array(mergeable ? maxBuffers : 1);
  }

  /**
   * How many of the `available` chains from `first` on take a header and a frame of `frameBytes`: the number of
   * buffers, MERGE_NEEDS_MORE when these are not enough, MERGE_TOO_SMALL when chain `first` cannot be used at
   * all (no room for the header; without MRG_RXBUF none for the frame; more than `maxBuffers` needed).
   */
  plan(frameBytes: number, chains: ReceiveChains, first: number, available: number): number {
    this.count = 0;
    if (available === 0) return MERGE_NEEDS_MORE;
    const { written } = this;
    const { writableBytes } = chains;
    let left = this.#headerBytes + frameBytes;
    if (writableBytes[first] < (this.#mergeable ? this.#headerBytes : left)) return MERGE_TOO_SMALL;
    const limit = Math.min(available, written.length);
    let count = 0;
    while (left > 0 && count < limit) {
      const bytes = Math.min(left, writableBytes[first + count]);
      written[count++] = bytes;
      left -= bytes;
    }
    if (left > 0) return limit === written.length ? MERGE_TOO_SMALL : MERGE_NEEDS_MORE;
    this.count = count;
    return count;
  }

  /**
   * Copies the header at arena offset `headerFrom` and the frame at `frameFrom` into the buffers of the last
   * plan, which started at chain `first`. num_buffers is set in the header first, if the header has it.
   */
  place(
    memory: CopyMemory,
    chains: ReceiveChains,
    first: number,
    headerFrom: number,
    frameFrom: number,
    frameBytes: number,
  ): void {
    if (this.#headerBytes > NUM_BUFFERS_OFFSET) writeNumBuffers(memory.u8, headerFrom, this.count);
    this.#chain = first;
    this.#segment = 0;
    this.#segmentByte = 0;
    this.#copy(memory, chains, headerFrom, this.#headerBytes);
    this.#copy(memory, chains, frameFrom, frameBytes);
  }

  /** Continues where the last copy ended, over segments and chains; `plan` has made sure of the room. */
  #copy(memory: CopyMemory, chains: ReceiveChains, from: number, bytes: number): void {
    let done = 0;
    while (done < bytes) {
      if (this.#segment === chains.segmentCount[this.#chain]) {
        this.#chain++;
        this.#segment = 0;
        continue;
      }
      const segment = chains.firstSegment[this.#chain] + this.#segment;
      const room = chains.writable[segment] === 0 ? 0 : chains.length[segment] - this.#segmentByte;
      if (room === 0) {
        this.#segment++;
        this.#segmentByte = 0;
        continue;
      }
      const part = Math.min(room, bytes - done);
      memory.copy(chains.offset[segment] + this.#segmentByte, from + done, part);
      this.#segmentByte += part;
      done += part;
    }
  }
}

/**
 * Copies up to `bytes` bytes out of the device-readable segments of chain `chain`, after the first `skip` bytes,
 * to arena offset `to`: the header or the frame of a transmitted buffer, however it is cut. Answers the bytes
 * copied.
 */
export function gather(
  memory: CopyMemory,
  chains: ReceiveChains,
  chain: number,
  skip: number,
  to: number,
  bytes: number,
): number {
  const end = chains.firstSegment[chain] + chains.segmentCount[chain];
  let before = skip;
  let done = 0;
  for (let segment = chains.firstSegment[chain]; segment < end && done < bytes; segment++) {
    if (chains.writable[segment] !== 0) break;
    const length = chains.length[segment];
    if (before >= length) {
      before -= length;
      continue;
    }
    const part = Math.min(length - before, bytes - done);
    memory.copy(to + done, chains.offset[segment] + before, part);
    done += part;
    before = 0;
  }
  return done;
}
