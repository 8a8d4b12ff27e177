import type { Arena, Publisher } from '@vhostlab/memory';
import { NO_U16, NO_U32 } from './no-arrays.ts';

/**
 * Stores every published word at once, sequentially consistent: for memory that both sides share (one arena, or
 * mapped memory with the real clock). Covered bytes are in place already.
 */
export class DirectPublisher implements Publisher {
  readonly #u16: Uint16Array = NO_U16;
  readonly #u32: Uint32Array = NO_U32;

  constructor(arena: Arena) {
    this.#u16 = arena.u16;
    this.#u32 = arena.u32;
  }

  cover(_offset: number, _length: number): void {}

  u16(offset: number, value: number): void {
    Atomics.store(this.#u16, offset >>> 1, value);
  }

  u32(offset: number, value: number): void {
    Atomics.store(this.#u32, offset >>> 2, value);
  }
}
