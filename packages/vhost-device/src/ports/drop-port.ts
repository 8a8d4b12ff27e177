import type { FrameBatch } from '../frames/frame-batch.ts';
import type { Port } from './port.ts';

/** Takes every frame and has none: a sink. */
export class DropPort implements Port {
  readonly waitNumber = -1;
  readonly drops = {};
  readonly finished = undefined;
  readonly keeps = false;

  fromGuest(): void {
    // taken
  }

  toGuest(batch: FrameBatch): void {
    batch.count = 0;
  }

  negotiated(): void {
    // nothing depends on it
  }

  dueInNs(): number {
    return Number.POSITIVE_INFINITY;
  }

  flush(): void {
    // nothing is kept back
  }

  close(): void {
    // nothing is open
  }
}
