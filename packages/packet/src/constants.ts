/** Numbers of the protocols that this package reads and writes (IANA and IEEE assignments). */

export const ETHERTYPE_IPV4 = 0x0800;
export const ETHERTYPE_ARP = 0x0806;
export const ETHERTYPE_TEB = 0x6558;
export const ETHERTYPE_VLAN = 0x8100;
export const ETHERTYPE_IPV6 = 0x86dd;
export const ETHERTYPE_QINQ = 0x88a8;
/** The type given to IEEE 802.3 frames without a SNAP type, as OpenFlow 1.0 (OFP_DL_TYPE_NOT_ETH_TYPE) does. */
export const ETHERTYPE_NONE = 0x05ff;

export const IPPROTO_HOPOPTS = 0;
export const IPPROTO_ICMP = 1;
export const IPPROTO_TCP = 6;
export const IPPROTO_UDP = 17;
export const IPPROTO_ROUTING = 43;
export const IPPROTO_FRAGMENT = 44;
export const IPPROTO_GRE = 47;
export const IPPROTO_AH = 51;
export const IPPROTO_ICMPV6 = 58;
export const IPPROTO_NONE = 59;
export const IPPROTO_DSTOPTS = 60;
export const IPPROTO_SCTP = 132;
export const IPPROTO_MOBILITY = 135;
export const IPPROTO_HIP = 139;
export const IPPROTO_SHIM6 = 140;

export const UDP_PORT_VXLAN = 4789;
export const UDP_PORT_GENEVE = 6081;

export const TCP_FIN = 0x01;
export const TCP_SYN = 0x02;
export const TCP_RST = 0x04;
export const TCP_PSH = 0x08;
export const TCP_ACK = 0x10;
export const TCP_URG = 0x20;
export const TCP_ECE = 0x40;
export const TCP_CWR = 0x80;

/** Ethernet sizes in bytes. Frames in memory carry no FCS. */
export const ETHERNET_HEADER_BYTES = 14;
export const ETHERNET_FCS_BYTES = 4;
export const ETHERNET_MIN_FRAME_BYTES = 60;
export const VLAN_TAG_BYTES = 4;
