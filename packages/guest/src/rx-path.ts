import type { CoreContext } from '@vhostlab/engine';
import {
  checkHeader,
  HEADER_FAULTS,
  HEADER_OK,
  type HeaderFields,
  NO_OFFLOAD,
  readHeader,
  readNumBuffers,
} from '@vhostlab/virtio-net';
import { type DriverQueue, UsedBatch, violationName } from '@vhostlab/virtqueue';
import { FRAME_OFFSET } from '@vhostlab/workload';
import type { BufferPool } from './buffer-pool.ts';
import type { PairContext } from './pair-context.ts';
import { SampledFrames } from './sampled-frames.ts';

/** Bytes of the header of a device with VERSION_1 and without hash reports (virtio 1.3, 5.1.6.1). */
export const HEADER_BYTES = 12;
/** Most used buffers of one burst. */
export const BURST_LIMIT = 64;
const ETHERNET_BYTES = 14;

/** The receive queue of a vCPU: frames of the current burst as a struct of arrays. */
export class RxPath {
  readonly queue: DriverQueue;
  /** Frames of the current burst: head buffer, bytes, packet number and time of birth. */
  count = 0;
  readonly buffer = new Int32Array(BURST_LIMIT);
  readonly length = new Uint32Array(BURST_LIMIT);
  readonly packet = new Float64Array(BURST_LIMIT);
  readonly bornPs = new Float64Array(BURST_LIMIT);
  /** Something was published whose kick is not decided. */
  toCheck = false;
  readonly noSamples = new SampledFrames(0);
  readonly #pair: PairContext;
  readonly #context: CoreContext;
  readonly #pool: BufferPool;
  readonly #used = new UsedBatch(BURST_LIMIT);
  readonly #fields: HeaderFields = { ...NO_OFFLOAD };
  readonly #mergeable: boolean;
  readonly #bufferBytes: number;
  readonly #opPop: number;
  readonly #opLine: number;
  readonly #opRefill: number;
  #added = 0;
  #broken = false;
  /** Merged frame that is being put together: buffers to come, first and last buffer, bytes so far. */
  #left = 0;
  #head = -1;
  #tail = -1;
  #bytes = 0;
  #packet = -1;
  #bornPs = 0;

  constructor(pair: PairContext, queue: DriverQueue) {
    this.queue = queue;
    this.#pair = pair;
    this.#context = pair.context;
    this.#pool = pair.pool;
    this.#mergeable = pair.features.has('MRG_RXBUF');
    this.#bufferBytes = HEADER_BYTES + pair.config.pair.small.stride - FRAME_OFFSET;
    this.#opPop = pair.context.op(pair.packed ? 'guest.vring_pop_packed' : 'guest.vring_pop');
    this.#opLine = pair.packed ? -1 : pair.context.op('guest.ring_line');
    this.#opRefill = pair.context.op('guest.rx_refill');
  }

  /** Takes at most `max` (up to BURST_LIMIT) used buffers; answers how many. Their frames are the current burst. */
  pop(max: number): number {
    this.count = 0;
    const used = this.#used;
    const taken = this.queue.popUsed(used, max);
    if (this.queue.violation !== 0) this.#break();
    if (taken === 0) return 0;
    this.#context.meter.charge(this.#opPop, taken, 0);
    // a split ring keeps used entries and their index apart, a burst meets a line more
    if (this.#opLine >= 0) this.#context.meter.charge(this.#opLine, 1, 0);
    const { gpa } = this.#pool;
    const { tlb } = this.#pair.tlb;
    const { vq } = this.#pair;
    const { token, slot, length } = used;
    const { u8 } = this.#context.arena;
    for (let i = 0; i < taken; i++) {
      const buffer = token[i];
      tlb.touch(gpa[buffer]);
      if (this.#left > 0) {
        this.#continue(buffer, length[i]);
        continue;
      }
      const bytes = length[i] - HEADER_BYTES;
      const packet = vq.tagPacket(0, slot[i]);
      const header = this.#pair.base + gpa[buffer] - HEADER_BYTES;
      if (this.#mergeable && bytes > 0 && readNumBuffers(u8, header) !== 1) {
        this.#begin(buffer, bytes, readNumBuffers(u8, header), packet, vq.tagBornPs(0, slot[i]));
      } else if (bytes < ETHERNET_BYTES || (u8[header] | u8[header + 1]) !== 0) {
        this.#finish(buffer, bytes, packet, vq.tagBornPs(0, slot[i]));
      } else {
        const n = this.count++;
        this.buffer[n] = buffer;
        this.length[n] = bytes;
        this.packet[n] = packet;
        this.bornPs[n] = vq.tagBornPs(0, slot[i]);
      }
    }
    return taken;
  }

  /** First buffer of a frame that the device spread over `buffers` of them (virtio 1.3, 5.1.6.4). */
  #begin(buffer: number, bytes: number, buffers: number, packet: number, bornPs: number): void {
    if (buffers === 0 || buffers > this.queue.size) {
      this.#drop(buffer, 'guest-num-buffers');
      return;
    }
    this.#left = buffers - 1;
    this.#head = buffer;
    this.#tail = buffer;
    this.#bytes = bytes;
    this.#packet = packet;
    this.#bornPs = bornPs;
    this.#pool.bytes[buffer] = bytes;
  }

  #continue(buffer: number, bytes: number): void {
    this.#pool.bytes[buffer] = bytes;
    this.#pool.next[this.#tail] = buffer;
    this.#tail = buffer;
    this.#bytes += bytes;
    if (--this.#left === 0) this.#finish(this.#head, this.#bytes, this.#packet, this.#bornPs);
  }

  /** A frame that is complete: into the burst, or dropped when it and its header make no sense. */
  #finish(buffer: number, bytes: number, packet: number, bornPs: number): void {
    if (bytes + HEADER_BYTES <= 0) {
      // The device gave the buffer back without a frame.
      this.#context.counter('rx.unused').value++;
      this.#pool.free(buffer);
      return;
    }
    readHeader(this.#context.arena.u8, this.#pair.base + this.#pool.gpa[buffer] - HEADER_BYTES, this.#fields);
    const fault = checkHeader(this.#fields, bytes, this.#pair.receiveRules);
    if (fault !== HEADER_OK) {
      this.#drop(buffer, `guest-rx-${HEADER_FAULTS[fault]}`);
      return;
    }
    const n = this.count++;
    this.buffer[n] = buffer;
    this.length[n] = bytes;
    this.packet[n] = packet;
    this.bornPs[n] = bornPs;
  }

  #drop(buffer: number, reason: string): void {
    this.#context.counter(`drop.${reason}`).value++;
    this.#pool.free(buffer);
  }

  /** Gives the device every buffer that it has room for. */
  refill(): void {
    const { queue } = this;
    const { gpa } = this.#pool;
    const { tlb } = this.#pair.tlb;
    while (queue.freeSlots > 0) {
      const buffer = this.#pool.takeSmall();
      if (buffer < 0) break;
      tlb.touch(gpa[buffer]);
      queue.addOne(gpa[buffer] - HEADER_BYTES, this.#bufferBytes, true, buffer);
      this.#added++;
    }
  }

  /** Publishes what `refill` added; true when a kick is to be checked after a barrier. */
  publish(): boolean {
    if (this.#added === 0) return false;
    this.#context.meter.charge(this.#opRefill, this.#added, 0);
    this.#added = 0;
    this.queue.publish();
    this.toCheck = true;
    return true;
  }

  #break(): void {
    if (this.#broken) return;
    this.#broken = true;
    this.#context.counter(`queue.broken.rx.${violationName(this.queue.violation)}`).value++;
  }
}
