/**
 * Whose addresses a stream carries. The defaults are the benchmarking ranges of RFC 2544 (198.18.0.0/15) and
 * RFC 5180 (2001:2::/48); the low 16 bits of both IP addresses are the flow's.
 */
export interface Endpoints {
  srcMac: string;
  dstMac: string;
  /** The upper half counts. */
  srcIpv4: string;
  dstIpv4: string;
  srcIpv6: string;
  dstIpv6: string;
}

export const DEFAULT_ENDPOINTS: Endpoints = {
  srcMac: '02:00:00:00:01:00',
  dstMac: '02:00:00:00:02:00',
  srcIpv4: '198.18.0.0',
  dstIpv4: '198.19.0.0',
  srcIpv6: '2001:2:0:1::',
  dstIpv6: '2001:2:0:2::',
};
