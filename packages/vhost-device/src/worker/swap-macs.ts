import type { FrameBatch } from '../frames/frame-batch.ts';

const MAC_BYTES = 6;

/** Exchanges source and destination address of every frame. */
export function swapMacs(u8: Uint8Array, batch: FrameBatch): void {
  const { offset } = batch;
  for (let f = 0; f < batch.count; f++) {
    const at = offset[f];
    for (let i = 0; i < MAC_BYTES; i++) {
      const byte = u8[at + i];
      u8[at + i] = u8[at + MAC_BYTES + i];
      u8[at + MAC_BYTES + i] = byte;
    }
  }
}
