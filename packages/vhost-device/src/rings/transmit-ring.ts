import { type Arena, FAULT_UNMAPPED } from '@vhostlab/memory';
import {
  checkHeader,
  type FeatureSet,
  gather,
  HEADER_FRAME_LONG,
  HEADER_OK,
  type HeaderRules,
  headerBytes,
  NO_OFFLOAD,
  readHeader,
  transmitRules,
} from '@vhostlab/virtio-net';
import { ChainBatch } from '@vhostlab/virtqueue';
import { BATCH_FRAMES, type FrameBatch } from '../frames/frame-batch.ts';
import { COUNTER } from '../stats/queue-counters.ts';
import { dropCounterOf } from './chain-drops.ts';
import type { Ring } from './ring.ts';

const ETHERNET_BYTES = 14;
const SEGMENTS = BATCH_FRAMES * 20;

/** Takes frames out of a transmitq of the guest. */
export class TransmitRing {
  readonly ring: Ring;
  readonly #arena: Arena;
  readonly #headerBytes: number;
  readonly #rules: HeaderRules;
  readonly #chains = new ChainBatch(BATCH_FRAMES, SEGMENTS);
  readonly #fields = { ...NO_OFFLOAD };
  /** Where a header is put together that the driver has cut. */
  readonly #header: number;
  /** Told of an I/O virtual address without translation; the ring waits for one. */
  readonly #onMiss: (iova: number, write: boolean) => void;
  #waitsForTranslation = -1;

  /** `scratch`: arena offset of 64 bytes, which rings of one thread may share. */
  constructor(
    ring: Ring,
    features: FeatureSet,
    arena: Arena,
    scratch: number,
    onMiss: (iova: number, write: boolean) => void,
  ) {
    this.ring = ring;
    this.#arena = arena;
    this.#header = scratch;
    this.#headerBytes = headerBytes(features);
    this.#rules = transmitRules(features);
    this.#onMiss = onMiss;
  }

  /**
   * Copies up to `max` frames (at most 64) into `batch` and gives their buffers back. Answers how many buffers were
   * taken: more than `batch.count` when some held no frame that can be carried. A disabled ring's frames are dropped
   * (vhost-user, "Ring states").
   */
  dequeue(batch: FrameBatch, max: number): number {
    const { ring } = this;
    const { queue, counters } = ring;
    batch.count = 0;
    counters[COUNTER.polls]++;
    if (!ring.isAlive || !this.#mayGoOn()) return 0;
    const chains = this.#chains;
    let taken = queue.pop(chains, Math.min(max, BATCH_FRAMES));
    if (ring.memory.isTranslated) taken = this.#untilMiss(taken);
    if (taken === 0) {
      counters[COUNTER.empty_polls]++;
      return 0;
    }
    let bytes = 0;
    for (let c = 0; c < taken; c++) bytes += this.#take(batch, c);
    queue.pushUsedBurst(chains.slot, taken, 0);
    ring.publish();
    if (!ring.enabled) {
      counters[COUNTER.drop_disabled] += batch.count;
      batch.count = 0;
    }
    if (batch.count > 0) ring.countBurst(batch.count, bytes);
    return taken;
  }

  /** Copies the frame of chain `c`; answers its bytes, 0 when it was dropped. */
  #take(batch: FrameBatch, c: number): number {
    const chains = this.#chains;
    const { counters } = this.ring;
    if (chains.status[c] !== 0) {
      counters[dropCounterOf(chains.status[c])]++;
      return 0;
    }
    const frameBytes = chains.readableBytes[c] - this.#headerBytes;
    if (frameBytes < ETHERNET_BYTES) {
      counters[COUNTER.drop_too_short]++;
      return 0;
    }
    if (frameBytes > batch.frameBytes) {
      counters[COUNTER.drop_too_long]++;
      return 0;
    }
    const place = batch.count;
    if (!this.#readHeader(batch, place, c, frameBytes)) return 0;
    const first = chains.firstSegment[c];
    const home = batch.home(place);
    if (chains.segmentCount[c] === 1) {
      // the frame keeps its distance from a word's begin, so that it is copied in words, header included
      const from = chains.offset[first];
      const skip = this.#headerBytes & 7;
      this.#arena.copy(home, from + this.#headerBytes - skip, frameBytes + skip);
      batch.offset[place] = home + skip;
    } else {
      gather(this.#arena, chains, c, this.#headerBytes, home, frameBytes);
      batch.offset[place] = home;
    }
    batch.length[place] = frameBytes;
    batch.count = place + 1;
    return frameBytes;
  }

  /** Reads the header of chain `c` into place `place`; false when it makes no sense (counted). */
  #readHeader(batch: FrameBatch, place: number, c: number, frameBytes: number): boolean {
    const chains = this.#chains;
    const { u8 } = this.#arena;
    const first = chains.firstSegment[c];
    let at = chains.offset[first];
    if (chains.length[first] < this.#headerBytes) {
      gather(this.#arena, chains, c, 0, this.#header, this.#headerBytes);
      at = this.#header;
    }
    const fields = this.#fields;
    readHeader(u8, at, fields);
    if ((fields.flags | fields.gsoType) === 0) {
      batch.flags[place] = 0;
      batch.gsoType[place] = 0;
      return true;
    }
    // one read: the guest may change the bytes meanwhile
    const fault = checkHeader(fields, frameBytes, this.#rules);
    if (fault !== HEADER_OK) {
      const counter = fault === HEADER_FRAME_LONG ? COUNTER.drop_too_long : COUNTER.drop_header;
      this.ring.counters[counter]++;
      return false;
    }
    batch.flags[place] = fields.flags;
    batch.gsoType[place] = fields.gsoType;
    batch.hdrLen[place] = fields.hdrLen;
    batch.gsoSize[place] = fields.gsoSize;
    batch.csumStart[place] = fields.csumStart;
    batch.csumOffset[place] = fields.csumOffset;
    return true;
  }

  /** Chains before the first whose translation is missing; that one is asked for, and it and the rest are given back. */
  #untilMiss(taken: number): number {
    const chains = this.#chains;
    for (let c = 0; c < taken; c++) {
      if (chains.status[c] !== FAULT_UNMAPPED) continue;
      this.#miss(c);
      this.ring.queue.unpop(taken - c);
      return c;
    }
    return taken;
  }

  #miss(c: number): void {
    const chains = this.#chains;
    const first = chains.firstSegment[c];
    for (let s = first; s < first + chains.segmentCount[c]; s++) {
      if (chains.offset[s] >= 0) continue;
      this.#waitsForTranslation = this.ring.memory.space.generation;
      this.#onMiss(chains.address[s], chains.writable[s] === 1);
      return;
    }
  }

  /** False while the translation that was asked for has not come. */
  #mayGoOn(): boolean {
    if (this.#waitsForTranslation < 0) return true;
    if (this.ring.memory.space.generation === this.#waitsForTranslation) return false;
    this.#waitsForTranslation = -1;
    return true;
  }
}
