/** What `decodeInto` found wrong first; 0 is nothing. */
export const DECODE_OK = 0;
export const DECODE_ETHERNET_TRUNCATED = 1;
export const DECODE_VLAN_TRUNCATED = 2;
export const DECODE_LLC_TRUNCATED = 3;
export const DECODE_ARP_TRUNCATED = 4;
export const DECODE_IPV4_TRUNCATED = 5;
export const DECODE_IPV4_BAD_VERSION = 6;
export const DECODE_IPV4_BAD_HEADER_LENGTH = 7;
export const DECODE_IPV4_BAD_TOTAL_LENGTH = 8;
export const DECODE_IPV4_PAYLOAD_TRUNCATED = 9;
export const DECODE_IPV6_TRUNCATED = 10;
export const DECODE_IPV6_BAD_VERSION = 11;
export const DECODE_IPV6_PAYLOAD_TRUNCATED = 12;
export const DECODE_IPV6_EXTENSION_TRUNCATED = 13;
export const DECODE_IPV6_TOO_MANY_EXTENSIONS = 14;
export const DECODE_L4_TRUNCATED = 15;
export const DECODE_TCP_BAD_DATA_OFFSET = 16;
export const DECODE_UDP_BAD_LENGTH = 17;
export const DECODE_TUNNEL_TRUNCATED = 18;
export const DECODE_TUNNEL_BAD_HEADER = 19;

const ERROR_NAMES = [
  'ok',
  'ethernet header truncated',
  'VLAN tag truncated',
  'LLC header truncated',
  'ARP packet truncated',
  'IPv4 header truncated',
  'IPv4 version is not 4',
  'IPv4 header length below 20 or beyond the total length',
  'IPv4 total length below the header length',
  'IPv4 total length beyond the frame',
  'IPv6 header truncated',
  'IPv6 version is not 6',
  'IPv6 payload length beyond the frame',
  'IPv6 extension header truncated',
  'IPv6 extension headers beyond the limit',
  'transport header truncated',
  'TCP data offset below 5 or beyond the segment',
  'UDP length below 8 or beyond the datagram',
  'tunnel header truncated',
  'tunnel header invalid',
];

/** A DECODE_ code in words. */
export function decodeErrorName(code: number): string {
  return ERROR_NAMES[code] ?? `unknown decode error ${code}`;
}

/** `fragment` bits: the packet is a fragment, and it is not the first one (it has no transport header). */
export const FRAGMENT_ANY = 1;
export const FRAGMENT_LATER = 2;

export const TUNNEL_NONE = 0;
export const TUNNEL_VXLAN = 1;
export const TUNNEL_GENEVE = 2;
export const TUNNEL_GRE = 3;

/**
 * Result of `decodeInto`: numbers only, filled again and again. Offsets count from the start of the frame
 * (not of the array) and are -1 when the frame has no such thing; other fields are then 0.
 */
export class DecodedHeaders {
  /** First fault, a DECODE_ code. What was read before it stays valid. */
  error = 0;
  /** Offset of the header that the fault is in. */
  errorOffset = -1;
  /** Ethernet type behind the VLAN tags; ETHERTYPE_NONE for IEEE 802.3 frames without SNAP type. */
  etherType = 0;
  /** VLAN tags read (0..2); a third one is left as the Ethernet type. */
  vlanCount = 0;
  /** Outer tag: type (0x8100 or 0x88a8) and control information (priority, DEI, id). */
  vlanTpid0 = 0;
  vlanTci0 = 0;
  vlanTpid1 = 0;
  vlanTci1 = 0;
  /** First byte behind the Ethernet header and its tags. */
  l3Offset = -1;
  /** 4, 6 or 0. */
  ipVersion = 0;
  /** Protocol of the transport header: behind all IPv6 extension headers; ARP: 0. */
  ipProto = 0;
  /** DSCP and ECN: IPv4 type of service, IPv6 traffic class. */
  ipTos = 0;
  /** IPv4 time to live, IPv6 hop limit. */
  ipTtl = 0;
  /** IPv4: the DF bit. */
  ipDontFragment = 0;
  /** Bytes of addresses: 4, 16 or 0. Source at `addressOffset`, destination right behind it (ARP: -1). */
  addressBytes = 0;
  addressOffset = -1;
  /** End of the IP packet as its header says, at most the frame's end: what lies behind is padding. */
  l3End = 0;
  /** FRAGMENT_ bits. */
  fragment = 0;
  /** In bytes. */
  fragmentOffsetBytes = 0;
  /** IPv6 flow label, 20 bits. */
  flowLabel = 0;
  /** Transport header, or the data of a later fragment. */
  l4Offset = -1;
  /** TCP, UDP, SCTP: ports. ICMP and ICMPv6: type and code. ARP: operation in `srcPort`. */
  srcPort = 0;
  dstPort = 0;
  /** TCP flags, 8 bits (CWR..FIN). */
  tcpFlags = 0;
  /** First byte behind the last header that was understood, and the bytes up to the end of the packet. */
  payloadOffset = -1;
  payloadLength = 0;
  /** TUNNEL_ code, network identifier (VNI; GRE key as a signed 32-bit number) and first byte of the inner packet. */
  tunnel = 0;
  tunnelId = 0;
  innerOffset = -1;
  /** What the inner packet is: ETHERTYPE_TEB for an Ethernet frame, else its Ethernet type. */
  innerType = 0;

  reset(): void {
    this.error = 0;
    this.errorOffset = -1;
    this.etherType = 0;
    this.vlanCount = 0;
    this.vlanTpid0 = 0;
    this.vlanTci0 = 0;
    this.vlanTpid1 = 0;
    this.vlanTci1 = 0;
    this.l3Offset = -1;
    this.ipVersion = 0;
    this.ipProto = 0;
    this.ipTos = 0;
    this.ipTtl = 0;
    this.ipDontFragment = 0;
    this.addressBytes = 0;
    this.addressOffset = -1;
    this.l3End = 0;
    this.fragment = 0;
    this.fragmentOffsetBytes = 0;
    this.flowLabel = 0;
    this.l4Offset = -1;
    this.srcPort = 0;
    this.dstPort = 0;
    this.tcpFlags = 0;
    this.payloadOffset = -1;
    this.payloadLength = 0;
    this.tunnel = 0;
    this.tunnelId = 0;
    this.innerOffset = -1;
    this.innerType = 0;
  }
}
