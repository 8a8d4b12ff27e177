import type { CoreContext, MemoryEnd } from '@vhostlab/engine';
import type { PacketPool } from '@vhostlab/memory';
import { type FeatureSet, gather, MERGE_NEEDS_MORE, RxMerge } from '@vhostlab/virtio-net';
import { ChainBatch, type DeviceQueue } from '@vhostlab/virtqueue';
import { FrameHeaders } from './frame-headers.ts';
import { PairBooks } from './pair-books.ts';
import { TlbCharges } from './tlb-charges.ts';
import { TxAdmission } from './tx-admission.ts';
import { type RingTotals, VhostControl } from './vhost-control.ts';

/** Notification vectors of a queue pair's channel, both ways: receive and transmit queue of the guest. */
export const VECTOR_RX = 0;
export const VECTOR_TX = 1;

/** Chains handled at once. */
const BURST = 64;
/** A frame may take this many receive buffers (64 KiB in 1.5 KiB buffers). */
const MAX_MERGED = 48;
/** A frame met a receive buffer that is not mapped, or no buffer at all. */
const FAULTY = -2;
/** Lines of a split ring besides the index's that a fetched burst meets at least: of available entries, of descriptors. */
const SPLIT_LINES = 2;

/** Where a pair's ends are and what it offers. */
export interface VhostPairOptions {
  guest: number;
  pair: number;
  offered: FeatureSet;
  /** vhost-user protocol features that are offered. */
  protocolFeatures?: bigint;
  pageBytes: number;
}

/**
 * One queue pair of a vhost device that copies: takes frames out of guest buffers into a pool, and puts frames
 * of a pool into guest buffers. Publishing and calling are steps of the caller, with a barrier between them.
 */
export class VhostPair {
  readonly end: MemoryEnd;
  readonly control: VhostControl;
  rx: DeviceQueue | undefined;
  tx: DeviceQueue | undefined;
  readonly #context: CoreContext;
  readonly #tlb: TlbCharges;
  readonly #txBatch = new ChainBatch(BURST, BURST * 20);
  readonly #rxBatch = new ChainBatch(BURST, BURST * 20);
  readonly #headers: FrameHeaders;
  #merge = new RxMerge(false, 12, 1);
  #rxUnpublished = 0;
  #txUnpublished = 0;
  #callsDue = 0;
  #buffersSeen = 0;
  #packed = false;
  /** Frames of the last `enqueue` that found buffers, by pool index. */
  readonly #placed = new Uint32Array(BURST);
  /** Guest addresses of the frames of the last burst. */
  readonly #addresses = new Float64Array(BURST);
  readonly #books: PairBooks;
  /** The receive ring as it was started; `rx` is undefined while it is disabled. */
  #rxQueue: DeviceQueue | undefined;
  #rxEnabled = true;
  readonly #admission: TxAdmission;
  /** By ring: of the guest's receive queue, of its transmit queue. */
  readonly #totals: readonly [RingTotals, RingTotals] = [emptyTotals(), emptyTotals()];
  /** Called after rings or memory changed. */
  onChange: () => void = () => undefined;
  /**
   * The VMM is about to give the pair to another back end: calls `done` once nothing that came in before is under way here,
   * towards the guest or away from it. A core that keeps no frames between two runs answers at once.
   */
  onQuiesce: (done: () => void) => void = (done) => done();

  constructor(context: CoreContext, options: VhostPairOptions) {
    const { guest, pair } = options;
    this.#context = context;
    this.end = context.memory(`vq.${guest}.${pair}`);
    this.#tlb = new TlbCharges(context, 'vhost', options.pageBytes);
    this.#headers = new FrameHeaders(context.arena);
    this.control = new VhostControl(context, {
      control: `vhost.${guest}.${pair}`,
      memory: `vq.${guest}.${pair}`,
      window: `guest${guest}`,
      offered: options.offered,
      ...(options.protocolFeatures === undefined ? {} : { protocolFeatures: options.protocolFeatures }),
      events: {
        ring: (index, queue) => this.#ring(index, queue),
        memory: () => this.onChange(),
        enabled: (index, on) => this.#enable(index, on),
        totals: (index) => this.#totals[index],
        quiesce: (done) => this.onQuiesce(done),
      },
    });
    this.#books = new PairBooks(context);
    this.#admission = new TxAdmission(this.#headers, this.#books);
  }

  /**
   * Takes up to `max` (at most 64) transmitted frames into buffers of `pool`; their indices go to `out`.
   * Answers how many; faulty chains are completed and counted. Follow with `publish`.
   */
  dequeue(pool: PacketPool, out: Uint32Array, max: number): number {
    const queue = this.tx;
    if (queue === undefined) return 0;
    const chains = queue.pop(this.#txBatch, Math.min(max, BURST));
    if (chains === 0) {
      this.#books.noteViolation(queue);
      return 0;
    }
    const batch = this.#txBatch;
    const { meter, arena } = this.#context;
    this.#chargeFetch(chains);
    this.#tagEvents(batch, chains, this.#books.stages.fetch);
    const headerBytes = this.#headers.bytes;
    queue.pushUsedBurst(batch.slot, chains, 0);
    let count = 0;
    let bytes = 0;
    for (let c = 0; c < chains; c++) {
      const slot = batch.slot[c];
      const frameBytes = batch.readableBytes[c] - headerBytes;
      const index = this.#admission.admit(batch, c, frameBytes, pool);
      if (index < 0) continue;
      const offset = pool.offset[index];
      const single = batch.segmentCount[c] === 1;
      const first = batch.firstSegment[c];
      if (single) arena.copy(offset, batch.offset[first] + headerBytes, frameBytes);
      else gather(arena, batch, c, headerBytes, offset, frameBytes);
      for (let s = 0; s < batch.segmentCount[c]; s++) {
        this.#tlb.touch(batch.address[first + s], batch.length[first + s]);
      }
      pool.length[index] = frameBytes;
      pool.packet[index] = this.end.tagPacket(1, slot);
      pool.bornPs[index] = this.end.tagBornPs(1, slot);
      bytes += frameBytes;
      this.#addresses[count] = batch.address[first];
      out[count++] = index;
      this.#books.noteUsed(VECTOR_TX, pool.packet[index]);
    }
    this.#txUnpublished += chains;
    this.#totals[VECTOR_TX].frames += count;
    this.#totals[VECTOR_TX].bytes += bytes;
    meter.charge(this.#books.copy, count, bytes);
    this.#tlb.charge();
    this.#books.events(pool, out, this.#addresses, count, this.#books.stages.copy);
    return count;
  }

  /** Puts `count` (at most 64) frames of `pool` into receive buffers and frees them; those without room are dropped. */
  enqueue(pool: PacketPool, indices: Uint32Array, count: number): void {
    this.#put(pool, indices, count, false);
  }

  /**
   * The same, but stops at the first frame that finds too few buffers. Answers how many were taken; that frame
   * and those after it stay the caller's.
   */
  enqueueUntilFull(pool: PacketPool, indices: Uint32Array, count: number): number {
    return this.#put(pool, indices, count, true);
  }

  /**
   * Asks for a kick when receive buffers come in addition to those that were too few. A barrier later
   * `hasMoreBuffers` says whether some came before the guest could know.
   */
  waitForBuffers(): void {
    const queue = this.rx;
    if (queue === undefined) return;
    // the event word must be past the buffers that are there: they bring no kick any more
    this.#buffersSeen = queue.pop(this.#rxBatch, BURST);
    queue.enableNotifications();
    queue.unpop(this.#buffersSeen);
  }

  /** True when there are more receive buffers than at `waitForBuffers`. */
  hasMoreBuffers(): boolean {
    return this.rx !== undefined && this.rx.available() > this.#buffersSeen;
  }

  #put(pool: PacketPool, indices: Uint32Array, count: number, stops: boolean): number {
    const queue = this.rx;
    if (queue === undefined || count === 0) {
      this.#books.dropFull.value += pool.wireFramesOf(indices, 0, count);
      pool.freeBulk(indices, 0, count);
      return count;
    }
    let taken = count;
    const { meter, arena } = this.#context;
    const batch = this.#rxBatch;
    let at = 0;
    let asked = count;
    let chains = queue.pop(batch, asked);
    this.#books.noteViolation(queue);
    const fetched = Math.min(chains, 1);
    let placed = 0;
    let chainsUsed = 0;
    let bytes = 0;
    for (let i = 0; i < count; i++) {
      const index = indices[i];
      const length = pool.length[index];
      if (!this.#headers.fit(pool, index)) {
        this.#books.drop('gso-not-negotiated', pool.wireFrames(index));
        continue;
      }
      let buffers = this.#planBuffers(batch, at, chains, length);
      if (buffers === 0 && chains === asked && chains - at < BURST) {
        // the frames need more buffers than there are frames: fetch again
        queue.unpop(chains - at);
        at = 0;
        asked = Math.min(BURST, count - i + MAX_MERGED);
        chains = queue.pop(batch, asked);
        buffers = this.#planBuffers(batch, 0, chains, length);
      }
      if (buffers === MERGE_NEEDS_MORE && stops && queue.violation === 0) {
        taken = i;
        break;
      }
      if (buffers <= 0) {
        at = this.#refuse(queue, batch, at, chains, buffers, pool.wireFrames(index));
        continue;
      }
      this.#headers.write(buffers);
      this.#merge.place(arena, batch, at, this.#headers.offset, pool.offset[index], length);
      const packet = pool.packet[index];
      this.#addresses[placed] = batch.address[batch.firstSegment[at]];
      for (let b = 0; b < buffers; b++) {
        const written = this.#merge.written[b];
        this.#touchWritten(batch, at, written);
        this.end.setTag(0, batch.slot[at], packet, pool.bornPs[index]);
        queue.pushUsed(batch.slot[at++], written);
        this.#rxUnpublished++;
      }
      this.#placed[placed++] = index;
      chainsUsed += buffers;
      bytes += length;
      this.#books.noteUsed(VECTOR_RX, packet);
    }
    if (at < chains) queue.unpop(chains - at);
    if (fetched > 0) this.#chargeFetch(Math.max(chainsUsed, fetched));
    this.#books.events(pool, this.#placed, this.#addresses, placed, this.#books.stages.fetch);
    this.#totals[VECTOR_RX].frames += placed;
    this.#totals[VECTOR_RX].bytes += bytes;
    meter.charge(this.#books.copy, placed, bytes);
    this.#tlb.charge();
    this.#books.events(pool, this.#placed, this.#addresses, placed, this.#books.stages.copy);
    pool.freeBulk(indices, 0, taken);
    return taken;
  }

  /** A burst of `chains` was fetched. A split ring keeps available entries and descriptors apart from their index. */
  #chargeFetch(chains: number): void {
    const { meter } = this.#context;
    meter.charge(this.#packed ? this.#books.fetchPacked : this.#books.fetch, chains, 0);
    if (!this.#packed) meter.charge(this.#books.ringLine, SPLIT_LINES, 0);
  }

  /** Buffers that a frame takes from chain `at` on, or FAULTY when it meets a chain that cannot be written. */
  #planBuffers(batch: ChainBatch, at: number, chains: number, length: number): number {
    const buffers = this.#merge.plan(length, batch, at, chains - at);
    if (batch.isPlain) return buffers;
    const last = buffers > 0 ? at + buffers : Math.min(at + 1, chains);
    for (let c = at; c < last; c++) if (batch.status[c] !== 0) return FAULTY;
    return buffers;
  }

  /** Drops a frame, `frames` of them on the wire; what stood in its way is given back empty. Answers the next chain. */
  #refuse(
    queue: DeviceQueue,
    batch: ChainBatch,
    at: number,
    chains: number,
    buffers: number,
    frames: number,
  ): number {
    if (buffers === MERGE_NEEDS_MORE) {
      this.#books.dropFull.value += frames;
      return at;
    }
    let c = at;
    if (buffers === FAULTY) {
      while (batch.status[c] === 0) this.#giveBack(queue, batch, c++);
      this.#books.dropStatus(batch.status[c], frames);
    } else {
      this.#books.dropLong.value += frames;
    }
    if (c < chains) this.#giveBack(queue, batch, c++);
    return c;
  }

  #giveBack(queue: DeviceQueue, batch: ChainBatch, c: number): void {
    queue.pushUsed(batch.slot[c], 0);
    this.#rxUnpublished++;
  }

  /** Covers the first `written` bytes of a chain for publication and counts their pages. */
  #touchWritten(batch: ChainBatch, c: number, written: number): void {
    const { publisher } = this.end;
    const { dirty } = this.control;
    let left = written;
    for (let s = batch.firstSegment[c]; left > 0; s++) {
      const part = batch.writable[s] === 0 ? 0 : Math.min(left, batch.length[s]);
      if (part === 0) continue;
      publisher.cover(batch.offset[s], part);
      dirty?.mark(batch.address[s], part);
      this.#tlb.touch(batch.address[s], part);
      left -= part;
    }
  }

  /** True when used entries wait for `publish`: faulty chains leave some without any frame. */
  get hasUnpublished(): boolean {
    return this.#rxUnpublished + this.#txUnpublished > 0;
  }

  /** Publishes used entries of both rings; true when a barrier and `callIfWanted` must follow. */
  publish(): boolean {
    const { meter } = this.#context;
    const op = this.#packed ? this.#books.usedPacked : this.#books.used;
    let published = false;
    if (this.#rxUnpublished > 0 && this.rx !== undefined) {
      this.rx.publishUsed();
      meter.charge(op, this.#rxUnpublished, 0);
      this.#callsDue |= 1 << VECTOR_RX;
      published = true;
    }
    if (this.#txUnpublished > 0 && this.tx !== undefined) {
      this.tx.publishUsed();
      meter.charge(op, this.#txUnpublished, 0);
      this.#callsDue |= 1 << VECTOR_TX;
      published = true;
    }
    this.#rxUnpublished = 0;
    this.#txUnpublished = 0;
    this.#books.usedEvents();
    return published;
  }

  /** Step after the barrier: calls the guest where it asked for it. */
  callIfWanted(): void {
    const due = this.#callsDue;
    this.#callsDue = 0;
    if (due & (1 << VECTOR_RX)) this.#call(this.rx, VECTOR_RX);
    if (due & (1 << VECTOR_TX)) this.#call(this.tx, VECTOR_TX);
    this.#books.settle();
  }

  #call(queue: DeviceQueue | undefined, vector: number): void {
    if (queue === undefined) return;
    const { meter } = this.#context;
    meter.charge(this.#books.check, 1, 0);
    if (!queue.shouldCall()) {
      this.#books.callsSuppressed.value++;
      this.#totals[vector].callsSuppressed++;
      return;
    }
    meter.charge(this.#books.call, 1, 0);
    this.#books.calls.value++;
    this.#totals[vector].calls++;
    this.#books.callEvents(vector);
    this.end.notify(vector);
  }

  #ring(index: number, queue: DeviceQueue | undefined): void {
    const { features } = this.control;
    this.#packed = features.has('RING_PACKED');
    this.#headers.negotiate(features);
    const mergeable = features.has('MRG_RXBUF');
    this.#merge = new RxMerge(mergeable, this.#headers.bytes, mergeable ? MAX_MERGED : 1);
    if (index === 0) {
      this.#rxQueue = queue;
      this.rx = this.#rxEnabled ? queue : undefined;
      this.#rxUnpublished = 0;
    } else {
      this.tx = queue;
      this.#txUnpublished = 0;
    }
    this.onChange();
  }

  /** A disabled receive ring is left alone, a disabled transmit ring is emptied (vhost-user, "Ring states"). */
  #enable(index: number, on: boolean): void {
    if (index === 0) {
      this.#rxEnabled = on;
      this.rx = on ? this.#rxQueue : undefined;
    } else {
      this.#admission.enabled = on;
    }
    this.onChange();
  }

  #tagEvents(batch: ChainBatch, chains: number, stage: number): void {
    const { recorder } = this.#context;
    for (let c = 0; c < chains; c++) {
      const packet = this.end.tagPacket(1, batch.slot[c]);
      if (recorder.sampled(packet)) {
        recorder.event(stage, packet, batch.address[batch.firstSegment[c]], batch.readableBytes[c]);
      }
    }
  }
}

const emptyTotals = (): RingTotals => ({ frames: 0, bytes: 0, calls: 0, callsSuppressed: 0 });
