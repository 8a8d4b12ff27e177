import type { CoreContext } from '@vhostlab/engine';
import { type DriverQueue, SegmentList, UsedBatch, violationName } from '@vhostlab/virtqueue';
import { SEGMENT_BYTES, TABLE_ENTRIES } from '@vhostlab/workload';
import type { BufferPool } from './buffer-pool.ts';
import type { UnsentFrame } from './instances/unsent-frame.ts';
import { PacketFaults } from './packet-faults.ts';
import type { PairContext } from './pair-context.ts';
import { BURST_LIMIT, HEADER_BYTES } from './rx-path.ts';
import { SampledFrames } from './sampled-frames.ts';

/** The transmit queue of a vCPU. */
export class TxPath {
  readonly queue: DriverQueue;
  /** Something was published whose kick is not decided, and the sampled frames in it. */
  toCheck = false;
  readonly sampled: SampledFrames;
  readonly #pair: PairContext;
  readonly #context: CoreContext;
  readonly #pool: BufferPool;
  readonly #used = new UsedBatch(BURST_LIMIT);
  readonly #segments = new SegmentList(TABLE_ENTRIES);
  readonly #indirect: boolean;
  readonly #faults: PacketFaults | undefined;
  readonly #opAdd: number;
  readonly #opReclaim: number;
  readonly #stageAdd: number;
  readonly #stageReclaim: number;
  #added = 0;
  #broken = false;
  /** By buffer, where the device may be reset: bytes and birth of a frame in the queue. */
  readonly #lengths: Uint32Array | undefined;
  readonly #born: Float64Array | undefined;

  constructor(pair: PairContext, queue: DriverQueue) {
    this.queue = queue;
    this.sampled = new SampledFrames(queue.size);
    this.#pair = pair;
    this.#context = pair.context;
    this.#pool = pair.pool;
    this.#indirect = pair.features.has('INDIRECT_DESC');
    const { faults, pair: layout } = pair.config;
    if (faults.length > 0) {
      this.#faults = new PacketFaults(pair.context, pair.pool, layout.faultBuffers, faults, pair.base);
    }
    if (pair.config.routes !== undefined || pair.config.failover !== undefined) {
      this.#lengths = new Uint32Array(pair.pool.gpa.length);
      this.#born = new Float64Array(pair.pool.gpa.length);
    }
    this.#opAdd = pair.context.op(pair.packed ? 'guest.vring_add_packed' : 'guest.vring_add');
    this.#opReclaim = pair.context.op('guest.tx_reclaim');
    this.#stageAdd = pair.context.stage('guest.vring_add');
    this.#stageReclaim = pair.context.stage('guest.tx_reclaim');
  }

  /** The pair's memory is elsewhere from now on. */
  moved(): void {
    this.#faults?.moveTo(this.#pair.base);
  }

  /** True once the device has broken the ring: nothing goes out any more. */
  get broken(): boolean {
    return this.#broken;
  }

  /** True when a frame of `bytes` bytes fits in one small buffer (or takes `pieces` descriptors) now. */
  hasRoom(pieces: number): boolean {
    return this.queue.freeSlots >= (pieces === 1 || this.#indirect ? 1 : pieces);
  }

  /**
   * Adds the frame of `length` bytes in `buffer` (its header is written), to be published with the burst. False when
   * the queue is full: the buffer stays the caller's. @hot
   */
  add(buffer: number, length: number, packet: number, bornPs: number): boolean {
    let place = buffer;
    let bytes = length;
    if (this.#faults?.concerns(packet)) {
      if (this.queue.freeSlots === 0) return false;
      place = this.#faults.apply(buffer, length, packet);
      bytes = this.#faults.length;
    }
    const gpa = this.#pool.gpa[place];
    const { vq } = this.#pair;
    const header = gpa - HEADER_BYTES;
    let slot: number;
    if (place < this.#pool.firstLarge && this.#pool.next[place] < 0) {
      slot = this.queue.addOne(header, HEADER_BYTES + bytes, false, place);
      if (slot < 0) return false;
      vq.publisher.cover(this.#pair.base + header, HEADER_BYTES + bytes);
    } else {
      slot = this.#addSegments(place, bytes);
      if (slot < 0) return false;
    }
    this.#pair.tlb.tlb.touch(gpa);
    vq.setTag(1, slot, packet, bornPs);
    this.#pool.packet[place] = packet;
    if (this.#lengths !== undefined && this.#born !== undefined) {
      this.#lengths[place] = bytes;
      this.#born[place] = bornPs;
    }
    if (this.#context.recorder.sampled(packet)) this.sampled.add(packet, gpa, bytes);
    this.#added++;
    return true;
  }

  /** A frame in pieces: one large buffer cut into pages, or the buffers of a merged frame. */
  #addSegments(buffer: number, length: number): number {
    const { gpa, next, bytes } = this.#pool;
    const segments = this.#segments;
    const { publisher } = this.#pair.vq;
    segments.clear();
    if (next[buffer] < 0) {
      const end = gpa[buffer] + length;
      publisher.cover(this.#pair.base + gpa[buffer] - HEADER_BYTES, HEADER_BYTES + length);
      for (let at = gpa[buffer] - HEADER_BYTES; at < end; ) {
        const stop = Math.min(end, Math.floor(at / SEGMENT_BYTES + 1) * SEGMENT_BYTES);
        segments.push(at, stop - at, false);
        at = stop;
      }
    } else {
      let left = length;
      for (let i = buffer; i >= 0 && left > 0; i = next[i]) {
        const part = Math.min(left, bytes[i]);
        const size = i === buffer ? part + HEADER_BYTES : part;
        if (segments.count === TABLE_ENTRIES) return -1;
        segments.push(gpa[i] - HEADER_BYTES, size, false);
        publisher.cover(this.#pair.base + gpa[i] - HEADER_BYTES, size);
        left -= part;
      }
    }
    if (segments.count > this.queue.size) return -1;
    return this.#indirect && segments.count > 1
      ? this.queue.addIndirect(segments, buffer)
      : this.queue.addChain(segments, buffer);
  }

  /** Publishes what was added; true when a kick is to be checked after a barrier. */
  publish(): boolean {
    if (this.#added === 0) return false;
    const { meter, recorder } = this.#context;
    meter.charge(this.#opAdd, this.#added, 0);
    this.#pair.tlb.charge();
    this.#added = 0;
    this.sampled.record(recorder, this.#stageAdd);
    this.queue.publish();
    this.toCheck = true;
    return true;
  }

  /** Forgets the sampled frames of the burst before; called before the first `add` of the next. */
  begin(): void {
    this.sampled.count = 0;
  }

  /** Takes back at most `max` buffers that the device is done with; answers how many. */
  reclaim(max: number): number {
    const used = this.#used;
    const taken = this.queue.popUsed(used, max);
    if (this.queue.violation !== 0) this.#break();
    if (taken === 0) return 0;
    this.#context.meter.charge(this.#opReclaim, taken, 0);
    const pool = this.#pool;
    const { recorder } = this.#context;
    for (let i = 0; i < taken; i++) {
      const buffer = used.token[i];
      if (recorder.sampled(pool.packet[buffer])) {
        recorder.event(this.#stageReclaim, pool.packet[buffer], pool.gpa[buffer], 0);
      }
      pool.free(buffer);
    }
    return taken;
  }

  /** Frames that the device has not used, oldest first; they are the caller's, and the queue is to be reset. */
  takeBack(): UnsentFrame[] {
    return this.queue.outstanding().map(({ token }) => ({
      buffer: token,
      length: this.#lengths?.[token] ?? 0,
      packet: this.#pool.packet[token],
      bornPs: this.#born?.[token] ?? 0,
    }));
  }

  #break(): void {
    if (this.#broken) return;
    this.#broken = true;
    this.#context.counter(`queue.broken.tx.${violationName(this.queue.violation)}`).value++;
    this.#context.counter('tx.unreclaimed').value += this.queue.inFlight;
  }
}
