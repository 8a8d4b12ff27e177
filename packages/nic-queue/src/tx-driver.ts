import type { PacketPool } from '@vhostlab/memory';
import {
  NIC_DESC_BYTES,
  NIC_DONE,
  NIC_TX_CONTEXT,
  NIC_TX_CONTEXT_BIT,
  NIC_TX_DESC,
  NIC_TX_LAST,
  NIC_TX_REPORT,
} from './descriptors.ts';
import { checkRing, coverDescriptors, type NicRingOptions } from './ring.ts';

const NO_COOKIE = 0xffffffff;

/** A transmit ring as its driver is configured. */
export interface NicTxDriverOptions extends NicRingOptions {
  /** A done bit is asked for once per this many descriptors (at the next packet end); 1 to size / 2. */
  readonly rsThresh: number;
  /** I/O address of a byte = its arena offset + this. Used by `postBurst`. */
  readonly addressBias: number;
}

/**
 * Driver side of a transmit ring. Descriptors are written in place and covered; `flush` answers the value for the tail
 * register, and writing that register is what makes them visible: the caller does it. Slots of the tag side band are the
 * index of a packet's first data descriptor.
 */
export class NicTxDriver {
  readonly #options: NicTxDriverOptions;
  readonly #mask: number;
  /** What `reclaim` gives back, by descriptor. */
  readonly #cookies: Uint32Array;
  /** Descriptors that asked for a done bit, oldest at `#reportHead`. */
  readonly #reports: Uint16Array;
  #reportHead = 0;
  #reportCount = 0;
  #tail = 0;
  #flushed = 0;
  #used = 0;
  #clean = 0;
  #doneUntil = 0;
  #sinceReport = 0;

  constructor(options: NicTxDriverOptions) {
    checkRing(options);
    const { rsThresh, size } = options;
    if (!(rsThresh >= 1 && rsThresh <= size / 2)) {
      throw new RangeError(`rsThresh ${rsThresh} of a ring of ${size}: use 1 to ${size / 2}`);
    }
    this.#options = options;
    this.#mask = size - 1;
    this.#cookies = new Uint32Array(size);
    this.#reports = new Uint16Array(size);
  }

  /** Descriptors that can be posted now. */
  get free(): number {
    return this.#mask - this.#used;
  }

  /** Descriptors that are posted and not reclaimed. */
  get used(): number {
    return this.#used;
  }

  /**
   * Posts one segment at I/O address `address`, whose bytes are at `arenaOffset` here. `cookie` (below 2^32 - 1) comes
   * back from `reclaim`; `last` ends the packet. Answers the descriptor's index. Throws when `free` is 0.
   */
  post(address: number, arenaOffset: number, length: number, cookie: number, last: boolean): number {
    const slot = this.#next();
    const { arena, publisher, ringOffset } = this.#options;
    const at = ringOffset + slot * NIC_DESC_BYTES;
    let command = 0;
    if (last) {
      command = NIC_TX_LAST;
      if (this.#sinceReport >= this.#options.rsThresh) {
        command |= NIC_TX_REPORT;
        this.#sinceReport = 0;
        this.#reports[(this.#reportHead + this.#reportCount++) & this.#mask] = slot;
      }
    }
    const u32 = arena.u32;
    u32[(at + NIC_TX_DESC.addr) >>> 2] = address;
    u32[(at + NIC_TX_DESC.addr + 4) >>> 2] = address / 0x1_0000_0000;
    u32[(at + NIC_TX_DESC.length) >>> 2] = length;
    arena.u16[(at + NIC_TX_DESC.command) >>> 1] = command;
    arena.u16[(at + NIC_TX_DESC.status) >>> 1] = 0;
    this.#cookies[slot] = cookie;
    publisher.cover(arenaOffset, length);
    return slot;
  }

  /** Posts the offload request of the packet whose first segment comes next (fields as in the virtio-net header). */
  postContext(
    flags: number,
    gsoType: number,
    hdrLen: number,
    gsoSize: number,
    csumStart: number,
    csumOffset: number,
  ): void {
    const slot = this.#next();
    const { arena, ringOffset } = this.#options;
    const at = ringOffset + slot * NIC_DESC_BYTES;
    const u16 = arena.u16;
    u16[(at + NIC_TX_CONTEXT.csumStart) >>> 1] = csumStart;
    u16[(at + NIC_TX_CONTEXT.csumOffset) >>> 1] = csumOffset;
    u16[(at + NIC_TX_CONTEXT.hdrLen) >>> 1] = hdrLen;
    u16[(at + NIC_TX_CONTEXT.gsoSize) >>> 1] = gsoSize;
    arena.u8[at + NIC_TX_CONTEXT.gsoType] = gsoType;
    arena.u8[at + NIC_TX_CONTEXT.flags] = flags;
    u16[(at + NIC_TX_CONTEXT.command) >>> 1] = NIC_TX_CONTEXT_BIT;
    u16[(at + NIC_TX_CONTEXT.status) >>> 1] = 0;
    this.#cookies[slot] = NO_COOKIE;
  }

  /**
   * Posts packets `indices[at…at + count)` of a pool, one segment each, with a context descriptor where the packet's
   * `flags` or `gsoType` ask for one. The cookie is the index; `slots[i]` is the slot of the i-th packet. Answers how
   * many packets found room.
   */
  postBurst(pool: PacketPool, indices: Uint32Array, at: number, count: number, slots: Uint16Array): number {
    const bias = this.#options.addressBias;
    for (let i = 0; i < count; i++) {
      const index = indices[at + i];
      const offload = pool.flags[index] !== 0 || pool.gsoType[index] !== 0;
      if (this.free < (offload ? 2 : 1)) return i;
      if (offload) {
        this.postContext(
          pool.flags[index],
          pool.gsoType[index],
          pool.hdrLen[index],
          pool.gsoSize[index],
          pool.csumStart[index],
          pool.csumOffset[index],
        );
      }
      const offset = pool.offset[index];
      slots[i] = this.post(offset + bias, offset, pool.length[index], index, true);
    }
    return count;
  }

  /** Covers what was posted since the last flush and answers the value to write to the tail register. */
  flush(): number {
    coverDescriptors(this.#options, this.#flushed, (this.#tail - this.#flushed) & this.#mask);
    this.#flushed = this.#tail;
    return this.#tail;
  }

  /** Writes cookies of finished segments, oldest first, to `out[at…]`, at most `max`; answers how many. */
  reclaim(out: Uint32Array, at: number, max: number): number {
    let count = 0;
    while (count < max && (this.#clean !== this.#doneUntil || this.#nextReportDone())) {
      const cookie = this.#cookies[this.#clean];
      this.#clean = (this.#clean + 1) & this.#mask;
      this.#used--;
      if (cookie !== NO_COOKIE) out[at + count++] = cookie;
    }
    return count;
  }

  /** Forgets everything that is posted, for a reset of the queue; the caller still owns the buffers. */
  reset(): void {
    this.#reportHead = 0;
    this.#reportCount = 0;
    this.#tail = 0;
    this.#flushed = 0;
    this.#used = 0;
    this.#clean = 0;
    this.#doneUntil = 0;
    this.#sinceReport = 0;
  }

  #next(): number {
    if (this.#used === this.#mask) throw new Error('transmit ring is full: look at `free` first');
    const slot = this.#tail;
    this.#tail = (slot + 1) & this.#mask;
    this.#used++;
    this.#sinceReport++;
    return slot;
  }

  /** Moves `#doneUntil` behind the oldest reporting descriptor if its done bit is visible. */
  #nextReportDone(): boolean {
    if (this.#reportCount === 0) return false;
    const slot = this.#reports[this.#reportHead];
    const { arena, ringOffset } = this.#options;
    const status = arena.u16[(ringOffset + slot * NIC_DESC_BYTES + NIC_TX_DESC.status) >>> 1];
    if ((status & NIC_DONE) === 0) return false;
    this.#reportHead = (this.#reportHead + 1) & this.#mask;
    this.#reportCount--;
    this.#doneUntil = (slot + 1) & this.#mask;
    return true;
  }
}
