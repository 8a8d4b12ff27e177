import {
  type DecodedHeaders,
  finishUdpChecksum,
  IPPROTO_TCP,
  IPPROTO_UDP,
  internetChecksum,
  pseudoHeaderSum4,
  pseudoHeaderSum6,
} from '@vhostlab/packet';
import {
  GSO_ECN,
  GSO_NONE,
  GSO_TCPV4,
  GSO_TCPV6,
  GSO_UDP_L4,
  HDR_F_NEEDS_CSUM,
  type HeaderFields,
} from './header.ts';

const TCP_CHECKSUM = 16;
const UDP_CHECKSUM = 6;

/**
 * Does what NEEDS_CSUM asks for (virtio 1.3, 5.1.6.2): the ones' complement of the sum from `csumStart` to the
 * end of the frame goes to `csumStart + csumOffset`. `frameAt` is the arena offset of the frame. A sum of 0 is
 * stored as 0xffff, which means the same to TCP and is not "no checksum" to UDP. False, and nothing stored,
 * when the field lies outside of the frame.
 */
export function completeChecksum(
  u8: Uint8Array,
  frameAt: number,
  frameBytes: number,
  fields: Readonly<HeaderFields>,
): boolean {
  const field = fields.csumStart + fields.csumOffset;
  if (field + 2 > frameBytes) return false;
  const sum = internetChecksum(u8, frameAt + fields.csumStart, frameBytes - fields.csumStart);
  storeBe16(u8, frameAt + field, finishUdpChecksum(sum));
  return true;
}

/** Sum of the pseudo header of the TCP segment or UDP datagram in `headers`, of `l4Bytes` bytes. */
export function pseudoHeaderSum(
  u8: Uint8Array,
  frameAt: number,
  headers: DecodedHeaders,
  l4Bytes: number,
): number {
  const addresses = frameAt + headers.addressOffset;
  return headers.ipVersion === 4
    ? pseudoHeaderSum4(u8, addresses, headers.ipProto, l4Bytes)
    : pseudoHeaderSum6(u8, addresses, headers.ipProto, l4Bytes);
}

/** Place of the checksum in the transport header of `headers`; 0 when it cannot be offloaded. */
function checksumOffset(headers: DecodedHeaders): number {
  if (headers.ipVersion === 0 || headers.fragment !== 0 || headers.payloadOffset < 0) return 0;
  return headers.ipProto === IPPROTO_TCP ? TCP_CHECKSUM : headers.ipProto === IPPROTO_UDP ? UDP_CHECKSUM : 0;
}

/**
 * The driver's half: leaves the pseudo-header sum in the checksum field of an unfragmented TCP segment or UDP
 * datagram and fills `fields` for it. False, and an empty header, for anything else.
 */
export function requestChecksum(
  u8: Uint8Array,
  frameAt: number,
  headers: DecodedHeaders,
  fields: HeaderFields,
): boolean {
  fields.flags = 0;
  fields.gsoType = GSO_NONE;
  fields.hdrLen = 0;
  fields.gsoSize = 0;
  fields.csumStart = 0;
  fields.csumOffset = 0;
  const offset = checksumOffset(headers);
  if (offset === 0) return false;
  const sum = pseudoHeaderSum(u8, frameAt, headers, headers.l3End - headers.l4Offset);
  storeBe16(u8, frameAt + headers.l4Offset + offset, sum);
  fields.flags = HDR_F_NEEDS_CSUM;
  fields.csumStart = headers.l4Offset;
  fields.csumOffset = offset;
  return true;
}

/**
 * As `requestChecksum`, and asks for segments of at most `mss` bytes of payload when there is more: TSO for TCP
 * (with the ECN bit when CWR is set), USO for UDP. The caller has looked at the negotiated features.
 */
export function requestSegmentation(
  u8: Uint8Array,
  frameAt: number,
  headers: DecodedHeaders,
  mss: number,
  fields: HeaderFields,
): boolean {
  if (!requestChecksum(u8, frameAt, headers, fields)) return false;
  if (headers.payloadLength <= mss) return true;
  if (headers.ipProto === IPPROTO_UDP) {
    fields.gsoType = GSO_UDP_L4;
  } else {
    const type = headers.ipVersion === 4 ? GSO_TCPV4 : GSO_TCPV6;
    fields.gsoType = (headers.tcpFlags & 0x80) !== 0 ? type | GSO_ECN : type;
  }
  fields.gsoSize = mss;
  fields.hdrLen = headers.payloadOffset;
  return true;
}

/** True when the TCP or UDP checksum of a whole packet is right; UDP over IPv4 may have none. */
export function transportChecksumOk(u8: Uint8Array, frameAt: number, headers: DecodedHeaders): boolean {
  const offset = checksumOffset(headers);
  if (offset === 0) return false;
  const at = frameAt + headers.l4Offset;
  if (offset === UDP_CHECKSUM && headers.ipVersion === 4 && u8[at + 6] === 0 && u8[at + 7] === 0) return true;
  const l4Bytes = headers.l3End - headers.l4Offset;
  return internetChecksum(u8, at, l4Bytes, pseudoHeaderSum(u8, frameAt, headers, l4Bytes)) === 0xffff;
}

/** Stores 16 bits in network order. */
export function storeBe16(u8: Uint8Array, at: number, value: number): void {
  u8[at] = value >>> 8;
  u8[at + 1] = value;
}
