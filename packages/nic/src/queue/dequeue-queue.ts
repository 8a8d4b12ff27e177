import { emptyFrameMeta, type FrameMeta, type MemoryEnd, type Ps } from '@vhostlab/engine';
import { faultName } from '@vhostlab/memory';
import {
  checkHeader,
  gather,
  HEADER_FAULTS,
  HEADER_OK,
  type HeaderBytes,
  type HeaderRules,
  readHeader,
} from '@vhostlab/virtio-net';
import { CHAIN_OK, type ChainBatch } from '@vhostlab/virtqueue';
import type { DmaDomain } from '../dma/dma.ts';
import { type Nic, type TimerOwner, wireFrames } from '../nic.ts';
import { ChainWindow } from './chain-window.ts';
import type { DeviceRing, RingOwner } from './device-ring.ts';
import type { FramePort, FrameSupplier } from './frame-port.ts';
import type { QueueTotals } from './queue-totals.ts';

/** Longest frame: 64 KB of IP packet behind an Ethernet header with two tags, rounded up. */
export const STAGING_BYTES = 65_664;
/** Bytes that a tag may take in front of a frame. */
export const HEADROOM_BYTES = 64;

const CHAINS = 256;
const SEGMENTS = 4096;
const ARRIVED = 0;
const READ_MORE = 1;

/** What a queue that dequeues (guest transmit) needs to know of its function. */
export interface DequeueOptions {
  readonly domain: DmaDomain;
  readonly end: MemoryEnd;
  readonly headerBytes: HeaderBytes;
  readonly rules: HeaderRules;
  readonly port: FramePort;
  /** Arena offset of `STAGING_BYTES` behind `HEADROOM_BYTES`, shared by the queues of a NIC. */
  readonly staging: number;
  /** Arena offset of 32 bytes for headers, shared by the queues of a NIC. */
  readonly header: number;
  readonly totals: QueueTotals;
  onBroken(reason: string): void;
}

/**
 * Guest transmit queue: payloads are read by DMA, no further ahead than the read-ahead, and handed to the port in
 * groups, each at the latest a batch window after its first frame has arrived. A buffer is given back when its bytes are in the NIC and the port has taken them.
 */
export class DequeueQueue implements RingOwner, TimerOwner, FrameSupplier {
  readonly #nic: Nic;
  readonly #options: DequeueOptions;
  readonly #timer: number;
  readonly #window = new ChainWindow(CHAINS, SEGMENTS);
  readonly #meta: FrameMeta = emptyFrameMeta();
  #ring: DeviceRing | undefined;
  #settled = 0;
  /** Chains at the window's end whose payload is not asked for yet. */
  #unread = 0;
  #readMoreDue = false;

  constructor(nic: Nic, options: DequeueOptions) {
    this.#nic = nic;
    this.#options = options;
    this.#timer = nic.register(this);
  }

  /** The ring that it takes from; undefined: forgets everything that was taken. */
  attach(ring: DeviceRing | undefined): void {
    this.#ring = ring;
    this.#window.clear();
    this.#settled = 0;
    this.#unread = 0;
  }

  /** It is never used again: its number is free. */
  dispose(): void {
    this.attach(undefined);
    this.#nic.release(this.#timer);
  }

  room(): number {
    return this.#window.room(SEGMENTS / 2);
  }

  take(batch: ChainBatch, nowPs: Ps): void {
    const { recorder, stages } = this.#nic;
    const { end } = this.#options;
    const window = this.#window;
    for (let c = 0; c < batch.count; c++) {
      const i = window.append(batch, c);
      const packet = end.tagPacket(1, window.slot[i]);
      if (recorder.sampled(packet)) {
        const first = window.firstSegment[i];
        recorder.eventAt(nowPs, stages.descRead, packet, window.address[first], window.readableBytes[i]);
      }
      window.atPs[i] = Number.POSITIVE_INFINITY;
      this.#unread++;
    }
    this.#readMore(nowPs);
  }

  settle(): number {
    const frames = this.#settled;
    this.#settled = 0;
    return frames;
  }

  broken(reason: string): void {
    this.#options.onBroken(reason);
  }

  abandon(): number {
    const unused = this.#window.count;
    this.#window.clear();
    this.#unread = 0;
    return unused;
  }

  due(kind: number, nowPs: Ps): void {
    if (kind === ARRIVED) {
      this.#process(nowPs);
      return;
    }
    this.#readMoreDue = false;
    this.#readMore(nowPs);
  }

  unblock(nowPs: Ps): void {
    this.#process(nowPs);
  }

  /** Asks for payloads up to the read-ahead: what queues up in front of the link would hold up every other read. */
  #readMore(nowPs: Ps): void {
    const { constants, dma } = this.#nic;
    const window = this.#window;
    let groupStart = -1;
    let last = nowPs;
    while (this.#unread > 0) {
      const backlogPs = dma.pcie.readBacklogPs(nowPs);
      if (backlogPs > constants.readAheadPs) {
        if (!this.#readMoreDue) {
          this.#readMoreDue = true;
          this.#nic.later(nowPs + backlogPs - constants.readAheadPs / 2, this.#timer, READ_MORE);
        }
        break;
      }
      const i = window.tail - this.#unread--;
      const at = this.#readPayload(i, nowPs);
      window.atPs[i] = at;
      if (groupStart < 0) groupStart = at;
      else if (at > groupStart + constants.batchWindowPs) {
        this.#nic.later(last, this.#timer, ARRIVED);
        groupStart = at;
      }
      last = at;
    }
    if (groupStart >= 0) this.#nic.later(last, this.#timer, ARRIVED);
  }

  /** Starts to read a chain's bytes; the moment at which they are there. A translation fault ends up in its status. */
  #readPayload(i: number, nowPs: Ps): Ps {
    const { meter, ops } = this.#nic;
    const window = this.#window;
    if (window.status[i] !== CHAIN_OK) return nowPs;
    let at = nowPs;
    const stop = window.firstSegment[i] + window.segmentCount[i];
    for (let s = window.firstSegment[i]; s < stop; s++) {
      if (window.writable[s] === 1 || window.length[s] === 0) continue;
      const done = this.#options.domain.read(nowPs, window.address[s], window.length[s]);
      if (done < 0) {
        window.status[i] = done;
        return at;
      }
      at = done;
    }
    meter.book(ops.dmaRead, 1, window.readableBytes[i], at - nowPs);
    return at;
  }

  #process(nowPs: Ps): void {
    const ring = this.#ring;
    if (ring === undefined || !ring.running) return;
    const window = this.#window;
    let done = 0;
    while (window.count > 0 && window.atPs[window.head] <= nowPs) {
      const i = window.head;
      if (!this.#forward(i)) {
        this.#options.port.wait(this);
        break;
      }
      ring.queue.pushUsed(window.slot[i], 0);
      window.shift();
      done++;
    }
    if (done > 0) {
      this.#settled += done;
      ring.writeUsed(nowPs, done, nowPs);
    }
    if (ring.paused && this.room() > CHAINS / 2) ring.resume(nowPs);
  }

  /** Hands chain `i` to the port, or drops it; false when the port has no room. */
  #forward(i: number): boolean {
    const { headerBytes, rules, end, port, staging, totals } = this.#options;
    const { arena, recorder, stages } = this.#nic;
    const window = this.#window;
    const status = window.status[i];
    if (status !== CHAIN_OK) {
      this.#nic.drop(status < 0 ? faultName(status).replaceAll(' ', '-') : 'bad-chain');
      return true;
    }
    const length = window.readableBytes[i] - headerBytes;
    if (length < 1) {
      this.#nic.drop('too-short');
      return true;
    }
    if (length > STAGING_BYTES) {
      this.#nic.drop('too-long');
      return true;
    }
    const meta = this.#meta;
    const slot = window.slot[i];
    meta.packet = end.tagPacket(1, slot);
    meta.bornPs = end.tagBornPs(1, slot);
    meta.wireLength = 0;
    const first = window.firstSegment[i];
    let header = window.offset[first];
    if (window.length[first] < headerBytes) {
      header = this.#options.header;
      gather(arena, window, i, 0, header, headerBytes);
    }
    readHeader(arena.u8, header, meta);
    if ((meta.flags | meta.gsoType) !== 0) {
      const fault = checkHeader(meta, length, rules);
      if (fault !== HEADER_OK) {
        this.#nic.drop(`header-${HEADER_FAULTS[fault]}`, wireFrames(length, meta));
        return true;
      }
    }
    // a frame that waited for room takes part from now on
    const at = Math.max(window.atPs[i], this.#nic.now() - this.#nic.constants.batchWindowPs);
    if (recorder.sampled(meta.packet)) {
      recorder.eventAt(
        window.atPs[i],
        stages.dmaRead,
        meta.packet,
        window.address[first],
        window.readableBytes[i],
      );
    }
    const owned = (meta.flags | meta.gsoType) !== 0;
    let isTaken: boolean;
    let offset = owned ? -1 : this.#contiguous(i, headerBytes);
    if (offset < 0) {
      offset = staging + HEADROOM_BYTES;
      gather(arena, window, i, headerBytes, offset, length);
      isTaken = port.input(offset, length, meta, at, true);
    } else {
      isTaken = port.input(offset, length, meta, at, false);
    }
    if (isTaken) {
      totals.frames++;
      totals.bytes += length;
    }
    return isTaken;
  }

  /** Where the frame lies in one piece behind its header, or -1. */
  #contiguous(i: number, headerBytes: number): number {
    const window = this.#window;
    const first = window.firstSegment[i];
    const count = window.segmentCount[i];
    if (count === 1) return window.offset[first] + headerBytes;
    if (count === 2 && window.length[first] === headerBytes && window.writable[first + 1] === 0) {
      return window.offset[first + 1];
    }
    return -1;
  }
}
