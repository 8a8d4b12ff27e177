import { ACCESS_READ, ACCESS_WRITE, FAULT_SPLIT } from '@vhostlab/memory';
import { NO_F64, NO_I32, NO_U8, NO_U16, NO_U32 } from './no-arrays.ts';
import { CHAIN_OK, CHAIN_READ_AFTER_WRITE, CHAIN_SEGMENTS } from './violations.ts';

/** Most places that one descriptor's bytes may lie in. */
const MAX_PIECES = 16;

/** Turns guest addresses into places of the device's arena; `AddressSpace` of the memory package is one. */
export interface Translator {
  /**
   * Arena offset of guest bytes `[address, address + length)`, all of which allow `access` (ACCESS_READ or
   * ACCESS_WRITE of the memory package); below 0 the reason why there is none.
   */
  translate(address: number, length: number, access: number): number;
  /**
   * Asked when `translate` answers FAULT_SPLIT: writes the pieces' offsets and lengths from index `at` on and
   * answers how many there are, or a reason below 0.
   */
  translateSplit?(
    address: number,
    length: number,
    access: number,
    outOffsets: Uint32Array,
    outLengths: Uint32Array,
    at: number,
  ): number;
}

/**
 * Chains that a device took from a queue: struct of arrays, filled again by every `pop`. Chain `c` owns segments
 * `firstSegment[c]` to `firstSegment[c] + segmentCount[c] - 1`, device-readable ones first.
 */
export class ChainBatch {
  readonly chainCapacity: number = 0;
  readonly segmentCapacity: number = 0;
  count = 0;
  segmentTotal = 0;

  /** Head descriptor (split) or buffer id (packed): what `pushUsed` wants back. */
  readonly slot: Uint16Array = NO_U16;
  readonly firstSegment: Int32Array = NO_I32;
  readonly segmentCount: Int32Array = NO_I32;
  readonly readableBytes: Float64Array = NO_F64;
  readonly writableBytes: Float64Array = NO_F64;
  /** CHAIN_OK, CHAIN_… above 0, or the translator's reason below 0. */
  readonly status: Int32Array = NO_I32;

  /** Guest address. */
  readonly address: Float64Array = NO_F64;
  readonly length: Uint32Array = NO_U32;
  /** 1 when the device may write. */
  readonly writable: Uint8Array = NO_U8;
  /** Arena offset, or the translator's reason below 0. A segment of 0 bytes may say any offset, never a reason. */
  readonly offset: Float64Array = NO_F64;

  /** Chains below may not be plain (`isPlain`), those from here on are. */
  #dirtyTo = 0;
  #overflown = false;
  readonly #pieceOffset = new Uint32Array(MAX_PIECES);
  readonly #pieceLength = new Uint32Array(MAX_PIECES);

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
    this.#makePlain(0, chains);
  }

  clear(): void {
    if (this.#dirtyTo > 0) {
      this.#makePlain(0, this.#dirtyTo);
      this.#dirtyTo = 0;
    }
    this.count = 0;
    this.segmentTotal = 0;
  }

  /**
   * True while every chain of the batch has exactly one segment, of the same number. Chains of this kind need no
   * `firstSegment`, `segmentCount` and `status` written: the arrays hold what they say.
   */
  get isPlain(): boolean {
    return this.#dirtyTo === 0;
  }

  #makePlain(from: number, to: number): void {
    for (let i = from; i < to; i++) this.firstSegment[i] = i;
    this.segmentCount.fill(1, from, to);
    this.status.fill(CHAIN_OK, from, to);
  }

  /** Starts chain number `count`; it belongs to the batch once `close` is called. */
  open(): void {
    const chain = this.count;
    this.firstSegment[chain] = this.segmentTotal;
    this.readableBytes[chain] = 0;
    this.writableBytes[chain] = 0;
    this.status[chain] = CHAIN_OK;
    this.#overflown = false;
    this.#dirtyTo = chain + 1;
  }

  /** Adds a segment to the open chain; without place, or out of order, the chain's status says so. */
  segment(address: number, length: number, writable: boolean): void {
    const chain = this.count;
    const at = this.segmentTotal;
    if (writable) {
      this.writableBytes[chain] += length;
    } else {
      this.readableBytes[chain] += length;
      if (at > this.firstSegment[chain] && this.writable[at - 1] === 1) this.fail(CHAIN_READ_AFTER_WRITE);
    }
    if (at === this.segmentCapacity) {
      this.#overflown = true;
      this.fail(CHAIN_SEGMENTS);
      return;
    }
    this.address[at] = address;
    this.length[at] = length;
    this.writable[at] = writable ? 1 : 0;
    this.segmentTotal = at + 1;
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

  /**
   * Fills `offset` of the segments of chains from number `from` on, and the status of those that have one without
   * translation.
   */
  translate(translator: Translator, from: number): void {
    for (let chain = from; chain < this.count; chain++) this.#translateChain(translator, chain);
  }

  /** Chains whose status is not CHAIN_OK. */
  countFaults(): number {
    let faults = 0;
    if (this.#dirtyTo > 0) for (let i = 0; i < this.count; i++) if (this.status[i] !== CHAIN_OK) faults++;
    return faults;
  }

  #translateChain(translator: Translator, chain: number): void {
    for (let i = 0; i < this.segmentCount[chain]; i++) {
      const at = this.firstSegment[chain] + i;
      const bytes = this.length[at];
      const access = this.writable[at] === 1 ? ACCESS_WRITE : ACCESS_READ;
      let offset = bytes === 0 ? 0 : translator.translate(this.address[at], bytes, access);
      if (offset === FAULT_SPLIT && translator.translateSplit !== undefined) {
        const { address, length } = this;
        const pieces = translator.translateSplit(
          address[at],
          length[at],
          access,
          this.#pieceOffset,
          this.#pieceLength,
          0,
        );
        if (pieces > 0 && this.segmentTotal + pieces - 1 <= this.segmentCapacity) {
          this.#insertPieces(chain, at, pieces);
          i += pieces - 1;
          continue;
        }
        if (pieces < 0) offset = pieces;
        else if (this.status[chain] === CHAIN_OK) this.status[chain] = CHAIN_SEGMENTS;
      }
      this.offset[at] = offset;
      if (offset < 0 && this.status[chain] === CHAIN_OK) this.status[chain] = offset;
    }
  }

  /** Makes `pieces` segments of segment `at`, which lies in that many places of the arena. */
  #insertPieces(chain: number, at: number, pieces: number): void {
    const more = pieces - 1;
    const total = this.segmentTotal;
    const { address, length, writable, offset } = this;
    for (const list of [address, length, writable]) list.copyWithin(at + pieces, at + 1, total);
    let from = address[at];
    for (let i = 0; i < pieces; i++) {
      address[at + i] = from;
      length[at + i] = this.#pieceLength[i];
      writable[at + i] = writable[at];
      offset[at + i] = this.#pieceOffset[i];
      from += this.#pieceLength[i];
    }
    this.segmentTotal = total + more;
    this.segmentCount[chain] += more;
    for (let later = chain + 1; later < this.count; later++) this.firstSegment[later] += more;
  }
}
