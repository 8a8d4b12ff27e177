import type { FrameMeta, MemoryEnd, Ps } from '@vhostlab/engine';
import { NIC_DESC_BYTES, NIC_RX_LAST, type NicRxDevice, nicFaultName } from '@vhostlab/nic-queue';
import type { Nic, TimerOwner } from '../nic.ts';

const FETCHED = 0;
const FLUSH = 1;

/**
 * Receive ring of a host driver: descriptors are prefetched, frames written by DMA, write-backs gathered. A frame that
 * finds no descriptor in the NIC is dropped.
 */
export class HostRx implements TimerOwner {
  readonly #nic: Nic;
  readonly #end: MemoryEnd;
  readonly #ring: NicRxDevice;
  readonly #base: number;
  readonly #bufferBytes: number;
  readonly #cache: number;
  readonly #timer: number;
  /** Tells of frames written back: how many. */
  readonly #arrived: (frames: number, nowPs: Ps) => void;
  readonly #announce: (packet: number) => void;
  /** Filled descriptors without write-back, a ring. */
  readonly #length: Uint32Array;
  readonly #hash: Int32Array;
  readonly #packet: Int32Array;
  readonly #atPs: Float64Array;
  readonly #mask: number;
  #filled = 0;
  #written = 0;
  #fetching = 0;
  readonly #fetches: number[] = [];
  #tail = 0;
  #group = 0;
  #groupAtPs: Ps = 0;
  #stopped = false;

  /** `base`: arena offset that addresses count from. `bufferBytes`: longest frame that a buffer takes. */
  constructor(
    nic: Nic,
    end: MemoryEnd,
    ring: NicRxDevice,
    size: number,
    base: number,
    bufferBytes: number,
    hooks: { arrived(frames: number, nowPs: Ps): void; announce(packet: number): void },
  ) {
    this.#nic = nic;
    this.#end = end;
    this.#ring = ring;
    this.#base = base;
    this.#bufferBytes = bufferBytes;
    this.#cache = Math.min(size - 1, nic.constants.descriptorPrefetch * 3);
    this.#timer = nic.register(this);
    this.#arrived = hooks.arrived;
    this.#announce = hooks.announce;
    this.#mask = size - 1;
    this.#length = new Uint32Array(size);
    this.#hash = new Int32Array(size);
    this.#packet = new Int32Array(size);
    this.#atPs = new Float64Array(size);
  }

  /** The driver wrote the tail register. */
  setTail(tail: number, nowPs: Ps): void {
    this.#tail = tail;
    this.#fetch(nowPs);
  }

  /** The queue is no more. */
  stop(): void {
    this.#stopped = true;
  }

  /** True when a frame would find a descriptor. */
  get hasDescriptor(): boolean {
    return this.#ring.available > 0 && !this.#stopped;
  }

  /** True when every frame taken was written back. */
  get isIdle(): boolean {
    return this.#filled === this.#written;
  }

  /** Frames of this run that are not written back yet. */
  get open(): boolean {
    return this.#group > 0;
  }

  /** Puts a frame that arrived at `atPs` (not after now) into the next buffer, or drops it. */
  deliver(offset: number, length: number, meta: FrameMeta, atPs: Ps, hash: number): void {
    if (!this.hasDescriptor) {
      this.#nic.drop('nic-rx-ring-full');
      return;
    }
    if (length > this.#bufferBytes) {
      this.#nic.drop('nic-rx-too-long');
      return;
    }
    const { arena, constants, dma, meter, ops, recorder, stages } = this.#nic;
    const slot = this.#ring.take();
    const to = this.#base + this.#ring.address[slot];
    if (!(to + length <= arena.sizeBytes)) {
      this.#stop('buffer outside of memory');
      this.#nic.drop('unmapped');
      return;
    }
    arena.copy(to, offset, length);
    this.#end.publisher.cover(to, length);
    this.#end.setTag(0, slot, meta.packet, meta.bornPs);
    const done = dma.pcie.write(atPs, length);
    meter.book(ops.dmaWrite, 1, length, done - atPs);
    const i = this.#filled++ & this.#mask;
    this.#length[i] = length;
    this.#hash[i] = hash;
    this.#packet[i] = meta.packet;
    this.#atPs[i] = done + constants.rxPipelinePs;
    if (recorder.sampled(meta.packet)) {
      recorder.eventAt(
        done + constants.rxPipelinePs,
        stages.dmaWrite,
        meta.packet,
        this.#ring.address[slot],
        length,
      );
    }
    this.#groupAtPs = done;
    if (++this.#group >= constants.writeBackBatch) this.close();
    if (this.#ring.available * 2 < this.#cache) this.#fetch(this.#nic.now());
  }

  /** Starts the write-back of the frames gathered. */
  close(): void {
    if (this.#group === 0) return;
    const { constants, dma, meter, ops } = this.#nic;
    const bytes = this.#group * NIC_DESC_BYTES;
    const done = dma.pcie.write(this.#groupAtPs, bytes);
    meter.book(ops.usedWrite, 1, bytes, done - this.#groupAtPs);
    this.#group = 0;
    this.#nic.later(done + constants.rxPipelinePs, this.#timer, FLUSH);
  }

  due(kind: number, nowPs: Ps): void {
    if (this.#stopped) return;
    if (kind === FETCHED) this.#onFetched(nowPs);
    else if (kind === FLUSH) this.#onFlush(nowPs);
  }

  #fetch(nowPs: Ps): void {
    const { constants, dma, meter, ops } = this.#nic;
    for (;;) {
      const room = this.#cache - this.#ring.available - this.#fetching;
      const wanted = Math.min(
        room,
        this.#ring.pending(this.#tail) - this.#fetching,
        constants.descriptorPrefetch,
      );
      if (wanted <= 0) break;
      const bytes = wanted * NIC_DESC_BYTES;
      const done = dma.pcie.read(nowPs, bytes);
      meter.book(ops.descRead, 1, bytes, done - nowPs);
      this.#fetching += wanted;
      this.#fetches.push(wanted);
      this.#nic.later(done, this.#timer, FETCHED);
    }
    // a tail outside of the ring is found out by reading up to it
    if (this.#ring.pending(this.#tail) === 0 && this.#ring.fetch(this.#tail, 0) < 0) {
      this.#stop(nicFaultName(this.#ring.fault));
    }
  }

  #onFetched(nowPs: Ps): void {
    const asked = this.#fetches.shift() as number;
    this.#fetching -= asked;
    if (this.#ring.fetch(this.#tail, asked) < 0) {
      this.#stop(nicFaultName(this.#ring.fault));
      return;
    }
    this.#fetch(nowPs);
  }

  #onFlush(nowPs: Ps): void {
    const { recorder, stages } = this.#nic;
    let frames = 0;
    while (this.#written !== this.#filled && this.#atPs[this.#written & this.#mask] <= nowPs) {
      const i = this.#written++ & this.#mask;
      this.#ring.writeBack(this.#length[i], NIC_RX_LAST, this.#hash[i], 0, 0);
      if (recorder.sampled(this.#packet[i])) {
        recorder.event(stages.usedWrite, this.#packet[i], this.#hash[i] >>> 0, this.#length[i]);
        this.#announce(this.#packet[i]);
      }
      frames++;
    }
    this.#ring.flush();
    if (frames > 0) this.#arrived(frames, nowPs);
  }

  #stop(reason: string): void {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#nic.context.counter('queue-broken.host-rx').value++;
    this.#nic.recorder.note(this.#nic.stages.setup, `host receive queue broken: ${reason}`, this.#tail, 0);
  }
}
