import type { Ps } from '@vhostlab/engine';

/** A PCI Express link as a device's DMA engine sees it. */
export interface PcieSettings {
  /** Per direction, what is left for transaction layer packets once DLLPs are taken off. */
  readonly gbps: number;
  /** Framing and header bytes of a memory write, a read request and a completion with data. */
  readonly writeHeaderBytes: number;
  readonly readHeaderBytes: number;
  readonly completionHeaderBytes: number;
  /** MPS: most data bytes of one write or completion. */
  readonly maxPayloadBytes: number;
  /** MRRS: most bytes that one read request asks for. */
  readonly maxReadRequestBytes: number;
  /** From a request's end on the link to the first byte of its completion. */
  readonly readLatencyPs: Ps;
  /** Read requests that may be without their data at a time. */
  readonly outstandingReads: number;
}

/**
 * Both directions of a PCIe link as resources that transactions occupy one after the other (model of the PCIe study,
 * SIGCOMM 2018). Up is towards the host: writes and read requests. Down: completions and the host's register writes.
 * Reads overlap up to the limit of outstanding requests; writes are posted and keep their order.
 */
export class PcieLink {
  /** Bytes on the link with headers, per direction, and transactions. */
  upBytes = 0;
  downBytes = 0;
  reads = 0;
  writes = 0;
  /** Picoseconds that reads waited because too many were outstanding. */
  stalledPs: Ps = 0;
  readonly #settings: PcieSettings;
  readonly #psPerByte: number;
  #upFreePs: Ps = 0;
  #downFreePs: Ps = 0;
  /** Completion moments of the last outstanding reads, a ring. */
  readonly #slots: Float64Array;
  #slot = 0;

  constructor(settings: PcieSettings) {
    if (!(settings.gbps > 0) || settings.outstandingReads < 1) {
      throw new RangeError(
        `a PCIe link of ${settings.gbps} Gbit/s with ${settings.outstandingReads} outstanding reads`,
      );
    }
    this.#settings = settings;
    this.#psPerByte = 8000 / settings.gbps;
    this.#slots = new Float64Array(settings.outstandingReads);
  }

  /** Reads `bytes` bytes of host memory from `atPs` on; answers the moment at which the last one has arrived. */
  read(atPs: Ps, bytes: number): Ps {
    const { maxReadRequestBytes, maxPayloadBytes, readHeaderBytes, completionHeaderBytes, readLatencyPs } =
      this.#settings;
    const slots = this.#slots;
    let left = bytes;
    let done = atPs;
    while (left > 0) {
      const part = left < maxReadRequestBytes ? left : maxReadRequestBytes;
      left -= part;
      let requested = this.#occupyUp(atPs, readHeaderBytes);
      const freed = slots[this.#slot];
      if (freed > requested) {
        this.stalledPs += freed - requested;
        requested = freed;
      }
      const data = part + Math.ceil(part / maxPayloadBytes) * completionHeaderBytes;
      const first = requested + readLatencyPs;
      const start = first > this.#downFreePs ? first : this.#downFreePs;
      done = start + Math.round(data * this.#psPerByte);
      this.#downFreePs = done;
      this.downBytes += data;
      slots[this.#slot] = done;
      this.#slot = this.#slot + 1 === slots.length ? 0 : this.#slot + 1;
      this.reads++;
    }
    return done;
  }

  /** How long after `nowPs` the data of all reads asked for so far have arrived. */
  readBacklogPs(nowPs: Ps): Ps {
    return Math.max(0, this.#downFreePs - nowPs);
  }

  /** Writes `bytes` bytes to host memory from `atPs` on; answers the moment at which the last one has left the device. */
  write(atPs: Ps, bytes: number): Ps {
    const { maxPayloadBytes, writeHeaderBytes } = this.#settings;
    const packets = bytes <= maxPayloadBytes ? 1 : Math.ceil(bytes / maxPayloadBytes);
    this.writes += packets;
    return this.#occupyUp(atPs, bytes + packets * writeHeaderBytes);
  }

  /** The host wrote a register of `bytes` bytes: occupies the way down. */
  registerWrite(atPs: Ps, bytes: number): void {
    const total = bytes + this.#settings.writeHeaderBytes;
    const start = atPs > this.#downFreePs ? atPs : this.#downFreePs;
    this.#downFreePs = start + Math.round(total * this.#psPerByte);
    this.downBytes += total;
  }

  #occupyUp(atPs: Ps, bytes: number): Ps {
    const start = atPs > this.#upFreePs ? atPs : this.#upFreePs;
    this.#upFreePs = start + Math.round(bytes * this.#psPerByte);
    this.upBytes += bytes;
    return this.#upFreePs;
  }
}
