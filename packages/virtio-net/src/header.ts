import type { FeatureSet } from './feature-set.ts';

/** Bits of `flags` of struct virtio_net_hdr (virtio 1.3, 5.1.6). */
export const HDR_F_NEEDS_CSUM = 1;
export const HDR_F_DATA_VALID = 2;
export const HDR_F_RSC_INFO = 4;

/** Values of `gso_type`; ECN is a bit on top of the TCP ones. */
export const GSO_NONE = 0;
export const GSO_TCPV4 = 1;
export const GSO_UDP = 3;
export const GSO_TCPV6 = 4;
export const GSO_UDP_L4 = 5;
export const GSO_ECN = 0x80;

/** Bytes of the header: legacy, with num_buffers, with the hash report. */
export type HeaderBytes = 10 | 12 | 20;

/** Place of num_buffers in the header (two bytes, little-endian); only there from 12 bytes on. */
export const NUM_BUFFERS_OFFSET = 10;

/** The fields that describe an offload. A frame's metadata object may be passed as it is. */
export interface HeaderFields {
  flags: number;
  gsoType: number;
  hdrLen: number;
  gsoSize: number;
  csumStart: number;
  csumOffset: number;
}

/** Header of a frame without any offload. */
export const NO_OFFLOAD: Readonly<HeaderFields> = Object.freeze({
  flags: 0,
  gsoType: GSO_NONE,
  hdrLen: 0,
  gsoSize: 0,
  csumStart: 0,
  csumOffset: 0,
});

/**
 * Bytes of the header in front of every frame (virtio 1.3, 5.1.6.1): 20 with HASH_REPORT, 12 with VERSION_1,
 * MRG_RXBUF or RING_PACKED, 10 for the rest, which are legacy drivers.
 */
export function headerBytes(features: FeatureSet): HeaderBytes {
  if (features.has('HASH_REPORT')) return 20;
  return features.has('VERSION_1') || features.has('MRG_RXBUF') || features.has('RING_PACKED') ? 12 : 10;
}

/**
 * Smallest receive buffer that a driver may offer (virtio 1.3, 5.1.6.3.1), in bytes with the header: room for
 * a whole frame, or for a whole GSO frame; with MRG_RXBUF no more than the header.
 */
export function minimumReceiveBytes(features: FeatureSet): number {
  const header = headerBytes(features);
  if (features.has('MRG_RXBUF')) return header;
  const gso =
    features.has('GUEST_TSO4') ||
    features.has('GUEST_TSO6') ||
    features.has('GUEST_UFO') ||
    features.has('GUEST_USO4') ||
    features.has('GUEST_USO6');
  return header + (gso ? 65_589 : 1514);
}

/** Writes a header of `bytes` at `at` (any alignment). Hash fields, when there are any, become 0. */
export function writeHeader(
  u8: Uint8Array,
  at: number,
  bytes: HeaderBytes,
  fields: Readonly<HeaderFields>,
  numBuffers: number,
): void {
  u8[at] = fields.flags;
  u8[at + 1] = fields.gsoType;
  u8[at + 2] = fields.hdrLen;
  u8[at + 3] = fields.hdrLen >>> 8;
  u8[at + 4] = fields.gsoSize;
  u8[at + 5] = fields.gsoSize >>> 8;
  u8[at + 6] = fields.csumStart;
  u8[at + 7] = fields.csumStart >>> 8;
  u8[at + 8] = fields.csumOffset;
  u8[at + 9] = fields.csumOffset >>> 8;
  if (bytes === 10) return;
  u8[at + 10] = numBuffers;
  u8[at + 11] = numBuffers >>> 8;
  if (bytes === 20) writeHash(u8, at, 0, 0);
}

/** False for a header that asks for nothing, as most do: it needs neither reading nor checking. */
export function hasOffload(u8: Uint8Array, at: number): boolean {
  return (u8[at] | u8[at + 1]) !== 0;
}

/** Reads the six offload fields of the header at `at` into `fields`. */
export function readHeader(u8: Uint8Array, at: number, fields: HeaderFields): void {
  fields.flags = u8[at];
  fields.gsoType = u8[at + 1];
  fields.hdrLen = u8[at + 2] | (u8[at + 3] << 8);
  fields.gsoSize = u8[at + 4] | (u8[at + 5] << 8);
  fields.csumStart = u8[at + 6] | (u8[at + 7] << 8);
  fields.csumOffset = u8[at + 8] | (u8[at + 9] << 8);
}

/** num_buffers of a header of 12 or 20 bytes. */
export function readNumBuffers(u8: Uint8Array, at: number): number {
  return u8[at + NUM_BUFFERS_OFFSET] | (u8[at + NUM_BUFFERS_OFFSET + 1] << 8);
}

/** Stores num_buffers of a header of 12 or 20 bytes. */
export function writeNumBuffers(u8: Uint8Array, at: number, count: number): void {
  u8[at + NUM_BUFFERS_OFFSET] = count;
  u8[at + NUM_BUFFERS_OFFSET + 1] = count >>> 8;
}

/** Stores hash_value (32 bits) and hash_report (virtio 1.3, 5.1.6.4.4) of a header of 20 bytes. */
export function writeHash(u8: Uint8Array, at: number, hashValue: number, hashReport: number): void {
  u8[at + 12] = hashValue;
  u8[at + 13] = hashValue >>> 8;
  u8[at + 14] = hashValue >>> 16;
  u8[at + 15] = hashValue >>> 24;
  u8[at + 16] = hashReport;
  u8[at + 17] = hashReport >>> 8;
  u8[at + 18] = 0;
  u8[at + 19] = 0;
}

/** hash_value of a header of 20 bytes. */
export function readHashValue(u8: Uint8Array, at: number): number {
  return (u8[at + 12] | (u8[at + 13] << 8) | (u8[at + 14] << 16) | (u8[at + 15] << 24)) >>> 0;
}

/** hash_report of a header of 20 bytes: 0 none, else the number of the hash type's bit plus 1. */
export function readHashReport(u8: Uint8Array, at: number): number {
  return u8[at + 16] | (u8[at + 17] << 8);
}
