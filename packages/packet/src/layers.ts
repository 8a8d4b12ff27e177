/**
 * A frame as a list of layers, outermost first; what a tunnel carries follows the tunnel. `build` writes such a
 * list, `parse` reads one. Addresses are text; fields that `build` can compute are optional there and always
 * present in what `parse` answers.
 */
export type Layer =
  | EthernetLayer
  | VlanLayer
  | LlcLayer
  | ArpLayer
  | Ipv4Layer
  | Ipv6Layer
  | Ipv6ExtensionLayer
  | Ipv6FragmentLayer
  | TcpLayer
  | UdpLayer
  | SctpLayer
  | IcmpLayer
  | VxlanLayer
  | GeneveLayer
  | GreLayer
  | PayloadLayer;

export type LayerKind = Layer['kind'];

/** `etherType` defaults to what the next layer needs. */
export interface EthernetLayer {
  kind: 'ethernet';
  dst: string;
  src: string;
  etherType?: number;
}

/** An IEEE 802.1Q tag (`tpid` 0x8100) or an 802.1ad service tag (0x88a8, the default in front of another tag). */
export interface VlanLayer {
  kind: 'vlan';
  id: number;
  priority?: number;
  dropEligible?: boolean;
  tpid?: number;
  etherType?: number;
}

/** IEEE 802.2 header of a frame with a length field; `snapType` when it carries an Ethernet type (RFC 1042). */
export interface LlcLayer {
  kind: 'llc';
  dsap: number;
  ssap: number;
  control: number;
  snapType?: number;
}

export interface ArpLayer {
  kind: 'arp';
  operation: number;
  senderMac: string;
  senderIp: string;
  targetMac: string;
  targetIp: string;
}

/** `fragmentOffset` in bytes, a multiple of 8. `options`: a multiple of 4 bytes, at most 40. */
export interface Ipv4Layer {
  kind: 'ipv4';
  src: string;
  dst: string;
  ttl?: number;
  tos?: number;
  id?: number;
  dontFragment?: boolean;
  moreFragments?: boolean;
  fragmentOffset?: number;
  protocol?: number;
  options?: Uint8Array;
  totalLength?: number;
  checksum?: number;
}

export interface Ipv6Layer {
  kind: 'ipv6';
  src: string;
  dst: string;
  hopLimit?: number;
  trafficClass?: number;
  flowLabel?: number;
  nextHeader?: number;
  payloadLength?: number;
}

/** Hop-by-hop options, routing, destination options or another header of that shape; not the fragment header. */
export interface Ipv6ExtensionLayer {
  kind: 'ipv6-extension';
  /** Which extension header this is: 0, 43, 60... */
  protocol: number;
  /** Everything behind next header and length: 6 bytes more than a multiple of 8 (AH: than a multiple of 4). */
  body: Uint8Array;
  nextHeader?: number;
}

export interface Ipv6FragmentLayer {
  kind: 'ipv6-fragment';
  id: number;
  fragmentOffset: number;
  moreFragments: boolean;
  nextHeader?: number;
}

export interface TcpLayer {
  kind: 'tcp';
  srcPort: number;
  dstPort: number;
  seq?: number;
  ack?: number;
  flags?: number;
  window?: number;
  urgent?: number;
  /** A multiple of 4 bytes, at most 40. */
  options?: Uint8Array;
  checksum?: number;
}

/** `checksum: 0` sends none, as IPv4 tunnels do. */
export interface UdpLayer {
  kind: 'udp';
  srcPort: number;
  dstPort: number;
  length?: number;
  checksum?: number;
}

/** Common header; the chunks are payload. */
export interface SctpLayer {
  kind: 'sctp';
  srcPort: number;
  dstPort: number;
  verificationTag?: number;
  checksum?: number;
}

/** ICMP, or ICMPv6 behind an IPv6 layer. `rest`: the 4 bytes behind the checksum (identifier and sequence). */
export interface IcmpLayer {
  kind: 'icmp';
  type: number;
  code?: number;
  rest?: number;
  checksum?: number;
}

export interface VxlanLayer {
  kind: 'vxlan';
  vni: number;
}

export interface GeneveLayer {
  kind: 'geneve';
  vni: number;
  protocolType?: number;
  options?: Uint8Array;
}

/** `checksum: true` adds one (RFC 2784). */
export interface GreLayer {
  kind: 'gre';
  protocolType?: number;
  key?: number;
  sequence?: number;
  checksum?: boolean;
}

export interface PayloadLayer {
  kind: 'payload';
  bytes: Uint8Array;
}
