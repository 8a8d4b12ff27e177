import * as proto from './constants.ts';
import type { DecodedHeaders } from './decoded-headers.ts';
import * as headers from './decoded-headers.ts';

/** Extension headers followed in one IPv6 packet; real packets carry at most a handful (RFC 8200, 4.1). */
const MAX_EXTENSIONS = 16;

/**
 * Decodes the frame of `length` bytes at `offset` into `out`, without allocation. Never throws and never reads
 * outside the frame, whatever its bytes are: the first fault is in `out.error` and `out.errorOffset`, and what
 * was understood before it is valid. Answers true when there was no fault. A tunnel's inner packet is not
 * decoded, only found: call `decodeInto` (Ethernet inside) or `decodeIpInto` again from `out.innerOffset`.
 */
export function decodeInto(u8: Uint8Array, offset: number, length: number, out: DecodedHeaders): boolean {
  out.reset();
  out.l3End = length;
  if (length < 14) return fault(out, headers.DECODE_ETHERNET_TRUNCATED, 0);
  let at = 12;
  let etherType = u16(u8, offset + 12);
  while ((etherType === proto.ETHERTYPE_VLAN || etherType === proto.ETHERTYPE_QINQ) && out.vlanCount < 2) {
    if (at + 6 > length) {
      out.etherType = etherType;
      return fault(out, headers.DECODE_VLAN_TRUNCATED, at);
    }
    if (out.vlanCount === 0) {
      out.vlanTpid0 = etherType;
      out.vlanTci0 = u16(u8, offset + at + 2);
    } else {
      out.vlanTpid1 = etherType;
      out.vlanTci1 = u16(u8, offset + at + 2);
    }
    out.vlanCount++;
    at += 4;
    etherType = u16(u8, offset + at);
  }
  at += 2;
  out.etherType = etherType;
  if (etherType < 0x600) return decodeLlc(u8, offset, at, length, out);
  return decodeL3(u8, offset, at, length, out);
}

/**
 * As `decodeInto` for a packet without Ethernet header (the inside of GRE): `etherType` says what it is.
 */
export function decodeIpInto(
  u8: Uint8Array,
  offset: number,
  length: number,
  etherType: number,
  out: DecodedHeaders,
): boolean {
  out.reset();
  out.l3End = length;
  out.etherType = etherType;
  return decodeL3(u8, offset, 0, length, out);
}

function u16(u8: Uint8Array, at: number): number {
  return (u8[at] << 8) | u8[at + 1];
}

function fault(out: DecodedHeaders, code: number, at: number): boolean {
  if (out.error === 0) {
    out.error = code;
    out.errorOffset = at;
  }
  return false;
}

/** Keeps the first fault but lets decoding go on: the bytes that are there still mean something. */
function payload(out: DecodedHeaders, at: number): boolean {
  out.payloadOffset = at;
  out.payloadLength = out.l3End - at;
  return out.error === 0;
}

/** IEEE 802.3 with a length field: only LLC/SNAP with an Ethernet type (RFC 1042) leads further. */
function decodeLlc(u8: Uint8Array, offset: number, at: number, length: number, out: DecodedHeaders): boolean {
  const stated = at + out.etherType;
  out.etherType = proto.ETHERTYPE_NONE;
  out.l3Offset = at;
  if (stated < length) out.l3End = stated;
  if (at + 3 > out.l3End) return fault(out, headers.DECODE_LLC_TRUNCATED, at);
  const o = offset + at;
  if (u8[o] !== 0xaa || u8[o + 1] !== 0xaa || u8[o + 2] !== 3) return payload(out, at);
  if (at + 8 > out.l3End) return fault(out, headers.DECODE_LLC_TRUNCATED, at);
  const snapType = u16(u8, o + 6);
  if ((u8[o + 3] | u8[o + 4] | u8[o + 5]) !== 0 || snapType < 0x600) return payload(out, at);
  out.etherType = snapType;
  return decodeL3(u8, offset, at + 8, out.l3End, out);
}

function decodeL3(u8: Uint8Array, offset: number, at: number, length: number, out: DecodedHeaders): boolean {
  out.l3Offset = at;
  switch (out.etherType) {
    case proto.ETHERTYPE_IPV4:
      return decodeIpv4(u8, offset, at, length, out);
    case proto.ETHERTYPE_IPV6:
      return decodeIpv6(u8, offset, at, length, out);
    case proto.ETHERTYPE_ARP:
      if (at + 28 > length) return fault(out, headers.DECODE_ARP_TRUNCATED, at);
      out.srcPort = u16(u8, offset + at + 6);
      return payload(out, at + 28);
    default:
      return payload(out, at);
  }
}

function decodeIpv4(
  u8: Uint8Array,
  offset: number,
  at: number,
  length: number,
  out: DecodedHeaders,
): boolean {
  if (at + 20 > length) return fault(out, headers.DECODE_IPV4_TRUNCATED, at);
  const o = offset + at;
  if (u8[o] >>> 4 !== 4) return fault(out, headers.DECODE_IPV4_BAD_VERSION, at);
  const headerBytes = (u8[o] & 15) << 2;
  const totalBytes = u16(u8, o + 2);
  if (headerBytes < 20) return fault(out, headers.DECODE_IPV4_BAD_HEADER_LENGTH, at);
  if (totalBytes < headerBytes) return fault(out, headers.DECODE_IPV4_BAD_TOTAL_LENGTH, at);
  if (at + headerBytes > length) return fault(out, headers.DECODE_IPV4_TRUNCATED, at);
  if (at + totalBytes > length) fault(out, headers.DECODE_IPV4_PAYLOAD_TRUNCATED, at);
  else out.l3End = at + totalBytes;
  out.ipVersion = 4;
  out.ipTos = u8[o + 1];
  out.ipTtl = u8[o + 8];
  out.ipProto = u8[o + 9];
  out.addressBytes = 4;
  out.addressOffset = at + 12;
  const fragmentWord = u16(u8, o + 6);
  out.ipDontFragment = (fragmentWord >>> 14) & 1;
  if (fragmentWord & 0x3fff) {
    out.fragmentOffsetBytes = (fragmentWord & 0x1fff) << 3;
    out.fragment = out.fragmentOffsetBytes
      ? headers.FRAGMENT_ANY | headers.FRAGMENT_LATER
      : headers.FRAGMENT_ANY;
  }
  return decodeL4(u8, offset, at + headerBytes, out);
}

function decodeIpv6(
  u8: Uint8Array,
  offset: number,
  at: number,
  length: number,
  out: DecodedHeaders,
): boolean {
  if (at + 40 > length) return fault(out, headers.DECODE_IPV6_TRUNCATED, at);
  const o = offset + at;
  if (u8[o] >>> 4 !== 6) return fault(out, headers.DECODE_IPV6_BAD_VERSION, at);
  const payloadBytes = u16(u8, o + 4);
  let next = u8[o + 6];
  out.ipVersion = 6;
  out.ipTos = ((u8[o] & 15) << 4) | (u8[o + 1] >>> 4);
  out.flowLabel = ((u8[o + 1] & 15) << 16) | u16(u8, o + 2);
  out.ipTtl = u8[o + 7];
  out.addressBytes = 16;
  out.addressOffset = at + 8;
  // A length of 0 in front of hop-by-hop options is a jumbogram (RFC 2675): it reaches to the frame's end.
  if (at + 40 + payloadBytes > length) fault(out, headers.DECODE_IPV6_PAYLOAD_TRUNCATED, at);
  else if (payloadBytes !== 0 || next !== proto.IPPROTO_HOPOPTS) out.l3End = at + 40 + payloadBytes;
  at += 40;
  for (let count = 0; isExtension(next); count++) {
    out.ipProto = next;
    if (count === MAX_EXTENSIONS) return fault(out, headers.DECODE_IPV6_TOO_MANY_EXTENSIONS, at);
    if (at + 8 > out.l3End) return fault(out, headers.DECODE_IPV6_EXTENSION_TRUNCATED, at);
    const e = offset + at;
    const isFragment = next === proto.IPPROTO_FRAGMENT;
    const bytes = isFragment ? 8 : next === proto.IPPROTO_AH ? (u8[e + 1] + 2) << 2 : (u8[e + 1] + 1) << 3;
    if (at + bytes > out.l3End) return fault(out, headers.DECODE_IPV6_EXTENSION_TRUNCATED, at);
    next = u8[e];
    at += bytes;
    if (isFragment) {
      const word = u16(u8, e + 2);
      // Offset 0 without "more fragments" is an atomic fragment: a whole packet (RFC 6946).
      if (word & 0xfff9) {
        out.fragmentOffsetBytes = word & 0xfff8;
        out.fragment = headers.FRAGMENT_ANY;
        if (out.fragmentOffsetBytes) {
          out.fragment |= headers.FRAGMENT_LATER;
          break;
        }
      }
    }
  }
  out.ipProto = next;
  return decodeL4(u8, offset, at, out);
}

function isExtension(next: number): boolean {
  switch (next) {
    case proto.IPPROTO_HOPOPTS:
    case proto.IPPROTO_ROUTING:
    case proto.IPPROTO_FRAGMENT:
    case proto.IPPROTO_AH:
    case proto.IPPROTO_DSTOPTS:
    case proto.IPPROTO_MOBILITY:
    case proto.IPPROTO_HIP:
    case proto.IPPROTO_SHIM6:
      return true;
    default:
      return false;
  }
}

function decodeL4(u8: Uint8Array, offset: number, at: number, out: DecodedHeaders): boolean {
  out.l4Offset = at;
  if (out.fragment & headers.FRAGMENT_LATER) return payload(out, at);
  const left = out.l3End - at;
  const o = offset + at;
  switch (out.ipProto) {
    case proto.IPPROTO_TCP: {
      if (left < 20) return fault(out, headers.DECODE_L4_TRUNCATED, at);
      out.srcPort = u16(u8, o);
      out.dstPort = u16(u8, o + 2);
      out.tcpFlags = u8[o + 13];
      const headerBytes = (u8[o + 12] >>> 4) << 2;
      if (headerBytes < 20 || headerBytes > left) return fault(out, headers.DECODE_TCP_BAD_DATA_OFFSET, at);
      return payload(out, at + headerBytes);
    }
    case proto.IPPROTO_UDP: {
      if (left < 8) return fault(out, headers.DECODE_L4_TRUNCATED, at);
      out.srcPort = u16(u8, o);
      out.dstPort = u16(u8, o + 2);
      const stated = u16(u8, o + 4);
      // The first fragment states the whole datagram; a truncated capture has fewer bytes than stated.
      if (stated < 8 || (stated > left && out.fragment === 0 && out.error === 0)) {
        return fault(out, headers.DECODE_UDP_BAD_LENGTH, at);
      }
      payload(out, at + 8);
      if (stated < left) out.payloadLength = stated - 8;
      if (out.dstPort === proto.UDP_PORT_VXLAN) return findVxlan(u8, offset, at + 8, out);
      if (out.dstPort === proto.UDP_PORT_GENEVE) return findGeneve(u8, offset, at + 8, out);
      return out.error === 0;
    }
    case proto.IPPROTO_SCTP:
      if (left < 12) return fault(out, headers.DECODE_L4_TRUNCATED, at);
      out.srcPort = u16(u8, o);
      out.dstPort = u16(u8, o + 2);
      return payload(out, at + 12);
    case proto.IPPROTO_ICMP:
    case proto.IPPROTO_ICMPV6:
      if (left < 4) return fault(out, headers.DECODE_L4_TRUNCATED, at);
      out.srcPort = u8[o];
      out.dstPort = u8[o + 1];
      return payload(out, at + (left < 8 ? 4 : 8));
    case proto.IPPROTO_GRE:
      return findGre(u8, offset, at, out);
    default:
      return payload(out, at);
  }
}

/** RFC 7348, 5: flags (I bit 0x08), 24 reserved bits, VNI, 8 reserved bits. */
function findVxlan(u8: Uint8Array, offset: number, at: number, out: DecodedHeaders): boolean {
  if (out.payloadLength < 8) return fault(out, headers.DECODE_TUNNEL_TRUNCATED, at);
  const o = offset + at;
  if ((u8[o] & 0x08) === 0) return fault(out, headers.DECODE_TUNNEL_BAD_HEADER, at);
  return inner(out, headers.TUNNEL_VXLAN, vni(u8, o + 4), at, 8, proto.ETHERTYPE_TEB);
}

/** RFC 8926, 3.4: version and option length, flags, protocol type, VNI, options. */
function findGeneve(u8: Uint8Array, offset: number, at: number, out: DecodedHeaders): boolean {
  if (out.payloadLength < 8) return fault(out, headers.DECODE_TUNNEL_TRUNCATED, at);
  const o = offset + at;
  if (u8[o] >>> 6 !== 0) return fault(out, headers.DECODE_TUNNEL_BAD_HEADER, at);
  const headerBytes = 8 + ((u8[o] & 0x3f) << 2);
  if (headerBytes > out.payloadLength) return fault(out, headers.DECODE_TUNNEL_TRUNCATED, at);
  return inner(out, headers.TUNNEL_GENEVE, vni(u8, o + 4), at, headerBytes, u16(u8, o + 2));
}

/** RFC 2784 with key and sequence number (RFC 2890); routing and other versions are not followed. */
function findGre(u8: Uint8Array, offset: number, at: number, out: DecodedHeaders): boolean {
  payload(out, at);
  if (out.payloadLength < 4) return fault(out, headers.DECODE_TUNNEL_TRUNCATED, at);
  const o = offset + at;
  const flags = u16(u8, o);
  if (flags & 0x4007) return fault(out, headers.DECODE_TUNNEL_BAD_HEADER, at);
  const keyAt = flags & 0x8000 ? 8 : 4;
  const headerBytes = keyAt + (flags & 0x2000 ? 4 : 0) + (flags & 0x1000 ? 4 : 0);
  if (headerBytes > out.payloadLength) return fault(out, headers.DECODE_TUNNEL_TRUNCATED, at);
  const key = flags & 0x2000 ? (u16(u8, o + keyAt) << 16) | u16(u8, o + keyAt + 2) : 0;
  return inner(out, headers.TUNNEL_GRE, key, at, headerBytes, u16(u8, o + 2));
}

function vni(u8: Uint8Array, at: number): number {
  return (u8[at] << 16) | (u8[at + 1] << 8) | u8[at + 2];
}

function inner(
  out: DecodedHeaders,
  tunnel: number,
  id: number,
  at: number,
  headerBytes: number,
  innerType: number,
): boolean {
  out.tunnel = tunnel;
  out.tunnelId = id;
  out.innerOffset = at + headerBytes;
  out.innerType = innerType;
  out.payloadOffset = at + headerBytes;
  out.payloadLength -= headerBytes;
  return out.error === 0;
}
