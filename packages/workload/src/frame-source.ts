/**
 * Traffic as a component sees it: a cursor over frames. `next` moves to the next frame and sets the fields,
 * `write` puts its bytes into memory; neither allocates. A source belongs to one core.
 */
export interface FrameSource {
  /** Moves to the next frame; false when there are no more. */
  next(): boolean;
  /** Writes the current frame's bytes at `offset` and answers their number (`length`). Bounds are the caller's. */
  write(u8: Uint8Array, offset: number): number;

  /** Frames of the whole stream, all shards together. */
  readonly packets: number;
  /** Bytes of the longest frame: what a buffer for any of them must hold. */
  readonly maxLength: number;
  /** Number of the current frame in the whole stream, from 0; -1 before the first. */
  readonly packet: number;
  /** Bytes in memory: no FCS, no padding. */
  readonly length: number;
  /** Flow of the current frame, from 0. */
  readonly flow: number;
  /** Departure in picoseconds from the start of the stream, and from the departure before it in this source. */
  readonly atPs: number;
  readonly gapPs: number;
  /** How the frame wants to be segmented and checksummed; all 0 for ordinary frames. */
  readonly offload: FrameOffload;
}

/** Offload fields of the virtio-net header (virtio 1.3, 5.1.6) that belong to a frame. */
export interface FrameOffload {
  /** VIRTIO_NET_HDR_F_NEEDS_CSUM is 1. */
  flags: number;
  /** VIRTIO_NET_HDR_GSO_NONE is 0, _TCPV4 1, _TCPV6 4. */
  gsoType: number;
  hdrLen: number;
  gsoSize: number;
  csumStart: number;
  csumOffset: number;
}

/** What an ordinary frame has. */
export function noOffload(): FrameOffload {
  return { flags: 0, gsoType: 0, hdrLen: 0, gsoSize: 0, csumStart: 0, csumOffset: 0 };
}
