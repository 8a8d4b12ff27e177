import type { FrameMeta, MemoryEnd, Ps } from '@vhostlab/engine';
import { faultName } from '@vhostlab/memory';
import {
  type HeaderBytes,
  MERGE_NEEDS_MORE,
  MERGE_TOO_SMALL,
  RxMerge,
  writeHash,
  writeHeader,
} from '@vhostlab/virtio-net';
import { CHAIN_OK, type ChainBatch } from '@vhostlab/virtqueue';
import type { DmaDomain } from '../dma/dma.ts';
import { type Nic, wireFrames } from '../nic.ts';
import { ChainWindow } from './chain-window.ts';
import type { DeviceRing, RingOwner } from './device-ring.ts';
import type { QueueTotals } from './queue-totals.ts';

const SEGMENTS = 4096;
/** Most buffers that one frame may take: 64 KB in buffers of 1,526 bytes and more. */
const MERGE_BUFFERS = 64;

/** What a queue that enqueues (guest receive) needs to know of its function. */
export interface EnqueueOptions {
  readonly domain: DmaDomain;
  readonly end: MemoryEnd;
  readonly headerBytes: HeaderBytes;
  readonly mergeable: boolean;
  /** Most buffers that the device keeps prefetched. */
  readonly cacheChains: number;
  /** Arena offset of 32 bytes for headers, shared by the queues of a NIC. */
  readonly header: number;
  readonly totals: QueueTotals;
  onBroken(reason: string): void;
}

/**
 * Guest receive queue: buffers are fetched ahead of the frames; a frame without a buffer is dropped. Frames of a burst
 * become used together, up to the write-back batch.
 */
export class EnqueueQueue implements RingOwner {
  readonly #nic: Nic;
  readonly #options: EnqueueOptions;
  readonly #window: ChainWindow;
  readonly #merge: RxMerge;
  /** Buffers that are filled and not used yet, a ring: slot, bytes, moment, packet at the last buffer of a frame. */
  readonly #slot: Uint16Array;
  readonly #bytes: Uint32Array;
  readonly #atPs: Float64Array;
  readonly #packet: Int32Array;
  readonly #last: Uint8Array;
  readonly #mask: number;
  #filled = 0;
  #used = 0;
  #ring: DeviceRing | undefined;
  /** Group of used entries that is open: how many, when the last write has left, when they may be seen. */
  #groupEntries = 0;
  #groupAtPs: Ps = 0;
  #groupVisiblePs: Ps = 0;

  constructor(nic: Nic, options: EnqueueOptions, queueSize: number) {
    this.#nic = nic;
    this.#options = options;
    this.#window = new ChainWindow(options.cacheChains, SEGMENTS);
    this.#merge = new RxMerge(options.mergeable, options.headerBytes, MERGE_BUFFERS);
    let places = 1;
    while (places < queueSize) places *= 2;
    this.#mask = places - 1;
    this.#slot = new Uint16Array(places);
    this.#bytes = new Uint32Array(places);
    this.#atPs = new Float64Array(places);
    this.#packet = new Int32Array(places);
    this.#last = new Uint8Array(places);
  }

  /** The ring that it fills; undefined: forgets everything that was taken. */
  attach(ring: DeviceRing | undefined): void {
    if (ring === undefined) this.#countLost();
    this.#ring = ring;
    this.#window.clear();
    this.#filled = 0;
    this.#used = 0;
    this.#groupEntries = 0;
  }

  /** Frames whose used entries were never published are lost with the ring. */
  #countLost(): void {
    for (; this.#used !== this.#filled; this.#used++) {
      const i = this.#used & this.#mask;
      if (this.#last[i] === 1 && this.#packet[i] >= 0) this.#nic.drop('device-reset');
    }
  }

  room(): number {
    return this.#window.room(SEGMENTS / 2);
  }

  take(batch: ChainBatch, _nowPs: Ps): void {
    for (let c = 0; c < batch.count; c++) this.#window.append(batch, c);
  }

  settle(nowPs: Ps): number {
    const ring = this.#ring;
    if (ring === undefined) return 0;
    const { recorder, stages } = this.#nic;
    let frames = 0;
    while (this.#used !== this.#filled) {
      const i = this.#used & this.#mask;
      if (this.#atPs[i] > nowPs) break;
      ring.queue.pushUsed(this.#slot[i], this.#bytes[i]);
      if (this.#last[i] === 1) {
        frames++;
        if (recorder.sampled(this.#packet[i])) {
          recorder.event(stages.usedWrite, this.#packet[i], this.#slot[i], this.#bytes[i]);
          ring.announce(this.#packet[i]);
        }
      }
      this.#used++;
    }
    return frames;
  }

  broken(reason: string): void {
    this.#options.onBroken(reason);
  }

  abandon(): number {
    const unused = this.#window.count;
    this.#window.clear();
    this.#groupEntries = 0;
    return unused;
  }

  /**
   * Puts a frame into the next buffers: its DMA starts at `atPs` (not after now) and is seen `latencyPs` after it has
   * left. `hash` goes to the header when that has room for it.
   */
  deliver(
    offset: number,
    length: number,
    meta: FrameMeta,
    atPs: Ps,
    latencyPs: Ps,
    hash: number,
    hashReport: number,
  ): void {
    const ring = this.#ring;
    if (ring === undefined || !ring.running) {
      this.#nic.drop('guest-not-ready', wireFrames(length, meta));
      return;
    }
    const window = this.#window;
    const buffers = this.#plan(length, wireFrames(length, meta));
    if (buffers > 0) {
      const { headerBytes, header } = this.#options;
      const { u8 } = this.#nic.arena;
      writeHeader(u8, header, headerBytes, meta, 1);
      if (headerBytes === 20) writeHash(u8, header, hash, hashReport);
      this.#merge.place(this.#nic.arena, window, window.head, header, offset, length);
      this.#write(buffers, length, meta, atPs, latencyPs);
      this.#options.totals.frames++;
      this.#options.totals.bytes += length;
    }
    if (ring.paused && this.room() >= this.#options.cacheChains / 2) ring.resume(this.#nic.now());
  }

  /** Ends the group of used entries of this burst. */
  close(): void {
    if (this.#groupEntries === 0) return;
    this.#ring?.writeUsed(this.#groupAtPs, this.#groupEntries, this.#groupVisiblePs);
    this.#groupEntries = 0;
    this.#groupVisiblePs = 0;
  }

  /** True when a frame would find a buffer. */
  get hasBuffer(): boolean {
    return this.#window.count > 0 && this.#ring?.running === true;
  }

  get open(): boolean {
    return this.#groupEntries > 0;
  }

  /** Number of buffers for a frame; 0: it is dropped, as `frames` frames. */
  #plan(length: number, frames: number): number {
    const window = this.#window;
    if (window.count === 0) {
      this.#nic.drop('guest-ring-full', frames);
      return 0;
    }
    if (window.status[window.head] !== CHAIN_OK) {
      const status = window.status[window.head];
      this.#reject(status < 0 ? faultName(status).replaceAll(' ', '-') : 'bad-chain', frames);
      return 0;
    }
    const buffers = this.#merge.plan(length, window, window.head, window.count);
    if (buffers === MERGE_TOO_SMALL) {
      this.#reject('guest-buffer-small', frames);
      return 0;
    }
    if (buffers === MERGE_NEEDS_MORE) {
      this.#nic.drop('guest-ring-full', frames);
      return 0;
    }
    for (let b = 1; b < buffers; b++) {
      const status = window.status[window.head + b];
      if (status === CHAIN_OK) continue;
      // the bad buffer is given back when a frame finds it first
      this.#reject(status < 0 ? faultName(status).replaceAll(' ', '-') : 'bad-chain', frames);
      return 0;
    }
    return buffers;
  }

  /** Gives the first buffer back empty and drops the frame. */
  #reject(reason: string, frames: number): void {
    this.#nic.drop(reason, frames);
    const now = this.#nic.now();
    this.#fill(0, now, -1, false);
    this.#groupAtPs = Math.max(this.#groupAtPs, now);
    this.#groupVisiblePs = Math.max(this.#groupVisiblePs, now);
  }

  #write(buffers: number, length: number, meta: FrameMeta, atPs: Ps, latencyPs: Ps): void {
    const { meter, ops, recorder, stages } = this.#nic;
    const { domain, end, headerBytes } = this.#options;
    const window = this.#window;
    const { written } = this.#merge;
    const address = window.address[window.firstSegment[window.head]];
    end.setTag(0, window.slot[window.head], meta.packet, meta.bornPs);
    let done = atPs;
    for (let b = 0; b < buffers; b++) {
      const chain = window.head;
      let left = written[b];
      for (let s = window.firstSegment[chain]; left > 0; s++) {
        if (window.writable[s] === 0 || window.length[s] === 0) continue;
        const part = Math.min(left, window.length[s]);
        end.publisher.cover(window.offset[s], part);
        const at = domain.write(atPs, window.address[s], part);
        if (at > done) done = at;
        left -= part;
      }
      this.#fill(written[b], done + latencyPs, meta.packet, b === buffers - 1);
    }
    meter.book(ops.dmaWrite, 1, headerBytes + length, done - atPs);
    if (recorder.sampled(meta.packet)) {
      recorder.eventAt(done + latencyPs, stages.dmaWrite, meta.packet, address, headerBytes + length);
    }
    this.#groupAtPs = done;
    if (done + latencyPs > this.#groupVisiblePs) this.#groupVisiblePs = done + latencyPs;
    if (this.#groupEntries >= this.#nic.constants.writeBackBatch) this.close();
  }

  /** Takes the first buffer of the window as filled with `bytes`. */
  #fill(bytes: number, atPs: Ps, packet: number, last: boolean): void {
    const i = this.#filled++ & this.#mask;
    this.#slot[i] = this.#window.slot[this.#window.head];
    this.#bytes[i] = bytes;
    this.#atPs[i] = atPs;
    this.#packet[i] = packet;
    this.#last[i] = last ? 1 : 0;
    this.#window.shift();
    this.#groupEntries++;
  }
}
