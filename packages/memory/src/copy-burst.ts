import type { Arena } from './arena.ts';

/** From here on one memmove is faster than a loop over words. */
const MEMMOVE_BYTES = 384;

/**
 * Copies `count` ranges of the arena, which do not overlap: `length[i]` bytes from `from[i]` to `to[i]`. Both ends agree
 * modulo 8, and the copy moves whole aligned words: up to 7 bytes before and behind a destination are overwritten. @hot
 */
export function copyAligned(
  arena: Arena,
  to: Uint32Array,
  from: Uint32Array,
  length: Uint32Array,
  count: number,
): void {
  const { b64, u8 } = arena;
  for (let i = 0; i < count; i++) {
    const source = from[i];
    const bytes = length[i];
    if (bytes > MEMMOVE_BYTES) {
      u8.copyWithin(to[i], source, source + bytes);
      continue;
    }
    let s = (source >>> 3) | 0;
    let d = (to[i] >>> 3) | 0;
    const end = s + (((source & 7) + bytes + 7) >>> 3);
    if (end - s === 8) {
      b64[d] = b64[s];
      b64[d + 1] = b64[s + 1];
      b64[d + 2] = b64[s + 2];
      b64[d + 3] = b64[s + 3];
      b64[d + 4] = b64[s + 4];
      b64[d + 5] = b64[s + 5];
      b64[d + 6] = b64[s + 6];
      b64[d + 7] = b64[s + 7];
      continue;
    }
    for (; s < end; s++, d++) b64[d] = b64[s];
  }
}

/**
 * Copies `count` ranges of the arena, which do not overlap: `length[i]` bytes from `from[i]` to `to[i]`. Up to 7 bytes
 * behind a destination are overwritten, none before it. @hot
 */
export function copyFrames(
  arena: Arena,
  to: Uint32Array,
  from: Uint32Array,
  length: Uint32Array,
  count: number,
): void {
  const { b64, u32, u8 } = arena;
  for (let i = 0; i < count; i++) {
    const source = from[i];
    const place = to[i];
    const bytes = length[i];
    const apart = (source | place) & 7;
    if (bytes > MEMMOVE_BYTES || (apart & 3) !== 0) {
      u8.copyWithin(place, source, source + bytes);
      continue;
    }
    if (apart !== 0) {
      let s = (source >>> 2) | 0;
      let d = (place >>> 2) | 0;
      const end = s + ((bytes + 3) >>> 2);
      for (; s < end; s++, d++) u32[d] = u32[s];
      continue;
    }
    let s = (source >>> 3) | 0;
    let d = (place >>> 3) | 0;
    const end = s + ((bytes + 7) >>> 3);
    if (end - s === 8) {
      b64[d] = b64[s];
      b64[d + 1] = b64[s + 1];
      b64[d + 2] = b64[s + 2];
      b64[d + 3] = b64[s + 3];
      b64[d + 4] = b64[s + 4];
      b64[d + 5] = b64[s + 5];
      b64[d + 6] = b64[s + 6];
      b64[d + 7] = b64[s + 7];
      continue;
    }
    for (; s < end; s++, d++) b64[d] = b64[s];
  }
}
