import type { FeatureSet } from './feature-set.ts';
import {
  GSO_ECN,
  GSO_NONE,
  GSO_TCPV4,
  GSO_TCPV6,
  GSO_UDP,
  GSO_UDP_L4,
  HDR_F_NEEDS_CSUM,
  type HeaderFields,
} from './header.ts';

/** Why a frame and its header do not fit together; an index of `HEADER_FAULTS`. */
export const HEADER_OK = 0;
export const HEADER_FRAME_SHORT = 1;
export const HEADER_FRAME_LONG = 2;
export const HEADER_CSUM_NOT_NEGOTIATED = 3;
export const HEADER_CSUM_RANGE = 4;
export const HEADER_GSO_TYPE = 5;
export const HEADER_GSO_NOT_NEGOTIATED = 6;
export const HEADER_ECN_NOT_NEGOTIATED = 7;
export const HEADER_GSO_SIZE = 8;
export const HEADER_GSO_WITHOUT_CSUM = 9;
export const HEADER_HDR_LEN = 10;

/** Names of the faults, as counters use them. */
export const HEADER_FAULTS: readonly string[] = [
  'ok',
  'frame-short',
  'frame-long',
  'csum-not-negotiated',
  'csum-range',
  'gso-type',
  'gso-not-negotiated',
  'ecn-not-negotiated',
  'gso-size',
  'gso-without-csum',
  'hdr-len',
];

/** What the negotiated features allow in a header of one direction. */
export interface HeaderRules {
  readonly csum: boolean;
  readonly ecn: boolean;
  /** Bit n: gso_type n may be used. */
  readonly gsoTypes: number;
}

/** Rules for frames that the guest transmits: CSUM and HOST_* features. */
export function transmitRules(features: FeatureSet): HeaderRules {
  let gsoTypes = 0;
  if (features.has('HOST_TSO4')) gsoTypes |= 1 << GSO_TCPV4;
  if (features.has('HOST_TSO6')) gsoTypes |= 1 << GSO_TCPV6;
  if (features.has('HOST_UFO')) gsoTypes |= 1 << GSO_UDP;
  if (features.has('HOST_USO')) gsoTypes |= 1 << GSO_UDP_L4;
  return { csum: features.has('CSUM'), ecn: features.has('HOST_ECN'), gsoTypes };
}

/** Rules for frames that the guest receives: GUEST_* features. `offloads` may be narrowed by GUEST_OFFLOADS_SET. */
export function receiveRules(offloads: FeatureSet): HeaderRules {
  let gsoTypes = 0;
  if (offloads.has('GUEST_TSO4')) gsoTypes |= 1 << GSO_TCPV4;
  if (offloads.has('GUEST_TSO6')) gsoTypes |= 1 << GSO_TCPV6;
  if (offloads.has('GUEST_UFO')) gsoTypes |= 1 << GSO_UDP;
  if (offloads.has('GUEST_USO4') && offloads.has('GUEST_USO6')) gsoTypes |= 1 << GSO_UDP_L4;
  return { csum: offloads.has('GUEST_CSUM'), ecn: offloads.has('GUEST_ECN'), gsoTypes };
}

const ETHERNET_BYTES = 14;
/** The longest IP packet behind an Ethernet header with two tags. */
const LONGEST_FRAME = 65_535 + 22;
const KNOWN_GSO = (1 << GSO_TCPV4) | (1 << GSO_UDP) | (1 << GSO_TCPV6) | (1 << GSO_UDP_L4);

/**
 * Checks the header that came with a frame of `frameBytes` (without the header) against the negotiated
 * features and the frame's length (virtio 1.3, 5.1.6.2). Nothing of the frame is read; answers a HEADER_ code.
 */
export function checkHeader(fields: Readonly<HeaderFields>, frameBytes: number, rules: HeaderRules): number {
  if (frameBytes < ETHERNET_BYTES) return HEADER_FRAME_SHORT;
  if (frameBytes > LONGEST_FRAME) return HEADER_FRAME_LONG;
  const needsChecksum = (fields.flags & HDR_F_NEEDS_CSUM) !== 0;
  if (needsChecksum) {
    if (!rules.csum) return HEADER_CSUM_NOT_NEGOTIATED;
    if (fields.csumStart + fields.csumOffset + 2 > frameBytes) return HEADER_CSUM_RANGE;
  }
  if (fields.gsoType === GSO_NONE) return HEADER_OK;
  const type = fields.gsoType & ~GSO_ECN;
  if (type > 31 || ((KNOWN_GSO >>> type) & 1) === 0) return HEADER_GSO_TYPE;
  if (((rules.gsoTypes >>> type) & 1) === 0) return HEADER_GSO_NOT_NEGOTIATED;
  if ((fields.gsoType & GSO_ECN) !== 0) {
    if (type !== GSO_TCPV4 && type !== GSO_TCPV6) return HEADER_GSO_TYPE;
    if (!rules.ecn) return HEADER_ECN_NOT_NEGOTIATED;
  }
  if (!needsChecksum) return HEADER_GSO_WITHOUT_CSUM;
  if (fields.gsoSize === 0) return HEADER_GSO_SIZE;
  return fields.hdrLen > frameBytes ? HEADER_HDR_LEN : HEADER_OK;
}
