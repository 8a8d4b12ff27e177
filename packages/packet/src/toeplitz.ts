/**
 * Toeplitz hash of receive side scaling. Values are *signed* 32-bit numbers, which V8 keeps without an
 * allocation; `>>> 0` gives the customary unsigned figure, and `hash & mask` is the same for both.
 */

/** The verification key of the Microsoft RSS specification, default of most drivers and NICs. */
export const MICROSOFT_RSS_KEY: Uint8Array = Uint8Array.from([
  0x6d, 0x5a, 0x56, 0xda, 0x25, 0x5b, 0x0e, 0xc2, 0x41, 0x67, 0x25, 0x3d, 0x43, 0xa3, 0x8f, 0xb0, 0xd0, 0xca,
  0x2b, 0xcb, 0xae, 0x7b, 0x30, 0xb4, 0x77, 0xcb, 0x2d, 0xa3, 0x80, 0x30, 0xf2, 0x0c, 0x6a, 0x42, 0xb7, 0x3b,
  0xbe, 0xac, 0x01, 0xfa,
]);

/** The definition: for each set input bit, the 32 key bits that start at that bit's position. Slow; an oracle. */
export function toeplitzNaive(key: Uint8Array, input: Uint8Array): number {
  let hash = 0;
  for (let bit = 0; bit < input.length * 8; bit++) {
    if (input[bit >>> 3] & (0x80 >>> (bit & 7))) hash ^= keyWindow(key, bit);
  }
  return hash | 0;
}

/** 32 key bits from bit `from`; bits behind the key's end are 0. */
function keyWindow(key: Uint8Array, from: number): number {
  let window = 0;
  for (let i = 0; i < 32; i++) {
    const bit = from + i;
    const byte = bit >>> 3 < key.length ? key[bit >>> 3] : 0;
    window = (window << 1) | ((byte >>> (7 - (bit & 7))) & 1);
  }
  return window;
}

/** Toeplitz hash by one table look-up per input byte. */
export class Toeplitz {
  /** Longest input in bytes: a 40-byte key covers addresses and ports of IPv6. */
  readonly maxInputBytes: number;
  readonly #table: Int32Array;

  /** `key`: at least 5 bytes; RSS uses 40. Throws a RangeError for a shorter one. */
  constructor(key: Uint8Array = MICROSOFT_RSS_KEY) {
    if (key.length < 5) throw new RangeError(`RSS key of ${key.length} bytes: at least 5 are needed`);
    this.maxInputBytes = key.length - 4;
    this.#table = new Int32Array(this.maxInputBytes * 256);
    for (let position = 0; position < this.maxInputBytes; position++) {
      const base = position * 256;
      for (let bit = 0; bit < 8; bit++) {
        const window = keyWindow(key, position * 8 + bit);
        const step = 0x80 >>> bit;
        for (let value = 0; value < 256; value++) if (value & step) this.#table[base + value] ^= window;
      }
    }
  }

  /** Hash of `length` bytes from `offset` that stand for input bytes `position`...; XOR of parts is the whole. */
  part(u8: Uint8Array, offset: number, length: number, position: number): number {
    const table = this.#table;
    let hash = 0;
    let base = position << 8;
    const end = offset + length;
    for (let at = offset; at < end; at++) {
      hash ^= table[base + u8[at]];
      base += 256;
    }
    return hash;
  }

  /**
   * Hash of source and destination address, one after the other at `addressOffset` (`addressBytes` each, 4 or
   * 16), and of the two ports at `portOffset`; -1: addresses only.
   */
  hash(u8: Uint8Array, addressOffset: number, addressBytes: number, portOffset: number): number {
    const bytes = addressBytes * 2;
    const addresses = this.part(u8, addressOffset, bytes, 0);
    return portOffset < 0 ? addresses : addresses ^ this.part(u8, portOffset, 4, bytes);
  }
}
