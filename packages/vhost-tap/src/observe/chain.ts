import type { RingRuleCode } from './rules.ts';

/** Most bytes of one chain, virtio 1.3, 2.7.5.2. */
const MAX_CHAIN_BYTES = 2 ** 32;

/**
 * One chain as it was read: segments, sums, and what is wrong with it. Filled again by every reading. `print` is a
 * number made of all words that were read, so that two readings can be compared.
 */
export class ObservedChain {
  readonly address: Float64Array;
  readonly length: Float64Array;
  readonly writable: Uint8Array;
  count = 0;
  readableBytes = 0;
  writableBytes = 0;
  /** Ring descriptors of the chain; packed: its buffer id. */
  slots = 0;
  id = 0;
  /** Packed: the length in its last descriptor of the ring. */
  ringLength = 0;
  print = 0;
  /** What is wrong with it, and the sentence about it; null: nothing. */
  fault: RingRuleCode | null = null;
  /** The fault may be the doing of a device that uses buffers out of order and has not published yet. */
  isDoubtful = false;
  #detail = '';
  #figures: readonly number[] = NO_FIGURES;

  constructor(capacity: number) {
    this.address = new Float64Array(capacity);
    this.length = new Float64Array(capacity);
    this.writable = new Uint8Array(capacity);
  }

  begin(): void {
    this.count = 0;
    this.readableBytes = 0;
    this.writableBytes = 0;
    this.slots = 0;
    this.id = 0;
    this.ringLength = 0;
    this.print = 0;
    this.fault = null;
    this.isDoubtful = false;
  }

  /** Notes a word that was read. */
  mix(word: number): void {
    this.print = (Math.imul(this.print, 31) + word) | 0;
  }

  /** Says what is wrong. `detail` has a `%` per figure. The first fault counts. */
  fail(code: RingRuleCode, detail: string, ...figures: number[]): void {
    if (this.fault !== null) return;
    this.fault = code;
    this.#detail = detail;
    this.#figures = figures;
  }

  /** The sentence about the fault. */
  get text(): string {
    let at = 0;
    return this.#detail.replace(/%x?/g, (mark) => {
      const figure = this.#figures[at++] ?? 0;
      return mark === '%x' ? `0x${figure.toString(16)}` : String(figure);
    });
  }

  /** Becomes a copy of the segments of another chain of the same capacity. */
  copyFrom(other: ObservedChain): void {
    this.begin();
    for (let i = 0; i < other.count; i++)
      this.add(other.address[i], other.length[i], other.writable[i] === 1);
  }

  /** Adds a segment; false when the chain is at fault by it or has no room, and reading should end. */
  add(address: number, length: number, isWritable: boolean): boolean {
    const i = this.count;
    if (i === this.address.length) return false;
    this.count = i + 1;
    this.address[i] = address;
    this.length[i] = length;
    this.writable[i] = isWritable ? 1 : 0;
    if (isWritable) this.writableBytes += length;
    else if (this.writableBytes > 0 || (i > 0 && this.writable[i - 1] === 1)) {
      this.fail('read-after-write', 'segment % is device-readable and follows a device-writable one', i);
      return false;
    } else this.readableBytes += length;
    if (this.readableBytes + this.writableBytes > MAX_CHAIN_BYTES) {
      this.fail('chain-bytes', 'the chain describes % bytes', this.readableBytes + this.writableBytes);
      return false;
    }
    return true;
  }
}

const NO_FIGURES: readonly number[] = [];
