import { ACCESS_READ, ACCESS_WRITE } from './constants.ts';
import { CHAIN_OK, CHAIN_READ_AFTER_WRITE, CHAIN_SEGMENTS } from './violations.ts';

/** Turns guest addresses into places of the device's arena. */
export interface Translator {
  /**
   * Arena offset of guest bytes `[address, address + length)`, all of which allow `access` (ACCESS_READ or
   * ACCESS_WRITE); below 0 the reason why there is none.
   */
  translate(address: number, length: number, access: number): number;
}

/**
 * Chains that a device took from a queue: struct of arrays, filled again by every `pop`. Chain `c` owns segments
 * `firstSegment[c]` to `firstSegment[c] + segmentCount[c] - 1`, device-readable ones first.
 */
export class ChainBatch {
  readonly chainCapacity: number;
  readonly segmentCapacity: number;
  count = 0;
  segmentTotal = 0;
  #overflown = false;

  /** Head descriptor (split) or buffer id (packed): what `pushUsed` wants back. */
  readonly slot: Uint16Array;
  readonly firstSegment: Int32Array;
  readonly segmentCount: Int32Array;
  readonly readableBytes: Float64Array;
  readonly writableBytes: Float64Array;
  /** CHAIN_OK, CHAIN_… above 0, or the translator's reason below 0. */
  readonly status: Int32Array;

  /** Guest address. */
  readonly address: Float64Array;
  readonly length: Uint32Array;
  /** 1 when the device may write. */
  readonly writable: Uint8Array;
  /** Arena offset, or the translator's reason below 0. Segments of 0 bytes are never translated and say 0. */
  readonly offset: Float64Array;

  /** Holds at most `chains` chains of `segments` segments in total. */
  constructor(chains: number, segments = Math.max(1024, chains * 4)) {
    this.chainCapacity = chains;
    this.segmentCapacity = segments;
    this.slot = new Uint16Array(chains);
    this.firstSegment = new Int32Array(chains);
    this.segmentCount = new Int32Array(chains);
    this.readableBytes = new Float64Array(chains);
    this.writableBytes = new Float64Array(chains);
    this.status = new Int32Array(chains);
    this.address = new Float64Array(segments);
    this.length = new Uint32Array(segments);
    this.writable = new Uint8Array(segments);
    this.offset = new Float64Array(segments);
  }

  clear(): void {
    this.count = 0;
    this.segmentTotal = 0;
  }

  /** Starts chain number `count`; it belongs to the batch once `close` is called. */
  open(): void {
    const chain = this.count;
    this.firstSegment[chain] = this.segmentTotal;
    this.readableBytes[chain] = 0;
    this.writableBytes[chain] = 0;
    this.status[chain] = CHAIN_OK;
    this.#overflown = false;
  }

  /**
   * Adds a segment to the open chain. A segment without place in the batch, without translation or out of order
   * leaves its reason in `status`, the first reason wins.
   */
  segment(translator: Translator, address: number, length: number, writable: boolean): void {
    const chain = this.count;
    const at = this.segmentTotal;
    let status = CHAIN_OK;
    if (writable) {
      this.writableBytes[chain] += length;
    } else {
      this.readableBytes[chain] += length;
      const before = at - 1;
      if (before >= this.firstSegment[chain] && this.writable[before] === 1) status = CHAIN_READ_AFTER_WRITE;
    }
    if (at === this.segmentCapacity) {
      this.#overflown = true;
      this.fail(CHAIN_SEGMENTS);
      return;
    }
    let offset = 0;
    if (length !== 0) {
      offset = translator.translate(address, length, writable ? ACCESS_WRITE : ACCESS_READ);
      if (offset < 0 && status === CHAIN_OK) status = offset;
    }
    this.address[at] = address;
    this.length[at] = length;
    this.writable[at] = writable ? 1 : 0;
    this.offset[at] = offset;
    this.segmentTotal = at + 1;
    if (status !== CHAIN_OK) this.fail(status);
  }

  /** Records the reason why the open chain cannot be carried out, unless it has one already. */
  fail(reason: number): void {
    if (this.status[this.count] === CHAIN_OK) this.status[this.count] = reason;
  }

  /** True when a segment of the open chain found no place. */
  get isOverflown(): boolean {
    return this.#overflown;
  }

  /** Bytes of the open chain so far. */
  get openBytes(): number {
    return this.readableBytes[this.count] + this.writableBytes[this.count];
  }

  /** Completes the open chain. */
  close(slot: number): void {
    const chain = this.count;
    this.slot[chain] = slot;
    this.segmentCount[chain] = this.segmentTotal - this.firstSegment[chain];
    this.count = chain + 1;
  }

  /** Takes the open chain back. */
  abandon(): void {
    this.segmentTotal = this.firstSegment[this.count];
  }
}
