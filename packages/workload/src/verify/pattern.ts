import { crc32c } from '@vhostlab/packet';
import { MAX_FRAME_SIZE_BYTES } from '../frame-sizes.ts';
import { Prng } from '../prng.ts';

/** Slices start at even offsets below this, so that words of the table are words of the checksummed payload. */
const STARTS_BYTES = 32768;
const TABLE_BYTES = STARTS_BYTES + MAX_FRAME_SIZE_BYTES;
/** Shorter slices are compared and copied byte by byte, which beats a call. */
const SHORT_BYTES = 64;
/** CRC32c, bits reflected. */
const POLYNOMIAL = 0x82f63b78;
const ZERO = new Uint8Array(1);

/**
 * Payloads of frames that verify themselves: slices of one table of pseudo-random bytes. Where a slice starts follows
 * from flow and sequence, so a receiver knows each byte that it should have. Checksum and CRC of a slice come from those
 * of the table's beginnings, at a cost that does not grow with its length.
 */
class Pattern {
  readonly #bytes = new Uint8Array(TABLE_BYTES);
  /** By word: sum of the 16-bit words before it, below 2^32. */
  readonly #sums = new Uint32Array(TABLE_BYTES / 2 + 1);
  /** By byte: the CRC register after the bytes before it, begun with 0. */
  readonly #registers = new Int32Array(TABLE_BYTES + 1);
  /** By length: what a register is multiplied by when that many bytes follow (x^8n modulo the polynomial). */
  readonly #powers = new Int32Array(MAX_FRAME_SIZE_BYTES + 1);

  constructor() {
    const random = new Prng(0x7665_7269);
    for (let i = 0; i < TABLE_BYTES; i++) this.#bytes[i] = random.nextInt32();
    for (let i = 0; i < TABLE_BYTES; i++) {
      this.#registers[i + 1] = ~crc32c(this.#bytes, i, 1, ~this.#registers[i]);
      if (i % 2 === 1)
        this.#sums[(i + 1) / 2] = this.#sums[(i - 1) / 2] + (this.#bytes[i - 1] << 8) + this.#bytes[i];
    }
    this.#powers[0] = 0x80000000;
    for (let n = 0; n < MAX_FRAME_SIZE_BYTES; n++)
      this.#powers[n + 1] = ~crc32c(ZERO, 0, 1, ~this.#powers[n]);
  }

  /** Where the payload of a packet starts; `high` and `low` are the words of its sequence. */
  startOf(flow: number, high: number, low: number): number {
    let h = Math.imul(low ^ Math.imul(flow, 0x9e3779b1), 0x85ebca6b);
    h ^= h >>> 15;
    h = Math.imul(h ^ high, 0xc2b2ae35);
    return ((h >>> 16) * 2) & (STARTS_BYTES - 2);
  }

  /** Copies `length` bytes of the table from `start` to `offset`. */
  write(start: number, length: number, u8: Uint8Array, offset: number): void {
    if (length <= SHORT_BYTES) {
      for (let i = 0; i < length; i++) u8[offset + i] = this.#bytes[start + i];
    } else {
      Buffer.prototype.copy.call(this.#bytes, u8, offset, start, start + length);
    }
  }

  /** Whether `length` bytes at `offset` are those of the table from `start`. */
  equals(start: number, length: number, u8: Uint8Array, offset: number): boolean {
    if (length > SHORT_BYTES) {
      const end = offset + length;
      return Buffer.prototype.compare.call(this.#bytes, u8, offset, end, start, start + length) === 0;
    }
    for (let i = 0; i < length; i++) if (u8[offset + i] !== this.#bytes[start + i]) return false;
    return true;
  }

  /** Sum of the slice's 16-bit words, as the internet checksum adds them; not folded, below 2^32. */
  sum(start: number, length: number): number {
    const end = start + length;
    const whole = this.#sums[end >>> 1] - this.#sums[start >>> 1];
    return (end & 1) === 0 ? whole : whole + (this.#bytes[end - 1] << 8);
  }

  /** CRC32c of what has the CRC `before`, and of the slice after it; 32 bits, signed. */
  crc(start: number, length: number, before: number): number {
    const register = this.#registers[start] ^ ~before;
    return ~(this.#registers[start + length] ^ multiply(register, this.#powers[length]));
  }
}

/** Product of two polynomials modulo that of CRC32c, bits reflected. */
function multiply(a: number, b: number): number {
  let product = 0;
  let factor = b;
  for (let rest = a; rest !== 0; rest <<= 1) {
    if (rest < 0) product ^= factor;
    factor = (factor & 1) === 0 ? factor >>> 1 : (factor >>> 1) ^ POLYNOMIAL;
  }
  return product;
}

let shared: Pattern | undefined;

/** The pattern; all streams of a process share it. */
export function verifyPattern(): Pattern {
  shared ??= new Pattern();
  return shared;
}

export type { Pattern };
