import type { NumberedEvent } from '@vhostlab/workload';
import { wireTimeBytes } from '../wire-time.ts';

/** Frames in flight on a wire that nothing is done to, with room for its propagation time at 100 Gbit/s. */
const FRAMES = 4096;
const BYTES = 16 * 1024 * 1024;
/** Most frames and bytes that a delayed link holds; those beyond are dropped with the reason `link-queue`. */
const MOST_FRAMES = 65_536;
const MOST_BYTES = 64 * 1024 * 1024;

/** Places and bytes of the wire, each way: what is in flight at line rate during the greatest delay, within bounds. */
export function linkRoom(
  events: readonly NumberedEvent<'link'>[],
  rateGbps: number,
): { capacity: number; bufferBytes: number } {
  const heldPs = Math.max(0, ...events.map(({ delayPs = 0, jitterPs = 0 }) => delayPs + jitterPs));
  const bytes = (heldPs * rateGbps) / 8000;
  const frames = Math.ceil(bytes / wireTimeBytes(0, 0));
  return {
    capacity: Math.min(MOST_FRAMES, FRAMES + frames),
    bufferBytes: Math.min(MOST_BYTES, BYTES + Math.ceil(bytes / 4096) * 4096),
  };
}
