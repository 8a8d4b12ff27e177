import { createArena } from '@vhostlab/memory';
import type { HotCases } from '@vhostlab/memory/test-kit';
import { copyBetween, FrameRing, RECORD_HEADER_BYTES } from '../../src/link/frame-ring.ts';

const BURST = 32;
const FRAME_BYTES = 1514;

/** One burst of 32 frames per call, through the ring between a guest's thread and a link's. */
export const hotCases: HotCases = {
  ring: () => {
    const arena = createArena(1 << 20);
    const [from, to] = [arena.alloc(4096), arena.alloc(4096)];
    const writer = new FrameRing(1 << 18);
    const reader = new FrameRing(1 << 18, writer.buffer);
    return (call) => {
      const length = call & 1 ? 60 : FRAME_BYTES;
      for (let i = 0; i < BURST; i++) writer.put(arena, from + (i & 4), length, call);
      writer.publish();
      reader.look();
      for (let at = reader.next(); at >= 0; at = reader.next()) {
        copyBetween(arena, to, reader.arena, at + RECORD_HEADER_BYTES, length);
        reader.pass(length);
      }
      reader.release();
    };
  },
};
