import {
  addSums,
  DECODE_IPV4_PAYLOAD_TRUNCATED,
  DECODE_IPV6_PAYLOAD_TRUNCATED,
  DecodedHeaders,
  decodeInto,
  finishUdpChecksum,
  IPPROTO_TCP,
  IPPROTO_UDP,
  internetChecksum,
  TCP_CWR,
  TCP_FIN,
  TCP_PSH,
  writeIpv4Checksum,
} from '@vhostlab/packet';
import { pseudoHeaderSum, storeBe16 } from './checksum-offload.ts';
import { GSO_ECN, GSO_TCPV4, GSO_TCPV6, GSO_UDP_L4, type HeaderFields } from './header.ts';

/** Why a GSO frame cannot be segmented; an index of `SEGMENT_FAULTS`. */
export const SEGMENT_OK = 0;
export const SEGMENT_HEADERS = 1;
export const SEGMENT_TYPE = 2;
export const SEGMENT_SIZE = 3;
export const SEGMENT_FRAGMENT = 4;

/** Names of the faults, as counters use them. */
export const SEGMENT_FAULTS: readonly string[] = [
  'ok',
  'gso-headers',
  'gso-type-mismatch',
  'gso-size',
  'gso-fragment',
];

/**
 * Cuts GSO frames into frames that fit the wire (virtio 1.3, 5.1.6.2.1): TSO over IPv4 and IPv6, and UDP
 * segmentation; UFO is not done. `begin` looks at a frame, `next` writes its segments one after the other. The
 * lengths, sequence numbers and checksums are computed from the frame's own headers: `hdr_len`, `csum_start`
 * and `csum_offset` are not trusted. Allocates nothing.
 */
export class Segmenter {
  readonly #u8: Uint8Array;
  readonly #headers = new DecodedHeaders();
  /** SEGMENT_ code of the last `begin`. */
  fault = SEGMENT_OK;
  /** Segments of the current frame, and those already written. */
  count = 0;
  index = 0;
  #frameAt = 0;
  #mss = 0;
  #tcp = false;
  /** Pseudo-header sum without the length. */
  #pseudoSum = 0;
  #sequence = 0;
  #identification = 0;
  #flags = 0;

  /** `u8`: the arena that holds the frames and takes the segments. */
  constructor(u8: Uint8Array) {
    this.#u8 = u8;
  }

  /** Bytes of headers in front of every segment's payload; valid after `begin`. */
  get headerBytes(): number {
    return this.#headers.payloadOffset;
  }

  /**
   * Takes the frame at arena offset `frameAt` with a `gsoType` other than none. Answers the number of segments
   * (1 for a frame without more than `gsoSize` bytes of payload), or 0 and `fault` says why.
   */
  begin(frameAt: number, frameBytes: number, fields: Readonly<HeaderFields>): number {
    this.count = 0;
    this.index = 0;
    this.fault = this.#inspect(frameAt, frameBytes, fields);
    if (this.fault !== SEGMENT_OK) return 0;
    const headers = this.#headers;
    const u8 = this.#u8;
    const l4 = frameAt + headers.l4Offset;
    this.#frameAt = frameAt;
    this.#mss = fields.gsoSize;
    this.#tcp = headers.ipProto === IPPROTO_TCP;
    this.#pseudoSum = pseudoHeaderSum(u8, frameAt, headers, 0);
    if (this.#tcp) {
      this.#sequence = ((u8[l4 + 4] << 24) | (u8[l4 + 5] << 16) | (u8[l4 + 6] << 8) | u8[l4 + 7]) >>> 0;
      this.#flags = u8[l4 + 13];
    }
    if (headers.ipVersion === 4) {
      const l3 = frameAt + headers.l3Offset;
      this.#identification = (u8[l3 + 4] << 8) | u8[l3 + 5];
    }
    this.count = Math.max(1, Math.ceil(headers.payloadLength / this.#mss));
    return this.count;
  }

  /**
   * Writes the next segment at arena offset `to`, which must not overlap the frame and needs
   * `headerBytes + gsoSize` bytes. Answers its length; 0 when there is none left.
   */
  next(to: number): number {
    if (this.index === this.count) return 0;
    const { payloadOffset, payloadLength } = this.#headers;
    const u8 = this.#u8;
    const done = this.index * this.#mss;
    const payload = Math.min(this.#mss, payloadLength - done);
    const from = this.#frameAt + payloadOffset + done;
    u8.copyWithin(to, this.#frameAt, this.#frameAt + payloadOffset);
    u8.copyWithin(to + payloadOffset, from, from + payload);
    this.#writeNetworkHeader(to, payloadOffset + payload);
    if (this.#tcp) this.#writeTcp(to, done);
    this.#writeTransportChecksum(to, payloadOffset + payload);
    this.index++;
    return payloadOffset + payload;
  }

  #inspect(frameAt: number, frameBytes: number, fields: Readonly<HeaderFields>): number {
    const headers = this.#headers;
    decodeInto(this.#u8, frameAt, frameBytes, headers);
    const { error } = headers;
    const truncated = error === DECODE_IPV4_PAYLOAD_TRUNCATED || error === DECODE_IPV6_PAYLOAD_TRUNCATED;
    if (truncated || headers.ipVersion === 0 || headers.payloadOffset < 0) return SEGMENT_HEADERS;
    if (headers.fragment !== 0) return SEGMENT_FRAGMENT;
    if (fields.gsoSize === 0) return SEGMENT_SIZE;
    switch (fields.gsoType & ~GSO_ECN) {
      case GSO_TCPV4:
        return headers.ipVersion === 4 && headers.ipProto === IPPROTO_TCP ? SEGMENT_OK : SEGMENT_TYPE;
      case GSO_TCPV6:
        return headers.ipVersion === 6 && headers.ipProto === IPPROTO_TCP ? SEGMENT_OK : SEGMENT_TYPE;
      case GSO_UDP_L4:
        return headers.ipProto === IPPROTO_UDP ? SEGMENT_OK : SEGMENT_TYPE;
      default:
        return SEGMENT_TYPE;
    }
  }

  /** Total length, identification and checksum (IPv4); payload length (IPv6). */
  #writeNetworkHeader(to: number, bytes: number): void {
    const { l3Offset, ipVersion } = this.#headers;
    const u8 = this.#u8;
    const l3 = to + l3Offset;
    if (ipVersion === 4) {
      storeBe16(u8, l3 + 2, bytes - l3Offset);
      storeBe16(u8, l3 + 4, this.#identification + this.index);
      writeIpv4Checksum(u8, l3);
    } else {
      storeBe16(u8, l3 + 4, bytes - l3Offset - 40);
    }
  }

  /** Sequence number; FIN and PSH only in the last segment, CWR only in the first (RFC 3168, 6.1.2). */
  #writeTcp(to: number, done: number): void {
    const u8 = this.#u8;
    const l4 = to + this.#headers.l4Offset;
    const sequence = this.#sequence + done;
    u8[l4 + 4] = sequence >>> 24;
    u8[l4 + 5] = sequence >>> 16;
    u8[l4 + 6] = sequence >>> 8;
    u8[l4 + 7] = sequence;
    let flags = this.#flags;
    if (this.index !== this.count - 1) flags &= ~(TCP_FIN | TCP_PSH);
    if (this.index !== 0) flags &= ~TCP_CWR;
    u8[l4 + 13] = flags;
  }

  #writeTransportChecksum(to: number, bytes: number): void {
    const u8 = this.#u8;
    const { l4Offset } = this.#headers;
    const l4 = to + l4Offset;
    const l4Bytes = bytes - l4Offset;
    if (!this.#tcp) storeBe16(u8, l4 + 4, l4Bytes);
    const field = l4 + (this.#tcp ? 16 : 6);
    storeBe16(u8, field, 0);
    const sum = internetChecksum(u8, l4, l4Bytes, addSums(this.#pseudoSum, l4Bytes));
    storeBe16(u8, field, finishUdpChecksum(sum));
  }
}

/**
 * Segments a whole frame into buffers at `outAt[0]`, `outAt[1]`, …; the lengths go to `outBytes`. Answers the
 * number of segments, or 0 when the frame cannot be segmented (`segmenter.fault`) or needs more than `outCount`
 * buffers (`segmenter.count` is not 0 then).
 */
export function segment(
  segmenter: Segmenter,
  frameAt: number,
  frameBytes: number,
  fields: Readonly<HeaderFields>,
  outAt: ArrayLike<number>,
  outBytes: Uint32Array,
  outCount: number,
): number {
  const count = segmenter.begin(frameAt, frameBytes, fields);
  if (count > outCount) return 0;
  for (let i = 0; i < count; i++) outBytes[i] = segmenter.next(outAt[i]);
  return count;
}
