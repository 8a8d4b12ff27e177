import type { Arena } from '@vhostlab/memory';
import { NUM_BUFFERS_OFFSET, readNumBuffers } from '@vhostlab/virtio-net';
import type { ObservedChain } from './chain.ts';
import { copyGuest } from './guest-bytes.ts';
import type { Direction, FrameSink, ObservedMemory } from './ring-to-observe.ts';

/** Bytes kept of a frame: a whole GSO frame fits. */
const MAX_FRAME_BYTES = 65_536 + 64;

/** Copies frames out of guest memory; a received frame may come in several buffers. */
export class FrameCopier {
  readonly #arena: Arena;
  readonly #memory: ObservedMemory;
  readonly #headerBytes: number;
  readonly #bytes = new Uint8Array(MAX_FRAME_BYTES);
  #length = 0;
  #whole = 0;
  /** Buffers of the received frame that are still to come. */
  #buffersLeft = 0;

  constructor(arena: Arena, memory: ObservedMemory, headerBytes: number) {
    this.#arena = arena;
    this.#memory = memory;
    this.#headerBytes = headerBytes;
  }

  /** Copies a transmitted frame; false when some of it is not mapped. */
  copyTransmitted(chain: ObservedChain): boolean {
    this.#length = 0;
    this.#whole = Math.max(0, chain.readableBytes - this.#headerBytes);
    this.#buffersLeft = 0;
    return this.#append(chain, chain.readableBytes, this.#headerBytes);
  }

  /** Takes the next buffer of `written` bytes of a received frame; true when the frame is whole with it. */
  takeReceived(chain: ObservedChain, written: number): boolean {
    if (this.#buffersLeft === 0) {
      this.#length = 0;
      this.#whole = Math.max(0, written - this.#headerBytes);
      const buffers = this.#numBuffers(chain);
      if (buffers === 0 || !this.#append(chain, written, this.#headerBytes)) return false;
      this.#buffersLeft = buffers - 1;
    } else {
      this.#buffersLeft--;
      this.#whole += written;
      if (!this.#append(chain, written, 0)) this.#buffersLeft = 0;
    }
    return this.#buffersLeft === 0;
  }

  /** A buffer of the frame escaped: the next one begins a frame. */
  restart(): void {
    this.#buffersLeft = 0;
  }

  /** Hands the last frame on. */
  give(sink: FrameSink, queue: number, direction: Direction): void {
    if (this.#length > 0) sink.frame(queue, direction, this.#bytes.subarray(0, this.#length), this.#whole);
  }

  #numBuffers(chain: ObservedChain): number {
    if (this.#headerBytes <= NUM_BUFFERS_OFFSET) return 1;
    const head = new Uint8Array(NUM_BUFFERS_OFFSET + 2);
    if (chain.count === 0 || chain.length[0] < head.length) return 0;
    if (copyGuest(this.#arena, this.#memory, chain.address[0], head.length, head, 0) < head.length) return 0;
    const count = readNumBuffers(head, 0);
    return count > 0 && count <= 64 ? count : 1;
  }

  /** Adds the first `total` bytes of the chain but `skip`; false when some of them are not mapped. */
  #append(chain: ObservedChain, total: number, skip: number): boolean {
    let left = total - skip;
    for (let i = 0; i < chain.count && left > 0; i++) {
      const from = Math.min(skip, chain.length[i]);
      skip -= from;
      const take = Math.min(chain.length[i] - from, left, MAX_FRAME_BYTES - this.#length);
      if (take <= 0) continue;
      const address = chain.address[i] + from;
      const got = copyGuest(this.#arena, this.#memory, address, take, this.#bytes, this.#length);
      this.#length += got;
      if (got < take) return false;
      left -= take;
    }
    return true;
  }
}
