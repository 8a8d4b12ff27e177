import type { LinkEnd } from '@vhostlab/engine';
import { crc32 } from '@vhostlab/packet';
import { FCS_BYTES } from '@vhostlab/workload';

/** Bit of `FrameMeta.flags` on the wire: the frame's last four bytes are its FCS. Frames without it are as they were sent. */
const CARRIES_FCS = 0x80;

/** Writes the FCS of the frame at `offset` behind it, as a sending port does. Answers the length with it. */
export function appendFcs(u8: Uint8Array, offset: number, length: number): number {
  const fcs = crc32(u8, offset, length);
  const at = offset + length;
  u8[at] = fcs & 0xff;
  u8[at + 1] = (fcs >>> 8) & 0xff;
  u8[at + 2] = (fcs >>> 16) & 0xff;
  u8[at + 3] = fcs >>> 24;
  return length + FCS_BYTES;
}

/** Says that a frame carries its FCS, or that it does not. */
export function markFcs(meta: { flags: number }, carries: boolean): void {
  meta.flags = carries ? meta.flags | CARRIES_FCS : meta.flags & ~CARRIES_FCS;
}

/**
 * What a receiving port does with a link's current frame: checks the FCS if it carries one. Answers the length without the
 * FCS, or -1 when the frame is corrupt and must be dropped with the reason `crc`. Clears the mark.
 */
export function checkedLength(u8: Uint8Array, { offset, length, meta }: LinkEnd): number {
  if ((meta.flags & CARRIES_FCS) === 0) return length;
  markFcs(meta, false);
  const bare = length - FCS_BYTES;
  const at = offset + bare;
  const stored = (u8[at] | (u8[at + 1] << 8) | (u8[at + 2] << 16) | (u8[at + 3] << 24)) >>> 0;
  return crc32(u8, offset, bare) === stored ? bare : -1;
}
