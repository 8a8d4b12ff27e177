import type { Arena } from '@vhostlab/memory';

/** Frames of one burst at most. */
export const BATCH_FRAMES = 64;
/** Room in front of each frame: a virtio_net_hdr fits, and the frame begins where its copy is fast. */
export const HEADROOM_BYTES = 64;

const LINE_BYTES = 64;
/** Room behind each frame: copies move whole words, and keep a frame's distance from a word's begin. */
const SLACK_BYTES = 16;

/**
 * Up to 64 frames with room of their own in the arena, and their metadata as parallel arrays. A burst is handled to its
 * end before the next one begins, so a batch is filled again and again and nothing is allocated.
 */
export class FrameBatch {
  /** Longest frame that a place has room for. */
  readonly frameBytes: number;
  /** Arena offset and length of each frame. A reader may move the offset into its place's headroom, or 7 bytes on. */
  readonly offset = new Uint32Array(BATCH_FRAMES);
  readonly length = new Uint32Array(BATCH_FRAMES);
  /** Fields of the virtio_net_hdr (virtio 1.3, 5.1.6). */
  readonly flags = new Uint8Array(BATCH_FRAMES);
  readonly gsoType = new Uint8Array(BATCH_FRAMES);
  readonly hdrLen = new Uint16Array(BATCH_FRAMES);
  readonly gsoSize = new Uint16Array(BATCH_FRAMES);
  readonly csumStart = new Uint16Array(BATCH_FRAMES);
  readonly csumOffset = new Uint16Array(BATCH_FRAMES);
  /** Frames in it, from place 0 on. */
  count = 0;
  /** Bytes from one frame's home to the next. */
  readonly strideBytes: number;
  readonly #first: number;

  /** `frameBytes`: longest frame. Takes `memoryBytes(frameBytes)` of the arena; throws a RangeError when it is full. */
  constructor(arena: Arena, frameBytes: number) {
    this.frameBytes = frameBytes;
    this.strideBytes = strideOf(frameBytes);
    this.#first = arena.alloc(this.strideBytes * BATCH_FRAMES, LINE_BYTES) + HEADROOM_BYTES;
    this.clear();
  }

  /** Arena bytes of a batch. */
  static memoryBytes(frameBytes: number): number {
    return strideOf(frameBytes) * BATCH_FRAMES + LINE_BYTES;
  }

  /** Where frame `place` begins when nothing moved it. */
  home(place: number): number {
    return this.#first + place * this.strideBytes;
  }

  /** Empties it: every offset is home, every header field 0. */
  clear(): void {
    this.count = 0;
    for (let i = 0; i < BATCH_FRAMES; i++) this.offset[i] = this.home(i);
    this.clearHeaders();
  }

  /** Sets every header field to 0: frames without offloads. */
  clearHeaders(): void {
    this.flags.fill(0);
    this.gsoType.fill(0);
    this.hdrLen.fill(0);
    this.gsoSize.fill(0);
    this.csumStart.fill(0);
    this.csumOffset.fill(0);
  }
}

/** Places are an odd number of cache lines apart, so that they do not compete for the same sets of a cache. */
function strideOf(frameBytes: number): number {
  const lines = Math.ceil((HEADROOM_BYTES + frameBytes + SLACK_BYTES) / LINE_BYTES);
  return (lines | 1) * LINE_BYTES;
}
