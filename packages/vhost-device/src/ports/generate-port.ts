import type { Arena } from '@vhostlab/memory';
import type { FrameSource } from '@vhostlab/workload';
import { BATCH_FRAMES, FrameBatch } from '../frames/frame-batch.ts';
import type { Port } from './port.ts';

/**
 * The first 64 frames of a source again and again, as fast as the guest takes them: what it costs to make a frame is
 * not part of what is measured.
 */
export class GeneratePort implements Port {
  readonly waitNumber = -1;
  readonly drops = {};
  readonly finished = undefined;
  readonly keeps = false;
  readonly #frames: FrameBatch;

  constructor(arena: Arena, source: FrameSource) {
    this.#frames = new FrameBatch(arena, source.maxLength);
    for (let i = 0; i < BATCH_FRAMES && source.next(); i++) {
      this.#frames.length[i] = source.write(arena.u8, this.#frames.offset[i]);
    }
  }

  fromGuest(): void {
    // taken
  }

  toGuest(batch: FrameBatch, max: number): void {
    const frames = this.#frames;
    batch.offset.set(frames.offset);
    batch.length.set(frames.length);
    batch.count = max;
  }

  negotiated(): void {
    // frames without offloads
  }

  dueInNs(): number {
    return 0;
  }

  flush(): void {
    // nothing is kept back
  }

  close(): void {
    // nothing is open
  }
}
