import { hex } from '@vhostlab/datapath/test-kit';
import type { CoreContext } from '@vhostlab/engine';
import { readNumBuffers } from '@vhostlab/virtio-net';
import { type DriverQueue, SegmentList, UsedBatch } from '@vhostlab/virtqueue';
import { GPA_BASE, type GuestLayout, UNMAPPED_GPA } from './guest-memory.ts';

/** How receive buffers are made. */
export interface ReceiveConfig {
  bufferBytes: number;
  /** Descriptors per buffer; above 1 the buffer is cut into equal parts with gaps between them. */
  segments: number;
  /** Buffers that are posted at an address outside the guest's memory, once. */
  unmapped: number[];
}

/** A frame as the guest got it. */
export interface ReceivedFrame {
  packet: number;
  bytes: string;
  buffers: number;
}

const HEADER_BYTES = 12;

/** The receive half of the test guest: posts buffers and puts frames together again. */
export class GuestReceiver {
  readonly frames: ReceivedFrame[] = [];
  readonly #context: CoreContext;
  readonly #ring: DriverQueue;
  readonly #base: number;
  readonly #buffersAt: number;
  readonly #strideBytes: number;
  readonly #config: ReceiveConfig;
  readonly #segments = new SegmentList(16);
  readonly #used = new UsedBatch(64);
  readonly #fresh: number[] = [];
  readonly #unmapped: Set<number>;
  #parts: number[] = [];
  #left = 0;

  constructor(
    context: CoreContext,
    ring: DriverQueue,
    base: number,
    layout: GuestLayout,
    config: { size: number; receive: ReceiveConfig },
  ) {
    this.#context = context;
    this.#ring = ring;
    this.#base = base;
    this.#buffersAt = layout.rings[0].buffers;
    this.#strideBytes = layout.bufferBytes;
    this.#config = config.receive;
    this.#unmapped = new Set(config.receive.unmapped);
    for (let b = 0; b < Math.floor(config.size / config.receive.segments); b++) this.#fresh.push(b);
  }

  /** Takes what was received and posts buffers; true when there was something to do. */
  run(): boolean {
    const used = this.#used;
    const count = this.#ring.popUsed(used, 64);
    for (let i = 0; i < count; i++) this.#take(used.token[i], used.slot[i], used.length[i]);
    const posts = this.#fresh.length > 0;
    for (const buffer of this.#fresh.splice(0)) this.#post(buffer);
    return count > 0 || posts;
  }

  #take(buffer: number, slot: number, length: number): void {
    this.#fresh.push(buffer);
    if (length === 0) {
      this.#context.counter('receive.empty').value++;
      return;
    }
    const { u8 } = this.#context.arena;
    if (this.#left === 0) {
      const header = this.#base + this.#buffersAt + buffer * this.#strideBytes;
      this.#left = Math.max(1, readNumBuffers(u8, header));
      this.#parts = [];
      const packet = this.#context.memory('vq').tagPacket(0, slot);
      this.frames.push({ packet, bytes: '', buffers: this.#left });
    }
    let left = length;
    for (let s = 0; left > 0; s++) {
      const at = this.#base + this.#buffersAt + this.#partAt(buffer, s);
      const bytes = Math.min(left, this.#partBytes());
      this.#parts.push(...u8.subarray(at, at + bytes));
      left -= bytes;
    }
    if (--this.#left > 0) return;
    this.frames[this.frames.length - 1].bytes = hex(Uint8Array.from(this.#parts.slice(HEADER_BYTES)));
    this.#context.counter('frames.delivered').value++;
  }

  #post(buffer: number): void {
    const unmapped = this.#unmapped.delete(buffer);
    const base = unmapped ? UNMAPPED_GPA : GPA_BASE + this.#buffersAt;
    const { segments } = this.#config;
    if (segments === 1) {
      this.#ring.addOne(base + this.#partAt(buffer, 0), this.#partBytes(), true, buffer);
      return;
    }
    this.#segments.clear();
    for (let s = 0; s < segments; s++) {
      this.#segments.push(base + this.#partAt(buffer, s), this.#partBytes(), true);
    }
    this.#ring.addChain(this.#segments, buffer);
  }

  #partBytes(): number {
    return this.#config.bufferBytes / this.#config.segments;
  }

  #partAt(buffer: number, segment: number): number {
    return buffer * this.#strideBytes + segment * (this.#strideBytes / this.#config.segments);
  }
}
