/**
 * How one side of a shared memory tells the other that bytes are ready (ADR 0002, publication).
 *
 * A *published word* (ring index or flags, event word, packed descriptor flags, done bit) is stored only
 * through a publisher. All other bytes are written in place before the word that covers them, and nobody
 * reads them before that word is visible. The writer never reads its own published words back: until the
 * other side has seen them they may not be in memory yet.
 */
export interface Publisher {
  /** Names bytes `[offset, offset + length)` of the arena that the next published word covers. */
  cover(offset: number, length: number): void;
  /** Publishes the 16-bit word at arena offset `offset` (2-aligned). */
  u16(offset: number, value: number): void;
  /** Publishes the 32-bit word at arena offset `offset` (4-aligned). */
  u32(offset: number, value: number): void;
}
