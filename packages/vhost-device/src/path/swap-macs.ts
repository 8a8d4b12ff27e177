import type { Arena } from '@vhostlab/memory';

const MAC_BYTES = 6;

/** Exchanges source and destination address of the frames at the first `count` of these arena offsets. @hot */
export function swapMacsAt(arena: Arena, offset: Uint32Array, count: number): void {
  const { u32 } = arena;
  for (let i = 0; i < count; i++) {
    const at = offset[i];
    if ((at & 3) !== 0) {
      swapBytes(arena.u8, at);
      continue;
    }
    const w = at >>> 2;
    const first = u32[w];
    const second = u32[w + 1];
    const third = u32[w + 2];
    u32[w] = (second >>> 16) | (third << 16);
    u32[w + 1] = (third >>> 16) | (first << 16);
    u32[w + 2] = (first >>> 16) | (second << 16);
  }
}

function swapBytes(u8: Uint8Array, at: number): void {
  for (let i = 0; i < MAC_BYTES; i++) {
    const byte = u8[at + i];
    u8[at + i] = u8[at + MAC_BYTES + i];
    u8[at + MAC_BYTES + i] = byte;
  }
}
