/** Preamble with start delimiter, and inter-frame gap: time that every frame takes besides its bytes. */
export const WIRE_OVERHEAD_BYTES = 20;
/** Frame check sequence: counted in `--size`, not present in memory. */
export const FCS_BYTES = 4;
/** Shortest frame on the wire, with FCS; shorter ones are padded, which costs time and never bytes. */
export const MIN_WIRE_FRAME_BYTES = 64;

/** Bytes of the frame on the wire with padding and FCS, for a frame of `length` bytes in memory. */
export function frameBytesWithFcs(length: number): number {
  const bytes = length + FCS_BYTES;
  return bytes < MIN_WIRE_FRAME_BYTES ? MIN_WIRE_FRAME_BYTES : bytes;
}

/** Bytes' worth of wire time of a frame of `length` bytes in memory: padding, FCS, preamble and gap included. */
export function wireBytes(length: number): number {
  return frameBytesWithFcs(length) + WIRE_OVERHEAD_BYTES;
}

/** Frames per second that fill a line of `lineBps` with frames of `size` bytes, FCS included (64: 14.88 Mpps at 10G). */
export function lineRatePps(lineBps: number, size: number): number {
  return lineBps / (wireBytes(size - FCS_BYTES) * 8);
}

/** Gbps of `pps` frames of `size` bytes: frame bits with FCS, without preamble and gap. */
export function frameGbps(pps: number, size: number): number {
  return (pps * size * 8) / 1e9;
}
