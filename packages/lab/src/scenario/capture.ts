import { CaptureError, readCapture } from '@vhostlab/packet';
import type { Capture } from './build.ts';
import { UsageError } from './options.ts';

/** Frames beyond this do not fit a receive buffer (virtio-net without GSO). */
const MIN_FRAME_BYTES = 14;

/** Checks a capture to be replayed; throws UsageError, one sentence with the offset of what is wrong. */
export function loadCapture(bytes: Uint8Array, name: string): Capture {
  let frames = 0;
  try {
    const reader = readCapture(bytes);
    while (reader.next()) if (reader.capturedLength >= MIN_FRAME_BYTES) frames++;
  } catch (error) {
    if (!(error instanceof CaptureError)) throw error;
    const before = frames > 0 ? ` (${frames} good frames before it)` : '';
    throw new UsageError(`${name}: ${error.message}${before}`);
  }
  if (frames === 0) throw new UsageError(`${name} holds no frame of at least ${MIN_FRAME_BYTES} bytes`);
  return { bytes, frames };
}
