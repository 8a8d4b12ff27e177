import { writeSctpChecksum } from '@vhostlab/packet';
import type { KeyExtractor } from './extract.ts';
import {
  FRAG_ANY,
  W_ETH0,
  W_ETH2,
  W_IP_DST,
  W_IP_META,
  W_IP_SRC,
  W_IP6_DST,
  W_IP6_LABEL,
  W_IP6_SRC,
  W_TP,
  W_TYPE_TCI,
} from './key.ts';

const TCP = 6;
const UDP = 17;
const SCTP = 132;
const ICMPV6 = 58;

/** Writes key words back into a frame's headers and keeps its checksums true (RFC 1624). */
export class FrameWriter {
  readonly #u8: Uint8Array;
  #type = 0;
  #protocol = 0;
  #l3 = -1;
  #l3End = 0;
  #l4 = -1;
  #frag = 0;
  #isPartial = false;

  constructor(u8: Uint8Array) {
    this.#u8 = u8;
  }

  /** The frame to write to, as `extractor` found it and `key` describes it. */
  begin(extractor: KeyExtractor, key: Uint32Array, isPartial: boolean): void {
    this.#type = key[W_TYPE_TCI] >>> 16;
    this.#protocol = key[W_IP_META] >>> 24;
    this.#frag = key[W_IP_META] & 3;
    this.#l3 = extractor.l3;
    this.#l3End = extractor.l3End;
    this.#l4 = extractor.l4;
    this.#isPartial = isPartial;
  }

  /** Sets the bits of `mask` in key word `word`; words whose header the frame does not have are left alone. */
  set(offset: number, word: number, value: number, mask: number): void {
    if (word >= W_ETH0 && word <= W_ETH2) this.#merge(offset + 4 * (word - W_ETH0), value, mask);
    else if (word === W_TYPE_TCI) this.#setTci(offset, value, mask & 0xefff);
    else if (this.#l3 >= 0) this.#setNetwork(word, value, mask);
  }

  /** False when the TTL or hop limit is 1 or 0; frames without one are left alone. */
  decrementTtl(): boolean {
    const l3 = this.#l3;
    if (l3 < 0 || (this.#type !== 0x0800 && this.#type !== 0x86dd)) return true;
    const at = this.#type === 0x0800 ? l3 + 8 : l3 + 7;
    const ttl = this.#u8[at];
    if (ttl <= 1) return false;
    this.#setTtl(ttl - 1);
    return true;
  }

  #setTci(offset: number, value: number, mask: number): void {
    const u8 = this.#u8;
    const type = (u8[offset + 12] << 8) | u8[offset + 13];
    if (type !== 0x8100 && type !== 0x88a8) return;
    u8[offset + 14] = (u8[offset + 14] & ~(mask >>> 8)) | ((value & mask) >>> 8);
    u8[offset + 15] = (u8[offset + 15] & ~mask) | (value & mask);
  }

  #setNetwork(word: number, value: number, mask: number): void {
    const l3 = this.#l3;
    if (this.#type === 0x0800) {
      if (word === W_IP_SRC) this.#setAddress(l3 + 12, value, mask, true);
      else if (word === W_IP_DST) this.#setAddress(l3 + 16, value, mask, true);
    } else if (this.#type === 0x86dd) {
      if (word === W_IP_SRC) this.#setAddress(l3 + 8, value, mask, false);
      else if (word === W_IP_DST) this.#setAddress(l3 + 24, value, mask, false);
      else if (word >= W_IP6_SRC && word < W_IP6_DST) {
        this.#setAddress(l3 + 12 + 4 * (word - W_IP6_SRC), value, mask, false);
      } else if (word >= W_IP6_DST && word < W_IP6_LABEL) {
        this.#setAddress(l3 + 28 + 4 * (word - W_IP6_DST), value, mask, false);
      } else if (word === W_IP6_LABEL) this.#merge(l3, value, mask & 0xfffff);
    } else {
      if (word === W_IP_SRC) this.#merge(l3 + 14, value, mask);
      else if (word === W_IP_DST) this.#merge(l3 + 24, value, mask);
      else if (word === W_IP_META && mask >>> 24 !== 0) this.#u8[l3 + 7] = value >>> 24;
      return;
    }
    if (word === W_IP_META) this.#setMeta(value, mask);
    else if (word === W_TP && this.#l4 >= 0) this.#setPorts(value, mask);
  }

  #setMeta(value: number, mask: number): void {
    const l3 = this.#l3;
    const tosMask = (mask >>> 16) & 0xff;
    if (tosMask !== 0) {
      const tos = (value >>> 16) & 0xff;
      if (this.#type === 0x0800) {
        const before = this.#read16(l3);
        this.#u8[l3 + 1] = (this.#u8[l3 + 1] & ~tosMask) | (tos & tosMask);
        this.#adjust(l3 + 10, before, this.#read16(l3), false);
      } else this.#merge(l3, tos << 20, tosMask << 20);
    }
    const ttlMask = (mask >>> 8) & 0xff;
    if (ttlMask === 0) return;
    const ttl = this.#u8[this.#type === 0x0800 ? l3 + 8 : l3 + 7];
    this.#setTtl((ttl & ~ttlMask) | ((value >>> 8) & ttlMask));
  }

  #setTtl(ttl: number): void {
    const l3 = this.#l3;
    if (this.#type !== 0x0800) {
      this.#u8[l3 + 7] = ttl;
      return;
    }
    const before = this.#read16(l3 + 8);
    this.#u8[l3 + 8] = ttl;
    this.#adjust(l3 + 10, before, this.#read16(l3 + 8), false);
  }

  #setAddress(at: number, value: number, mask: number, hasHeaderChecksum: boolean): void {
    const high = this.#read16(at);
    const low = this.#read16(at + 2);
    this.#merge(at, value, mask);
    if (hasHeaderChecksum) {
      this.#adjust(this.#l3 + 10, high, this.#read16(at), false);
      this.#adjust(this.#l3 + 10, low, this.#read16(at + 2), false);
    }
    const checksum = this.#transportChecksum(true);
    if (checksum < 0) return;
    this.#adjust(checksum, high, this.#read16(at), this.#isPartial);
    this.#adjust(checksum, low, this.#read16(at + 2), this.#isPartial);
    this.#mendUdp(checksum);
  }

  #setPorts(value: number, mask: number): void {
    const at = this.#l4;
    if (this.#protocol !== TCP && this.#protocol !== UDP && this.#protocol !== SCTP) return;
    const high = this.#read16(at);
    const low = this.#read16(at + 2);
    this.#merge(at, value, mask);
    if (this.#protocol === SCTP) {
      this.#refreshSctp();
      return;
    }
    const checksum = this.#transportChecksum(false);
    if (checksum < 0) return;
    this.#adjust(checksum, high, this.#read16(at), false);
    this.#adjust(checksum, low, this.#read16(at + 2), false);
    this.#mendUdp(checksum);
  }

  /** Place of a checksum that covers addresses (or ports); -1 when the frame has none to keep true. */
  #transportChecksum(ofAddresses: boolean): number {
    const l4 = this.#l4;
    if (l4 < 0 || (this.#isPartial && !ofAddresses)) return -1;
    if (this.#protocol === TCP) return l4 + 16;
    if (this.#protocol === UDP) return this.#read16(l4 + 6) === 0 && !this.#isPartial ? -1 : l4 + 6;
    return ofAddresses && this.#protocol === ICMPV6 && this.#type === 0x86dd ? l4 + 2 : -1;
  }

  /** A computed UDP checksum of 0 is sent as 0xffff (RFC 768). */
  #mendUdp(checksum: number): void {
    if (this.#protocol !== UDP || this.#isPartial || this.#read16(checksum) !== 0) return;
    this.#write16(checksum, 0xffff);
  }

  /** CRC32c over the whole SCTP packet; a fragment's cannot be known, and partial ones are computed later. */
  #refreshSctp(): void {
    if (this.#isPartial || (this.#frag & FRAG_ANY) !== 0) return;
    writeSctpChecksum(this.#u8, this.#l4, this.#l3End - this.#l4);
  }

  #merge(at: number, value: number, mask: number): void {
    const u8 = this.#u8;
    u8[at] = (u8[at] & ~(mask >>> 24)) | ((value & mask) >>> 24);
    u8[at + 1] = (u8[at + 1] & ~(mask >>> 16)) | ((value & mask) >>> 16);
    u8[at + 2] = (u8[at + 2] & ~(mask >>> 8)) | ((value & mask) >>> 8);
    u8[at + 3] = (u8[at + 3] & ~mask) | (value & mask);
  }

  /** RFC 1624, equation 3; a partial checksum is a plain sum, not its complement. */
  #adjust(at: number, before: number, after: number, isPlainSum: boolean): void {
    let sum = (isPlainSum ? this.#read16(at) : ~this.#read16(at) & 0xffff) + (~before & 0xffff) + after;
    sum = (sum & 0xffff) + (sum >>> 16);
    sum = (sum & 0xffff) + (sum >>> 16);
    this.#write16(at, isPlainSum ? sum : ~sum & 0xffff);
  }

  #read16(at: number): number {
    return (this.#u8[at] << 8) | this.#u8[at + 1];
  }

  #write16(at: number, value: number): void {
    this.#u8[at] = value >>> 8;
    this.#u8[at + 1] = value;
  }
}
