import { FCS_BYTES, MIN_WIRE_FRAME_BYTES, WIRE_OVERHEAD_BYTES } from '@vhostlab/workload';

/**
 * Bytes' worth of wire time of a frame: padding, FCS, preamble and gap included. `wireLength` is the frame's length on
 * the wire with FCS when the captured bytes are fewer, else 0.
 */
export function wireTimeBytes(length: number, wireLength: number): number {
  const bytes = wireLength > 0 ? wireLength : length + FCS_BYTES;
  return (bytes < MIN_WIRE_FRAME_BYTES ? MIN_WIRE_FRAME_BYTES : bytes) + WIRE_OVERHEAD_BYTES;
}
