import {
  NIC_DESC_BYTES,
  NIC_DONE,
  NIC_TX_CONTEXT,
  NIC_TX_CONTEXT_BIT,
  NIC_TX_DESC,
  NIC_TX_LAST,
  NIC_TX_REPORT,
} from './descriptors.ts';
import { NIC_FAULT_CONTEXT, NIC_FAULT_EMPTY, NIC_FAULT_TAIL, NIC_FAULT_TOO_LONG } from './faults.ts';
import { checkRing, type NicRingOptions } from './ring.ts';
import type { NicTxBurst } from './tx-burst.ts';

/** A transmit ring as its device is configured. */
export interface NicTxDeviceOptions extends NicRingOptions {
  /** Data descriptors that one packet may have at most. */
  readonly maxSegments: number;
}

/**
 * Device side of a transmit ring. What a driver may do wrong is an answer below 0 that stops the queue until `reset`;
 * every descriptor word is read once.
 */
export class NicTxDevice {
  readonly #options: NicTxDeviceOptions;
  readonly #mask: number;
  /** 1 for read descriptors that asked for a done bit. */
  readonly #report: Uint8Array;
  #head = 0;
  #done = 0;
  #fault = 0;

  constructor(options: NicTxDeviceOptions) {
    checkRing(options);
    if (!(options.maxSegments >= 1 && options.maxSegments < options.size)) {
      throw new RangeError(`maxSegments ${options.maxSegments} of a ring of ${options.size}`);
    }
    this.#options = options;
    this.#mask = options.size - 1;
    this.#report = new Uint8Array(options.size);
  }

  /** Why the queue stopped (NIC_FAULT_*), 0 while it runs. */
  get fault(): number {
    return this.#fault;
  }

  /** Descriptors that are read and not completed. */
  get outstanding(): number {
    return (this.#head - this.#done) & this.#mask;
  }

  /** Descriptors between the next one to read and `tail`; 0 for a tail outside the ring. */
  pending(tail: number): number {
    return tail >= 0 && tail <= this.#mask ? (tail - this.#head) & this.#mask : 0;
  }

  /**
   * Reads whole packets up to the visible tail register into `out`: at most `max` and what `out` has room for. Answers
   * how many, or a NIC_FAULT_* when the next packet is broken (packets in front of it are answered first). A packet whose
   * last segment is not posted yet waits.
   */
  readBurst(tail: number, max: number, out: NicTxBurst): number {
    out.packets = 0;
    out.segments = 0;
    out.descriptors = 0;
    if (this.#fault !== 0) return this.#fault;
    if (!(tail >= 0 && tail <= this.#mask)) return this.#stop(NIC_FAULT_TAIL);
    const most = Math.min(max, out.slot.length);
    while (out.packets < most) {
      const taken = this.#readPacket(tail, out);
      if (taken < 0) return out.packets > 0 ? out.packets : this.#stop(taken);
      if (taken === 0) break;
      out.packets++;
      out.descriptors += taken;
      this.#head = (this.#head + taken) & this.#mask;
    }
    return out.packets;
  }

  /**
   * Marks the next `descriptors` read descriptors done, in order. Done bits of one call are one publication: the first is
   * published, the others are written in place and covered by it. Answers how many were written.
   */
  complete(descriptors: number): number {
    if (descriptors > this.outstanding) {
      throw new Error(`${descriptors} descriptors completed, ${this.outstanding} outstanding`);
    }
    const { arena, publisher, ringOffset } = this.#options;
    let first = -1;
    let written = 0;
    for (let i = 0; i < descriptors; i++) {
      const slot = this.#done;
      this.#done = (slot + 1) & this.#mask;
      if (this.#report[slot] === 0) continue;
      const at = ringOffset + slot * NIC_DESC_BYTES + NIC_TX_DESC.status;
      written++;
      if (first < 0) {
        first = at;
        continue;
      }
      arena.u16[at >>> 1] = NIC_DONE;
      publisher.cover(at, 2);
    }
    if (first >= 0) publisher.u16(first, NIC_DONE);
    return written;
  }

  /** Starts over at descriptor 0, as after a queue reset. */
  reset(): void {
    this.#head = 0;
    this.#done = 0;
    this.#fault = 0;
  }

  /** Reads the packet at the head: how many descriptors it has, 0 when it is not complete or finds no room, or a fault. */
  #readPacket(tail: number, out: NicTxBurst): number {
    const { arena, ringOffset, maxSegments } = this.#options;
    const u32 = arena.u32;
    const packet = out.packets;
    const first = out.segments;
    const available = (tail - this.#head) & this.#mask;
    let segments = 0;
    let bytes = 0;
    let taken = 0;
    this.#noOffload(out, packet);
    while (taken < available) {
      const slot = (this.#head + taken) & this.#mask;
      const at = ringOffset + slot * NIC_DESC_BYTES;
      const command = arena.u16[(at + NIC_TX_DESC.command) >>> 1];
      taken++;
      this.#report[slot] = (command & NIC_TX_REPORT) !== 0 ? 1 : 0;
      if ((command & NIC_TX_CONTEXT_BIT) !== 0) {
        if (taken !== 1) return NIC_FAULT_CONTEXT;
        this.#readOffload(at, out, packet);
        continue;
      }
      const length = u32[(at + NIC_TX_DESC.length) >>> 2];
      if (length === 0) return NIC_FAULT_EMPTY;
      if (segments === maxSegments) return NIC_FAULT_TOO_LONG;
      const place = first + segments;
      if (place >= out.address.length) return packet === 0 ? NIC_FAULT_TOO_LONG : 0;
      if (segments === 0) out.slot[packet] = slot;
      out.address[place] =
        u32[(at + NIC_TX_DESC.addr + 4) >>> 2] * 0x1_0000_0000 + u32[(at + NIC_TX_DESC.addr) >>> 2];
      out.segmentLength[place] = length;
      bytes += length;
      segments++;
      if ((command & NIC_TX_LAST) !== 0) {
        out.packetDescriptors[packet] = taken;
        out.firstSegment[packet] = first;
        out.segmentCount[packet] = segments;
        out.length[packet] = bytes;
        out.segments = first + segments;
        return taken;
      }
    }
    return available === this.#mask ? NIC_FAULT_TOO_LONG : 0;
  }

  #noOffload(out: NicTxBurst, packet: number): void {
    out.flags[packet] = 0;
    out.gsoType[packet] = 0;
    out.hdrLen[packet] = 0;
    out.gsoSize[packet] = 0;
    out.csumStart[packet] = 0;
    out.csumOffset[packet] = 0;
  }

  #readOffload(at: number, out: NicTxBurst, packet: number): void {
    const { u8, u16 } = this.#options.arena;
    out.flags[packet] = u8[at + NIC_TX_CONTEXT.flags];
    out.gsoType[packet] = u8[at + NIC_TX_CONTEXT.gsoType];
    out.hdrLen[packet] = u16[(at + NIC_TX_CONTEXT.hdrLen) >>> 1];
    out.gsoSize[packet] = u16[(at + NIC_TX_CONTEXT.gsoSize) >>> 1];
    out.csumStart[packet] = u16[(at + NIC_TX_CONTEXT.csumStart) >>> 1];
    out.csumOffset[packet] = u16[(at + NIC_TX_CONTEXT.csumOffset) >>> 1];
  }

  #stop(fault: number): number {
    this.#fault = fault;
    return fault;
  }
}
