import { NIC_DESC_BYTES, NIC_DONE, NIC_RX_DESC, NIC_RX_WRITE_BACK } from './descriptors.ts';
import { NIC_FAULT_TAIL } from './faults.ts';
import { checkRing, type NicRingOptions } from './ring.ts';

/**
 * Device side of a receive ring: fetch free descriptors, take one per buffer to fill, write back in the same order. Write
 * backs since the last flush are one publication: the first one's status is published, the others are covered by it.
 * Bytes written into buffers must be covered by the caller before `flush`.
 */
export class NicRxDevice {
  readonly #options: NicRingOptions;
  readonly #mask: number;
  /** I/O address of the buffer of each fetched descriptor, by slot. */
  readonly address: Float64Array;
  #fetched = 0;
  #taken = 0;
  #written = 0;
  #flushed = 0;
  #firstStatus = 0;
  #fault = 0;

  constructor(options: NicRingOptions) {
    checkRing(options);
    this.#options = options;
    this.#mask = options.size - 1;
    this.address = new Float64Array(options.size);
  }

  /** Why the queue stopped (NIC_FAULT_TAIL), 0 while it runs. */
  get fault(): number {
    return this.#fault;
  }

  /** Descriptors that are fetched and not taken. */
  get available(): number {
    return (this.#fetched - this.#taken) & this.#mask;
  }

  /** Descriptors that `fetch` could read, given the visible tail register. */
  pending(tail: number): number {
    return tail >= 0 && tail <= this.#mask ? (tail - this.#fetched) & this.#mask : 0;
  }

  /** Reads up to `max` posted descriptors; answers how many, or NIC_FAULT_TAIL. */
  fetch(tail: number, max: number): number {
    if (this.#fault !== 0) return this.#fault;
    if (!(tail >= 0 && tail <= this.#mask)) {
      this.#fault = NIC_FAULT_TAIL;
      return NIC_FAULT_TAIL;
    }
    const { arena, ringOffset } = this.#options;
    const u32 = arena.u32;
    const count = Math.min(max, (tail - this.#fetched) & this.#mask);
    for (let i = 0; i < count; i++) {
      const slot = this.#fetched;
      const at = (ringOffset + slot * NIC_DESC_BYTES + NIC_RX_DESC.addr) >>> 2;
      this.address[slot] = u32[at + 1] * 0x1_0000_0000 + u32[at];
      this.#fetched = (slot + 1) & this.#mask;
    }
    return count;
  }

  /** The next fetched descriptor (its buffer is `address[slot]`), or -1 when there is none: fetch, or drop the packet. */
  take(): number {
    const slot = this.#taken;
    if (slot === this.#fetched) return -1;
    this.#taken = (slot + 1) & this.#mask;
    return slot;
  }

  /**
   * Writes back the oldest taken descriptor: bytes written, NIC_RX_* bits (NIC_DONE is added), hash, mark and port.
   * Answers its slot. Visible only after `flush`.
   */
  writeBack(length: number, status: number, hash: number, mark: number, port: number): number {
    const slot = this.#written;
    if (slot === this.#taken) throw new Error('write back without a taken descriptor');
    const { arena, ringOffset } = this.#options;
    const at = ringOffset + slot * NIC_DESC_BYTES;
    const u32 = arena.u32;
    u32[(at + NIC_RX_WRITE_BACK.hash) >>> 2] = hash;
    u32[(at + NIC_RX_WRITE_BACK.length) >>> 2] = length;
    u32[(at + NIC_RX_WRITE_BACK.mark) >>> 2] = mark;
    arena.u16[(at + NIC_RX_WRITE_BACK.port) >>> 1] = port;
    if (slot === this.#flushed) this.#firstStatus = status | NIC_DONE;
    else arena.u16[(at + NIC_RX_WRITE_BACK.status) >>> 1] = status | NIC_DONE;
    this.#written = (slot + 1) & this.#mask;
    return slot;
  }

  /** Publishes the write-backs since the last flush; answers how many. */
  flush(): number {
    const { publisher, ringOffset, size } = this.#options;
    const first = this.#flushed;
    const count = (this.#written - first) & this.#mask;
    if (count === 0) return 0;
    const at = ringOffset + first * NIC_DESC_BYTES;
    const straight = Math.min(count, size - first);
    publisher.cover(at, NIC_RX_WRITE_BACK.status);
    if (straight > 1) publisher.cover(at + NIC_DESC_BYTES, (straight - 1) * NIC_DESC_BYTES);
    if (count > straight) publisher.cover(ringOffset, (count - straight) * NIC_DESC_BYTES);
    publisher.u16(at + NIC_RX_WRITE_BACK.status, this.#firstStatus);
    this.#flushed = this.#written;
    return count;
  }

  /** Starts over at descriptor 0, as after a queue reset. */
  reset(): void {
    this.#fetched = 0;
    this.#taken = 0;
    this.#written = 0;
    this.#flushed = 0;
    this.#fault = 0;
  }
}
