import { emptyFrameMeta, type FrameMeta, type MemoryEnd, type Ps } from '@vhostlab/engine';
import { NIC_DESC_BYTES, NicTxBurst, type NicTxDevice, nicFaultName } from '@vhostlab/nic-queue';
import { type Nic, type TimerOwner, wireFrames } from '../nic.ts';
import { HEADROOM_BYTES, STAGING_BYTES } from '../queue/dequeue-queue.ts';
import type { FramePort, FrameSupplier } from '../queue/frame-port.ts';

const FETCHED = 0;
const PAYLOAD = 1;
const DONE = 2;

const PACKETS = 256;
const SEGMENTS = 2048;
/** Data descriptors of one packet at most. */
export const MAX_SEGMENTS = 64;

/**
 * Transmit ring of a host driver: descriptors, then payloads are read by DMA and frames handed to the port; done bits
 * are written back for whole groups.
 */
export class HostTx implements TimerOwner, FrameSupplier {
  readonly #nic: Nic;
  readonly #end: MemoryEnd;
  readonly #ring: NicTxDevice;
  readonly #base: number;
  readonly #port: FramePort;
  readonly #staging: number;
  readonly #timer: number;
  readonly #burst: NicTxBurst;
  readonly #meta: FrameMeta = emptyFrameMeta();
  /** Packets whose payload is being read or waits for the port: rings of packets and of segments. */
  readonly #packets: NicTxBurst;
  readonly #atPs = new Float64Array(PACKETS);
  #head = 0;
  #tail = 0;
  #segmentHead = 0;
  #segmentTail = 0;
  #tailRegister = 0;
  #fetching = false;
  readonly #finished: number[] = [];
  #stopped = false;

  /** `base`: arena offset that addresses count from. `staging`: as for dequeue queues. */
  constructor(nic: Nic, end: MemoryEnd, ring: NicTxDevice, base: number, port: FramePort, staging: number) {
    this.#nic = nic;
    this.#end = end;
    this.#ring = ring;
    this.#base = base;
    this.#port = port;
    this.#staging = staging;
    this.#timer = nic.register(this);
    this.#burst = new NicTxBurst(
      nic.constants.descriptorPrefetch,
      nic.constants.descriptorPrefetch + MAX_SEGMENTS,
    );
    this.#packets = new NicTxBurst(PACKETS, SEGMENTS);
  }

  /** The driver wrote the tail register. */
  setTail(tail: number, nowPs: Ps): void {
    this.#tailRegister = tail;
    this.#fetch(nowPs);
  }

  /** The queue is no more. */
  stop(): void {
    this.#stopped = true;
  }

  /** True when every packet up to the tail register was handed to the port. */
  get isIdle(): boolean {
    if (this.#stopped) return true;
    return !this.#fetching && this.#head === this.#tail && this.#ring.pending(this.#tailRegister) === 0;
  }

  due(kind: number, nowPs: Ps): void {
    if (this.#stopped) return;
    if (kind === FETCHED) this.#onFetched(nowPs);
    else if (kind === PAYLOAD) this.#process(nowPs);
    else if (kind === DONE) this.#ring.complete(this.#finished.shift() as number);
  }

  unblock(nowPs: Ps): void {
    this.#process(nowPs);
  }

  #fetch(nowPs: Ps): void {
    if (this.#fetching || this.#stopped) return;
    const { constants, dma, meter, ops } = this.#nic;
    const pending = this.#ring.pending(this.#tailRegister);
    if (pending === 0) {
      if (this.#ring.readBurst(this.#tailRegister, 0, this.#burst) < 0) this.#stop();
      return;
    }
    const most = this.#burst.slot.length;
    if (this.#tail - this.#head + most > PACKETS) return;
    if (this.#segmentTail - this.#segmentHead + most + MAX_SEGMENTS > SEGMENTS) return;
    const bytes = Math.min(pending, constants.descriptorPrefetch) * NIC_DESC_BYTES;
    const done = dma.pcie.read(nowPs, bytes);
    meter.book(ops.descRead, 1, bytes, done - nowPs);
    this.#fetching = true;
    this.#nic.later(done, this.#timer, FETCHED);
  }

  #onFetched(nowPs: Ps): void {
    this.#fetching = false;
    const burst = this.#burst;
    const count = this.#ring.readBurst(this.#tailRegister, burst.slot.length, burst);
    if (count < 0) {
      this.#stop();
      return;
    }
    const { constants } = this.#nic;
    let groupStart = -1;
    let last = nowPs;
    for (let p = 0; p < count; p++) {
      const at = this.#take(p, nowPs);
      if (groupStart < 0) groupStart = at;
      else if (at > groupStart + constants.batchWindowPs) {
        this.#nic.later(last, this.#timer, PAYLOAD);
        groupStart = at;
      }
      last = at;
    }
    if (groupStart >= 0) this.#nic.later(last, this.#timer, PAYLOAD);
    if (count > 0) this.#fetch(nowPs);
  }

  /** Takes packet `p` of the burst over and starts to read its payload; the moment at which it is there. */
  #take(p: number, nowPs: Ps): Ps {
    const { dma, meter, ops, recorder, stages } = this.#nic;
    const from = this.#burst;
    const to = this.#packets;
    const i = this.#tail++ & (PACKETS - 1);
    to.slot[i] = from.slot[p];
    to.packetDescriptors[i] = from.packetDescriptors[p];
    to.firstSegment[i] = this.#segmentTail & (SEGMENTS - 1);
    to.segmentCount[i] = from.segmentCount[p];
    to.length[i] = from.length[p];
    to.flags[i] = from.flags[p];
    to.gsoType[i] = from.gsoType[p];
    to.hdrLen[i] = from.hdrLen[p];
    to.gsoSize[i] = from.gsoSize[p];
    to.csumStart[i] = from.csumStart[p];
    to.csumOffset[i] = from.csumOffset[p];
    let at = nowPs;
    for (let s = 0; s < from.segmentCount[p]; s++) {
      const place = this.#segmentTail++ & (SEGMENTS - 1);
      to.address[place] = from.address[from.firstSegment[p] + s];
      to.segmentLength[place] = from.segmentLength[from.firstSegment[p] + s];
      at = dma.pcie.read(nowPs, to.segmentLength[place]);
    }
    meter.book(ops.dmaRead, 1, to.length[i], at - nowPs);
    this.#atPs[i] = at;
    const packet = this.#end.tagPacket(1, to.slot[i]);
    if (recorder.sampled(packet)) {
      recorder.eventAt(nowPs, stages.descRead, packet, to.address[to.firstSegment[i]], NIC_DESC_BYTES);
      recorder.eventAt(at, stages.dmaRead, packet, to.address[to.firstSegment[i]], to.length[i]);
    }
    return at;
  }

  #process(nowPs: Ps): void {
    if (this.#stopped) return;
    const packets = this.#packets;
    let descriptors = 0;
    while (this.#head !== this.#tail && this.#atPs[this.#head & (PACKETS - 1)] <= nowPs) {
      const i = this.#head & (PACKETS - 1);
      if (!this.#forward(i)) {
        this.#port.wait(this);
        break;
      }
      descriptors += packets.packetDescriptors[i];
      this.#segmentHead += packets.segmentCount[i];
      this.#head++;
    }
    if (descriptors > 0) this.#writeBack(descriptors, nowPs);
    this.#fetch(nowPs);
  }

  #writeBack(descriptors: number, nowPs: Ps): void {
    const { dma, meter, ops } = this.#nic;
    const done = dma.pcie.write(nowPs, NIC_DESC_BYTES);
    meter.book(ops.usedWrite, 1, NIC_DESC_BYTES, done - nowPs);
    this.#finished.push(descriptors);
    this.#nic.later(done, this.#timer, DONE);
  }

  /** Hands packet `i` to the port or drops it; false when the port has no room. */
  #forward(i: number): boolean {
    const { arena } = this.#nic;
    const packets = this.#packets;
    const length = packets.length[i];
    const meta = this.#meta;
    meta.packet = this.#end.tagPacket(1, packets.slot[i]);
    meta.bornPs = this.#end.tagBornPs(1, packets.slot[i]);
    meta.flags = packets.flags[i];
    meta.gsoType = packets.gsoType[i];
    meta.hdrLen = packets.hdrLen[i];
    meta.gsoSize = packets.gsoSize[i];
    meta.csumStart = packets.csumStart[i];
    meta.csumOffset = packets.csumOffset[i];
    meta.wireLength = 0;
    if (length > STAGING_BYTES) {
      this.#nic.drop('too-long', wireFrames(length, meta));
      return true;
    }
    const first = packets.firstSegment[i];
    const count = packets.segmentCount[i];
    // a frame that waited for room takes part from now on
    const at = Math.max(this.#atPs[i], this.#nic.now() - this.#nic.constants.batchWindowPs);
    const plain = count === 1 && (meta.flags | meta.gsoType) === 0;
    let to = this.#staging + HEADROOM_BYTES;
    for (let s = 0; s < count; s++) {
      const place = (first + s) & (SEGMENTS - 1);
      const from = this.#base + packets.address[place];
      if (!(from + packets.segmentLength[place] <= arena.sizeBytes)) {
        this.#nic.drop('unmapped', wireFrames(length, meta));
        return true;
      }
      if (plain) return this.#port.input(from, length, meta, at, false);
      arena.u8.copyWithin(to, from, from + packets.segmentLength[place]);
      to += packets.segmentLength[place];
    }
    return this.#port.input(this.#staging + HEADROOM_BYTES, length, meta, at, true);
  }

  #stop(): void {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#nic.context.counter('queue-broken.host-tx').value++;
    const reason = nicFaultName(this.#ring.fault);
    this.#nic.recorder.note(
      this.#nic.stages.setup,
      `host transmit queue broken: ${reason}`,
      this.#tailRegister,
      0,
    );
  }
}
