import { type Arena, FAULT_UNMAPPED } from '@vhostlab/memory';
import {
  completeChecksum,
  type FeatureSet,
  GSO_ECN,
  HDR_F_NEEDS_CSUM,
  type HeaderBytes,
  type HeaderRules,
  headerBytes,
  MERGE_NEEDS_MORE,
  NO_OFFLOAD,
  RxMerge,
  receiveRules,
  Segmenter,
  writeHeader,
} from '@vhostlab/virtio-net';
import { ChainBatch } from '@vhostlab/virtqueue';
import { BATCH_FRAMES, type FrameBatch } from '../frames/frame-batch.ts';
import { COUNTER } from '../stats/queue-counters.ts';
import { dropCounterOf } from './chain-drops.ts';
import type { Ring } from './ring.ts';

const SEGMENTS = BATCH_FRAMES * 20;
/** Buffers that one frame may take: 64 KiB in buffers of 1.5 KiB. */
const MAX_MERGED = 48;
const HEADER_PLACE_BYTES = 64;
/** Scratch memory of receive rings: a header, and the longest segment that a frame may be cut into. */
export const RECEIVE_SCRATCH_BYTES = HEADER_PLACE_BYTES + 65_600;

/** Puts frames into a receiveq of the guest. */
export class ReceiveRing {
  readonly ring: Ring;
  readonly #arena: Arena;
  readonly #headerBytes: HeaderBytes;
  readonly #rules: HeaderRules;
  readonly #merge: RxMerge;
  readonly #chains = new ChainBatch(BATCH_FRAMES, SEGMENTS);
  readonly #fields = { ...NO_OFFLOAD };
  readonly #header: number;
  readonly #segment: number;
  readonly #segmenter: Segmenter;
  readonly #onMiss: (iova: number, write: boolean) => void;
  /** Chains of the last pop: the next one to use, and how many there are. */
  #at = 0;
  #taken = 0;
  #pushed = 0;
  /** Frames that went in, and their bytes. */
  #placed = 0;
  #bytes = 0;

  /** `scratch`: arena offset of RECEIVE_SCRATCH_BYTES, which rings of one thread may share. */
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
    this.#segment = scratch + HEADER_PLACE_BYTES;
    this.#segmenter = new Segmenter(arena.u8);
    this.#headerBytes = headerBytes(features);
    this.#rules = receiveRules(features);
    this.#merge = new RxMerge(
      features.has('MRG_RXBUF'),
      this.#headerBytes,
      features.has('MRG_RXBUF') ? MAX_MERGED : 1,
    );
    this.#onMiss = onMiss;
  }

  /** Frames that the ring can take now, at least, in buffers of any size; 0: none. */
  hasRoom(): boolean {
    const { ring } = this;
    return ring.isAlive && ring.enabled && ring.queue.hasAvailable();
  }

  /**
   * Puts the frames of `batch` from number `from` on into buffers of the guest, drops those without room, and answers how
   * many went in; the segments of a frame that the guest does not take whole count each.
   */
  enqueue(batch: FrameBatch, from = 0): number {
    const { ring } = this;
    const { queue, counters } = ring;
    if (!ring.isAlive || !ring.enabled) {
      counters[COUNTER.drop_stopped] += batch.count - from;
      return 0;
    }
    this.#at = 0;
    this.#pushed = 0;
    this.#taken = this.#pop(batch.count - from);
    this.#placed = 0;
    this.#bytes = 0;
    for (let i = from; i < batch.count; i++) {
      const offset = batch.offset[i];
      const length = batch.length[i];
      if (this.#fit(batch, i)) this.#put(offset, length);
      else this.#putSegments(offset, length);
    }
    if (this.#at < this.#taken) queue.unpop(this.#taken - this.#at);
    if (this.#pushed > 0) ring.publish();
    if (this.#placed > 0) ring.countBurst(this.#placed, this.#bytes);
    return this.#placed;
  }

  /** Cuts a frame whose segmentation the guest does not take over, which `fit` has read, and puts its segments. */
  #putSegments(offset: number, length: number): void {
    const fields = this.#fields;
    const segmenter = this.#segmenter;
    if (segmenter.begin(offset, length, fields) === 0) {
      this.ring.counters[COUNTER.drop_offload]++;
      return;
    }
    Object.assign(fields, NO_OFFLOAD);
    for (;;) {
      const bytes = segmenter.next(this.#segment);
      if (bytes === 0) return;
      if (this.#put(this.#segment, bytes)) continue;
      // a guest may ask for segments of one byte: none are made in vain
      this.ring.counters[COUNTER.drop_no_buffer] += segmenter.count - segmenter.index;
      return;
    }
  }

  #pop(count: number): number {
    const taken = this.ring.queue.pop(this.#chains, Math.min(Math.max(1, count), BATCH_FRAMES));
    return this.ring.memory.isTranslated ? this.#untilMiss(taken) : taken;
  }

  /** Puts the frame of `length` bytes at arena offset `offset` into the next buffers, or drops it; false: they are all used. */
  #put(offset: number, length: number): boolean {
    const { queue, counters } = this.ring;
    for (let again = true; ; again = false) {
      const buffers = this.#merge.plan(length, this.#chains, this.#at, this.#taken - this.#at);
      const faulty = this.#faultBefore(buffers);
      if (faulty >= 0) {
        // what cannot be written goes back empty, with those before it
        counters[dropCounterOf(this.#chains.status[faulty])]++;
        while (this.#at <= faulty) this.#giveBack(0);
        return true;
      }
      if (buffers > 0) {
        this.#place(offset, length, buffers);
        return true;
      }
      if (buffers !== MERGE_NEEDS_MORE) {
        counters[COUNTER.drop_too_long]++;
        this.#giveBack(0);
        return true;
      }
      if (!again) {
        counters[COUNTER.drop_no_buffer]++;
        return false;
      }
      queue.unpop(this.#taken - this.#at);
      this.#at = 0;
      this.#taken = this.#pop(BATCH_FRAMES);
    }
  }

  /** First chain that cannot be written among those that a plan of `buffers` looks at, or -1. */
  #faultBefore(buffers: number): number {
    const chains = this.#chains;
    if (chains.isPlain) return -1;
    const end = Math.min(this.#taken, this.#at + Math.max(1, buffers));
    for (let c = this.#at; c < end; c++) if (chains.status[c] !== 0) return c;
    return -1;
  }

  #place(offset: number, length: number, buffers: number): void {
    const { memory } = this.ring;
    const chains = this.#chains;
    writeHeader(this.#arena.u8, this.#header, this.#headerBytes, this.#fields, buffers);
    this.#merge.place(this.#arena, chains, this.#at, this.#header, offset, length);
    this.#placed++;
    this.#bytes += length;
    for (let b = 0; b < buffers; b++) {
      if (memory.isLogging) this.#log(this.#at, this.#merge.written[b]);
      this.#giveBack(this.#merge.written[b]);
    }
  }

  /** Completes the next chain with `written` bytes. */
  #giveBack(written: number): void {
    this.ring.queue.pushUsed(this.#chains.slot[this.#at++], written);
    this.#pushed++;
  }

  #log(c: number, written: number): void {
    const chains = this.#chains;
    let left = written;
    for (let s = chains.firstSegment[c]; left > 0; s++) {
      const part = chains.writable[s] === 0 ? 0 : Math.min(left, chains.length[s]);
      this.ring.memory.logWritten(chains.offset[s], part);
      left -= part;
    }
  }

  /**
   * Makes the header of frame `i` one that the guest understands: a checksum that it would not complete is completed
   * here. False when the frame has to be cut.
   */
  #fit(batch: FrameBatch, i: number): boolean {
    const fields = this.#fields;
    fields.flags = batch.flags[i];
    fields.gsoType = batch.gsoType[i];
    if ((fields.flags | fields.gsoType) === 0) {
      fields.hdrLen = 0;
      fields.gsoSize = 0;
      fields.csumStart = 0;
      fields.csumOffset = 0;
      return true;
    }
    fields.hdrLen = batch.hdrLen[i];
    fields.gsoSize = batch.gsoSize[i];
    fields.csumStart = batch.csumStart[i];
    fields.csumOffset = batch.csumOffset[i];
    const { csum, ecn, gsoTypes } = this.#rules;
    if (fields.gsoType !== 0 && (gsoTypes & (1 << (fields.gsoType & 31))) === 0) return false;
    if ((fields.gsoType & GSO_ECN) !== 0 && !ecn) return false;
    if (!csum) {
      if ((fields.flags & HDR_F_NEEDS_CSUM) !== 0) {
        completeChecksum(this.#arena.u8, batch.offset[i], batch.length[i], fields);
      }
      fields.flags = 0;
      fields.csumStart = 0;
      fields.csumOffset = 0;
    }
    return true;
  }

  #untilMiss(taken: number): number {
    const chains = this.#chains;
    for (let c = 0; c < taken; c++) {
      if (chains.status[c] !== FAULT_UNMAPPED) continue;
      const first = chains.firstSegment[c];
      for (let s = first; s < first + chains.segmentCount[c]; s++) {
        if (chains.offset[s] >= 0) continue;
        this.#onMiss(chains.address[s], chains.writable[s] === 1);
        break;
      }
      this.ring.queue.unpop(taken - c);
      return c;
    }
    return taken;
  }
}
