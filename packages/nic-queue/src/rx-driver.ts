import type { PacketPool } from '@vhostlab/memory';
import { NIC_DESC_BYTES, NIC_DONE, NIC_RX_DESC, NIC_RX_WRITE_BACK } from './descriptors.ts';
import { checkRing, coverDescriptors, type NicRingOptions } from './ring.ts';

/** A receive ring as its driver is configured. */
export interface NicRxDriverOptions extends NicRingOptions {
  /** I/O address of a byte = its arena offset + this. Used by `refillFrom`. */
  readonly addressBias: number;
}

/** Filled buffers that a driver took from a receive ring, as parallel arrays; made once, filled again and again. */
export class NicRxBurst {
  /** What `refill` was given for the buffer; a pool index with `refillFrom`. */
  readonly cookie: Uint32Array;
  /** Slot of the tag side band: the descriptor's index. */
  readonly slot: Uint16Array;
  readonly length: Uint32Array;
  readonly hash: Uint32Array;
  readonly mark: Uint32Array;
  readonly port: Uint16Array;
  /** NIC_RX_* bits. */
  readonly status: Uint16Array;

  constructor(buffers: number) {
    this.cookie = new Uint32Array(buffers);
    this.slot = new Uint16Array(buffers);
    this.length = new Uint32Array(buffers);
    this.hash = new Uint32Array(buffers);
    this.mark = new Uint32Array(buffers);
    this.port = new Uint16Array(buffers);
    this.status = new Uint16Array(buffers);
  }
}

/**
 * Driver side of a receive ring: posts empty buffers, takes filled ones by their done bit. As on the transmit side the
 * caller writes the tail register with what `flush` answers.
 */
export class NicRxDriver {
  readonly #options: NicRxDriverOptions;
  readonly #mask: number;
  readonly #cookies: Uint32Array;
  #tail = 0;
  #flushed = 0;
  #next = 0;
  #posted = 0;

  constructor(options: NicRxDriverOptions) {
    checkRing(options);
    this.#options = options;
    this.#mask = options.size - 1;
    this.#cookies = new Uint32Array(options.size);
  }

  /** Buffers that can be posted now. */
  get room(): number {
    return this.#mask - this.#posted;
  }

  /** Buffers that are posted and not taken back. */
  get posted(): number {
    return this.#posted;
  }

  /** Posts an empty buffer at I/O address `address`. Throws when `room` is 0. */
  refill(address: number, cookie: number): void {
    if (this.#posted === this.#mask) throw new Error('receive ring is full: look at `room` first');
    const { arena, ringOffset } = this.#options;
    const slot = this.#tail;
    const at = ringOffset + slot * NIC_DESC_BYTES;
    const u32 = arena.u32;
    u32[(at + NIC_RX_DESC.addr) >>> 2] = address;
    u32[(at + NIC_RX_DESC.addr + 4) >>> 2] = address / 0x1_0000_0000;
    u32[(at + NIC_RX_DESC.reserved) >>> 2] = 0;
    arena.u16[(at + NIC_RX_DESC.status) >>> 1] = 0;
    this.#cookies[slot] = cookie;
    this.#tail = (slot + 1) & this.#mask;
    this.#posted++;
  }

  /** Posts up to `max` fresh buffers of a pool, with their index as cookie; answers how many. */
  refillFrom(pool: PacketPool, max: number): number {
    const bias = this.#options.addressBias;
    const count = Math.min(max, this.room, pool.available);
    for (let i = 0; i < count; i++) {
      const index = pool.alloc();
      this.refill(pool.offset[index] + bias, index);
    }
    return count;
  }

  /** Covers what was posted since the last flush and answers the value to write to the tail register. */
  flush(): number {
    coverDescriptors(this.#options, this.#flushed, (this.#tail - this.#flushed) & this.#mask);
    this.#flushed = this.#tail;
    return this.#tail;
  }

  /** Takes up to `max` filled buffers in ring order; answers how many. */
  poll(out: NicRxBurst, max: number): number {
    const { arena, ringOffset } = this.#options;
    const { u16, u32 } = arena;
    const most = Math.min(max, this.#posted, out.slot.length);
    let count = 0;
    while (count < most) {
      const slot = this.#next;
      const at = ringOffset + slot * NIC_DESC_BYTES;
      const status = u16[(at + NIC_RX_WRITE_BACK.status) >>> 1];
      if ((status & NIC_DONE) === 0) break;
      out.cookie[count] = this.#cookies[slot];
      out.slot[count] = slot;
      out.length[count] = u32[(at + NIC_RX_WRITE_BACK.length) >>> 2];
      out.hash[count] = u32[(at + NIC_RX_WRITE_BACK.hash) >>> 2];
      out.mark[count] = u32[(at + NIC_RX_WRITE_BACK.mark) >>> 2];
      out.port[count] = u16[(at + NIC_RX_WRITE_BACK.port) >>> 1];
      out.status[count] = status;
      this.#next = (slot + 1) & this.#mask;
      count++;
    }
    this.#posted -= count;
    return count;
  }

  /** Forgets everything that is posted, for a reset of the queue; the caller still owns the buffers. */
  reset(): void {
    this.#tail = 0;
    this.#flushed = 0;
    this.#next = 0;
    this.#posted = 0;
  }
}
