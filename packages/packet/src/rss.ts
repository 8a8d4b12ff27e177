import { ETHERTYPE_IPV4, ETHERTYPE_IPV6, IPPROTO_TCP, IPPROTO_UDP } from './constants.ts';
import type { DecodedHeaders } from './decoded-headers.ts';
import { MICROSOFT_RSS_KEY, Toeplitz } from './toeplitz.ts';

/** Hash types, bits as in virtio 1.3, 5.1.6.4.3.1 (VIRTIO_NET_HASH_TYPE_*). */
export const HASH_TYPE_IPV4 = 1 << 0;
export const HASH_TYPE_TCPV4 = 1 << 1;
export const HASH_TYPE_UDPV4 = 1 << 2;
export const HASH_TYPE_IPV6 = 1 << 3;
export const HASH_TYPE_TCPV6 = 1 << 4;
export const HASH_TYPE_UDPV6 = 1 << 5;
export const HASH_TYPES_ALL = 0x3f;

/** What `hash_report` of the virtio-net header says, virtio 1.3, 5.1.6.4.3.5 (VIRTIO_NET_HASH_REPORT_*). */
export const HASH_REPORT_NONE = 0;
export const HASH_REPORT_IPV4 = 1;
export const HASH_REPORT_TCPV4 = 2;
export const HASH_REPORT_UDPV4 = 3;
export const HASH_REPORT_IPV6 = 4;
export const HASH_REPORT_TCPV6 = 5;
export const HASH_REPORT_UDPV6 = 6;

/**
 * Receive side scaling over decoded headers: picks the fields that the enabled hash types ask for. Fragments
 * are hashed by their addresses alone, so that all of one datagram meet on one queue. The _EX types (addresses
 * from IPv6 extension headers) are not offered.
 */
export class RssHasher {
  /** Hash of the last frame, a signed 32-bit number; 0 when it has none. */
  value = 0;
  /** A HASH_REPORT_ code: which fields went into `value`. */
  report = HASH_REPORT_NONE;
  readonly #toeplitz: Toeplitz;
  readonly #types: number;

  /** `types`: HASH_TYPE_ bits. */
  constructor(key: Uint8Array = MICROSOFT_RSS_KEY, types: number = HASH_TYPES_ALL) {
    this.#toeplitz = new Toeplitz(key);
    this.#types = types;
  }

  /** Hashes the frame at `offset` that `headers` describes. False: no enabled type fits, `value` is 0. */
  hash(u8: Uint8Array, offset: number, headers: DecodedHeaders): boolean {
    this.report = this.#reportFor(headers);
    if (this.report === HASH_REPORT_NONE) {
      this.value = 0;
      return false;
    }
    const addressesOnly = this.report === HASH_REPORT_IPV4 || this.report === HASH_REPORT_IPV6;
    const portOffset = addressesOnly ? -1 : offset + headers.l4Offset;
    this.value = this.#toeplitz.hash(u8, offset + headers.addressOffset, headers.addressBytes, portOffset);
    return true;
  }

  #reportFor(headers: DecodedHeaders): number {
    const types = this.#types;
    const whole = headers.fragment === 0 && headers.payloadOffset >= 0;
    if (headers.ipVersion === 4 && headers.etherType === ETHERTYPE_IPV4) {
      if (whole && headers.ipProto === IPPROTO_TCP && types & HASH_TYPE_TCPV4) return HASH_REPORT_TCPV4;
      if (whole && headers.ipProto === IPPROTO_UDP && types & HASH_TYPE_UDPV4) return HASH_REPORT_UDPV4;
      return types & HASH_TYPE_IPV4 ? HASH_REPORT_IPV4 : HASH_REPORT_NONE;
    }
    if (headers.ipVersion === 6 && headers.etherType === ETHERTYPE_IPV6) {
      if (whole && headers.ipProto === IPPROTO_TCP && types & HASH_TYPE_TCPV6) return HASH_REPORT_TCPV6;
      if (whole && headers.ipProto === IPPROTO_UDP && types & HASH_TYPE_UDPV6) return HASH_REPORT_UDPV6;
      return types & HASH_TYPE_IPV6 ? HASH_REPORT_IPV6 : HASH_REPORT_NONE;
    }
    return HASH_REPORT_NONE;
  }
}
