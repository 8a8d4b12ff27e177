import type { CoreContext, Counter, MemoryEnd } from '@vhostlab/engine';
import { faultName, type PacketPool } from '@vhostlab/memory';
import {
  checkHeader,
  completeChecksum,
  type FeatureSet,
  gather,
  HEADER_FAULTS,
  HEADER_OK,
  type HeaderBytes,
  type HeaderRules,
  hasOffload,
  headerBytes,
  NO_OFFLOAD,
  RxMerge,
  readHeader,
  receiveRules,
  transmitRules,
  writeHeader,
} from '@vhostlab/virtio-net';
import { ChainBatch, type DeviceQueue, violationName } from '@vhostlab/virtqueue';
import { TlbCharges } from './tlb-charges.ts';
import { VhostControl } from './vhost-control.ts';

/** Notification vectors of a queue pair's channel, both ways: receive and transmit queue of the guest. */
export const VECTOR_RX = 0;
export const VECTOR_TX = 1;

/** Chains handled at once. */
const BURST = 64;
/** A frame may take this many receive buffers (64 KiB in 1.5 KiB buffers). */
const MAX_MERGED = 48;

/** Where a pair's ends are and what it offers. */
export interface VhostPairOptions {
  guest: number;
  pair: number;
  offered: FeatureSet;
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
  readonly #headerAt: number;
  readonly #fields = { ...NO_OFFLOAD };
  #merge = new RxMerge(false, 12, 1);
  #headerBytes: HeaderBytes = 12;
  #txRules: HeaderRules = { csum: false, ecn: false, gsoTypes: 0 };
  #rxRules: HeaderRules = { csum: false, ecn: false, gsoTypes: 0 };
  #rxUnpublished = 0;
  #txUnpublished = 0;
  #callsDue = 0;
  readonly #ops: {
    fetch: number;
    fetchPacked: number;
    copy: number;
    used: number;
    usedPacked: number;
    check: number;
    call: number;
  };
  readonly #stages: { fetch: number; copy: number; used: number; call: number };
  readonly #dropFull: Counter;
  readonly #dropLong: Counter;
  readonly #dropPool: Counter;
  readonly #calls: Counter;
  readonly #callsSuppressed: Counter;
  /** Called after rings or memory changed. */
  onChange: () => void = () => undefined;

  constructor(context: CoreContext, options: VhostPairOptions) {
    const { guest, pair } = options;
    this.#context = context;
    this.end = context.memory(`vq.${guest}.${pair}`);
    this.#tlb = new TlbCharges(context, 'vhost', options.pageBytes);
    this.#headerAt = context.arena.alloc(64);
    this.control = new VhostControl(context, {
      control: `vhost.${guest}.${pair}`,
      memory: `vq.${guest}.${pair}`,
      window: `guest${guest}`,
      offered: options.offered,
      events: { ring: (index, queue) => this.#ring(index, queue), memory: () => this.onChange() },
    });
    const op = (name: string) => context.op(name);
    this.#ops = {
      fetch: op('vhost.fetch'),
      fetchPacked: op('vhost.fetch_packed'),
      copy: op('vhost.copy'),
      used: op('vhost.used'),
      usedPacked: op('vhost.used_packed'),
      check: op('vhost.call_check'),
      call: op('vhost.call'),
    };
    this.#stages = {
      fetch: context.stage('vhost.fetch'),
      copy: context.stage('vhost.copy'),
      used: context.stage('vhost.used'),
      call: context.stage('vhost.call'),
    };
    this.#dropFull = context.counter('drop.guest-ring-full');
    this.#dropLong = context.counter('drop.frame-too-long');
    this.#dropPool = context.counter('drop.no-buffer');
    this.#calls = context.counter('calls');
    this.#callsSuppressed = context.counter('calls.suppressed');
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
      this.#noteViolation(queue);
      return 0;
    }
    const batch = this.#txBatch;
    const { meter, arena, recorder } = this.#context;
    const packed = this.control.features.has('RING_PACKED');
    meter.charge(packed ? this.#ops.fetchPacked : this.#ops.fetch, chains, 0);
    this.#tagEvents(batch, chains, this.#stages.fetch);
    let count = 0;
    let bytes = 0;
    for (let c = 0; c < chains; c++) {
      const slot = batch.slot[c];
      queue.pushUsed(slot, 0);
      const frameBytes = batch.readableBytes[c] - this.#headerBytes;
      const index = this.#admit(batch, c, frameBytes, pool);
      if (index < 0) continue;
      const offset = pool.offset[index];
      const single = batch.segmentCount[c] === 1;
      const first = batch.firstSegment[c];
      if (single) arena.copy(offset, batch.offset[first] + this.#headerBytes, frameBytes);
      else gather(arena, batch, c, this.#headerBytes, offset, frameBytes);
      for (let s = 0; s < batch.segmentCount[c]; s++) {
        this.#tlb.touch(batch.address[first + s], batch.length[first + s]);
      }
      pool.length[index] = frameBytes;
      pool.packet[index] = this.end.tagPacket(1, slot);
      pool.bornPs[index] = this.end.tagBornPs(1, slot);
      bytes += frameBytes;
      out[count++] = index;
    }
    this.#txUnpublished += chains;
    meter.charge(this.#ops.copy, count, bytes);
    this.#tlb.charge();
    for (let i = 0; i < count; i++) {
      const packet = pool.packet[out[i]];
      if (recorder.sampled(packet)) {
        recorder.event(this.#stages.copy, packet, pool.offset[out[i]], pool.length[out[i]]);
      }
    }
    return count;
  }

  /** Puts `count` (at most 64) frames of `pool` into receive buffers and frees them; those without room are dropped. */
  enqueue(pool: PacketPool, indices: Uint32Array, count: number): void {
    const queue = this.rx;
    if (queue === undefined || count === 0) {
      this.#dropFull.value += count;
      pool.freeBulk(indices, 0, count);
      return;
    }
    const { meter, arena, recorder } = this.#context;
    const batch = this.#rxBatch;
    let at = 0;
    let chains = queue.pop(batch, count);
    this.#noteViolation(queue);
    const fetched = chains;
    let placed = 0;
    let bytes = 0;
    for (let i = 0; i < count; i++) {
      const index = indices[i];
      while (at < chains && batch.status[at] !== 0) {
        this.#countStatus(batch.status[at]);
        queue.pushUsed(batch.slot[at++], 0);
        this.#rxUnpublished++;
      }
      const length = pool.length[index];
      if (!this.#fitHeader(pool, index)) continue;
      let buffers = this.#merge.plan(length, batch, at, chains - at);
      if (buffers === 0 && at > 0) {
        // the rest of this burst needs more buffers than frames: fetch again
        queue.unpop(chains - at);
        at = 0;
        chains = queue.pop(batch, Math.min(BURST, count - i + MAX_MERGED));
        buffers = this.#merge.plan(length, batch, 0, chains);
      }
      if (buffers <= 0) {
        (buffers === 0 ? this.#dropFull : this.#dropLong).value++;
        if (buffers < 0) {
          queue.pushUsed(batch.slot[at++], 0);
          this.#rxUnpublished++;
        }
        continue;
      }
      writeHeader(arena.u8, this.#headerAt, this.#headerBytes, this.#fields, buffers);
      this.#merge.place(arena, batch, at, this.#headerAt, pool.offset[index], length);
      const packet = pool.packet[index];
      for (let b = 0; b < buffers; b++) {
        const first = batch.firstSegment[at];
        const written = this.#merge.written[b];
        this.end.publisher.cover(batch.offset[first], written);
        this.#tlb.touch(batch.address[first], written);
        this.end.setTag(0, batch.slot[at], packet, pool.bornPs[index]);
        queue.pushUsed(batch.slot[at++], written);
        this.#rxUnpublished++;
      }
      placed++;
      bytes += length;
    }
    if (at < chains) queue.unpop(chains - at);
    const packed = this.control.features.has('RING_PACKED');
    meter.charge(packed ? this.#ops.fetchPacked : this.#ops.fetch, Math.max(placed, Math.min(fetched, 1)), 0);
    meter.charge(this.#ops.copy, placed, bytes);
    this.#tlb.charge();
    for (let i = 0; i < count; i++) {
      const packet = pool.packet[indices[i]];
      if (recorder.sampled(packet)) {
        recorder.event(this.#stages.copy, packet, pool.offset[indices[i]], pool.length[indices[i]]);
      }
    }
    pool.freeBulk(indices, 0, count);
  }

  /** True when used entries wait for `publish`: faulty chains leave some without any frame. */
  get hasUnpublished(): boolean {
    return this.#rxUnpublished + this.#txUnpublished > 0;
  }

  /** Publishes used entries of both rings; true when a barrier and `callIfWanted` must follow. */
  publish(): boolean {
    const { meter } = this.#context;
    const op = this.control.features.has('RING_PACKED') ? this.#ops.usedPacked : this.#ops.used;
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
    return published;
  }

  /** Step after the barrier: calls the guest where it asked for it. */
  callIfWanted(): void {
    const due = this.#callsDue;
    this.#callsDue = 0;
    if (due & (1 << VECTOR_RX)) this.#call(this.rx, VECTOR_RX);
    if (due & (1 << VECTOR_TX)) this.#call(this.tx, VECTOR_TX);
  }

  #call(queue: DeviceQueue | undefined, vector: number): void {
    if (queue === undefined) return;
    const { meter, recorder } = this.#context;
    meter.charge(this.#ops.check, 1, 0);
    if (!queue.shouldCall()) {
      this.#callsSuppressed.value++;
      return;
    }
    meter.charge(this.#ops.call, 1, 0);
    this.#calls.value++;
    recorder.event(this.#stages.call, -1, vector, 0);
    this.end.notify(vector);
  }

  /** Index of a pool buffer for chain `c`, its metadata filled; -1 when the frame cannot be taken (counted). */
  #admit(batch: ChainBatch, c: number, frameBytes: number, pool: PacketPool): number {
    if (batch.status[c] !== 0) {
      this.#countStatus(batch.status[c]);
      return -1;
    }
    if (
      frameBytes <= 0 ||
      batch.segmentCount[c] === 0 ||
      batch.length[batch.firstSegment[c]] < this.#headerBytes
    ) {
      this.#drop('too-short');
      return -1;
    }
    if (frameBytes > pool.bufferBytes - pool.headroomBytes) {
      this.#dropLong.value++;
      return -1;
    }
    const header = batch.offset[batch.firstSegment[c]];
    const { arena } = this.#context;
    const offload = hasOffload(arena.u8, header);
    if (offload) {
      readHeader(arena.u8, header, this.#fields);
      const fault = checkHeader(this.#fields, frameBytes, this.#txRules);
      if (fault !== HEADER_OK) {
        this.#drop(HEADER_FAULTS[fault]);
        return -1;
      }
    }
    const index = pool.alloc();
    if (index < 0) {
      this.#dropPool.value++;
      return -1;
    }
    if (offload) {
      pool.flags[index] = this.#fields.flags;
      pool.gsoType[index] = this.#fields.gsoType;
      pool.hdrLen[index] = this.#fields.hdrLen;
      pool.gsoSize[index] = this.#fields.gsoSize;
      pool.csumStart[index] = this.#fields.csumStart;
      pool.csumOffset[index] = this.#fields.csumOffset;
    }
    return index;
  }

  /** Header fields of a frame for this guest; false when it cannot take the frame (counted). */
  #fitHeader(pool: PacketPool, index: number): boolean {
    const fields = this.#fields;
    fields.flags = pool.flags[index];
    fields.gsoType = pool.gsoType[index];
    fields.hdrLen = pool.hdrLen[index];
    fields.gsoSize = pool.gsoSize[index];
    fields.csumStart = pool.csumStart[index];
    fields.csumOffset = pool.csumOffset[index];
    if (fields.flags === 0 && fields.gsoType === 0) return true;
    if (fields.gsoType !== 0 && (this.#rxRules.gsoTypes & (1 << fields.gsoType)) === 0) {
      this.#drop('gso-not-negotiated');
      return false;
    }
    if (!this.#rxRules.csum) {
      completeChecksum(this.#context.arena.u8, pool.offset[index], pool.length[index], fields);
      fields.flags = 0;
      fields.csumStart = 0;
      fields.csumOffset = 0;
    }
    return true;
  }

  #ring(index: number, queue: DeviceQueue | undefined): void {
    const { features } = this.control;
    this.#headerBytes = headerBytes(features);
    const mergeable = features.has('MRG_RXBUF');
    this.#merge = new RxMerge(mergeable, this.#headerBytes, mergeable ? MAX_MERGED : 1);
    this.#txRules = transmitRules(features);
    this.#rxRules = receiveRules(features);
    if (index === 0) this.rx = queue;
    else this.tx = queue;
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

  #countStatus(status: number): void {
    this.#drop(status < 0 ? faultName(status) : `chain-${violationName(status)}`);
  }

  #noteViolation(queue: DeviceQueue): void {
    if (queue.violation === 0) return;
    const counter = this.#context.counter(`violation.${violationName(queue.violation)}`);
    if (counter.value === 0) counter.value = 1;
  }

  #drop(reason: string): void {
    this.#context.counter(`drop.${reason}`).value++;
  }
}
