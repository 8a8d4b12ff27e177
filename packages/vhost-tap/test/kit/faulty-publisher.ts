import type { Arena } from '@vhostlab/memory';
import type { RingAreas } from '@vhostlab/vhost-user';
import { DirectPublisher, type RingFormat } from '@vhostlab/virtqueue';

/** What a mutant does wrong with every fourth buffer that it uses. */
export type RingFault =
  /** It claims to have written into a transmit buffer. */
  | 'length'
  /** It gives back an id that the queue does not have. */
  | 'range'
  /** It gives the buffer before back once more. */
  | 'twice'
  /** It publishes the used index before the entry. */
  | 'early';

const EVERY = 4;
const LATE_MS = 5;
const WRONG_LENGTH = 1000;

/** Publishes used buffers one at a time, some of them wrong. */
export class FaultyPublisher extends DirectPublisher {
  readonly #arena: Arena;
  readonly #fault: RingFault;
  readonly #format: RingFormat;
  readonly #areas: RingAreas;
  readonly #size: number;
  #count = 0;
  #lastId = -1;

  constructor(arena: Arena, fault: RingFault, format: RingFormat, areas: RingAreas, size: number) {
    super(arena);
    this.#arena = arena;
    this.#fault = fault;
    this.#format = format;
    this.#areas = areas;
    this.#size = size;
  }

  override u16(offset: number, value: number): void {
    if (this.#format === 'split') this.#split(offset, value);
    else this.#packed(offset, value);
  }

  #split(offset: number, value: number): void {
    const { u32 } = this.#arena;
    if (offset !== this.#areas.device + 2) {
      super.u16(offset, value);
      return;
    }
    const w = (this.#areas.device >>> 2) + 1 + 2 * ((value - 1) & (this.#size - 1));
    const id = u32[w]!;
    const isFaulty = ++this.#count % EVERY === 0;
    if (isFaulty && this.#fault === 'early') {
      const length = u32[w + 1]!;
      u32[w] = this.#lastId;
      super.u16(offset, value);
      setTimeout(() => u32.set([id, length], w), LATE_MS);
    } else {
      if (isFaulty && this.#fault === 'length') u32[w + 1] = WRONG_LENGTH;
      if (isFaulty && this.#fault === 'range') u32[w] = this.#size + 7;
      if (isFaulty && this.#fault === 'twice') u32[w] = this.#lastId;
      super.u16(offset, value);
    }
    this.#lastId = id;
  }

  #packed(offset: number, value: number): void {
    const { u16, u32 } = this.#arena;
    const at = offset - 14;
    const { descriptor } = this.#areas;
    if (at < descriptor || at >= descriptor + 16 * this.#size) {
      super.u16(offset, value);
      return;
    }
    const id = u16[(at + 12) >>> 1]!;
    if (++this.#count % EVERY === 0) {
      if (this.#fault === 'length') u32[(at + 8) >>> 2] = WRONG_LENGTH;
      if (this.#fault === 'range') u16[(at + 12) >>> 1] = this.#size + 7;
      if (this.#fault === 'twice' || this.#fault === 'early') u16[(at + 12) >>> 1] = this.#lastId;
    }
    super.u16(offset, value);
    this.#lastId = id;
  }
}
