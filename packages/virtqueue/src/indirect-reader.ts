import { ACCESS_READ, type Arena } from '@vhostlab/memory';
import type { ChainBatch, Translator } from './chain-batch.ts';
import { VIRTQ_DESC_F_INDIRECT, VIRTQ_DESC_F_NEXT, VIRTQ_DESC_F_WRITE } from './constants.ts';
import {
  VIOLATION_CHAIN_LENGTH,
  VIOLATION_INDIRECT_LENGTH,
  VIOLATION_INDIRECT_NESTED,
  VIOLATION_NEXT_RANGE,
  VIOLATION_NONE,
} from './violations.ts';

const HIGH_WORD = 2 ** 32;

/**
 * Reads indirect tables on the device side: each entry once, into a scratch copy, because guest memory may change
 * under the reader and a table may lie at any address.
 */
export class IndirectReader {
  readonly #arena: Arena;
  readonly #translator: Translator;
  readonly #size: number;
  readonly #entryBytes = new Uint8Array(16);
  readonly #entry = new Uint32Array(this.#entryBytes.buffer);

  constructor(arena: Arena, translator: Translator, size: number) {
    this.#arena = arena;
    this.#translator = translator;
    this.#size = size;
  }

  /**
   * Adds the segments of the table of `bytes` bytes at guest address `table` to the open chain of `batch`. A table
   * without translation leaves its reason in the chain's status. `chained`: split format, where entries are linked
   * by `next`; packed tables are read in sequence and only WRITE counts. Returns a VIOLATION_… or VIOLATION_NONE.
   */
  read(batch: ChainBatch, table: number, bytes: number, chained: boolean): number {
    const entries = bytes >>> 4;
    if (bytes === 0 || (bytes & 15) !== 0 || entries > this.#size) return VIOLATION_INDIRECT_LENGTH;
    const whole = this.#translator.translate(table, bytes, ACCESS_READ);
    let at = 0;
    for (let read = 0; ; read++) {
      if (read === entries) return chained ? VIOLATION_CHAIN_LENGTH : VIOLATION_NONE;
      const reason = this.#load(whole < 0 ? -1 : whole + 16 * at, table + 16 * at);
      if (reason < 0) {
        batch.fail(reason);
        return VIOLATION_NONE;
      }
      const entry = this.#entry;
      const last = entry[3];
      const flags = chained ? last & 0xffff : last >>> 16;
      if (chained && (flags & VIRTQ_DESC_F_INDIRECT) !== 0) return VIOLATION_INDIRECT_NESTED;
      const address = entry[0] + entry[1] * HIGH_WORD;
      batch.segment(address, entry[2], (flags & VIRTQ_DESC_F_WRITE) !== 0);
      if (!chained) {
        at++;
        continue;
      }
      if ((flags & VIRTQ_DESC_F_NEXT) === 0) return VIOLATION_NONE;
      at = last >>> 16;
      if (at >= entries) return VIOLATION_NEXT_RANGE;
    }
  }

  /**
   * Copies one entry to the scratch. `offset`: its place when the table lies in one piece, else below 0 and the
   * bytes are translated one by one, because a region border may divide it. Returns 0 or the translator's reason.
   */
  #load(offset: number, address: number): number {
    const u8 = this.#arena.u8;
    const bytes = this.#entryBytes;
    if (offset >= 0) {
      for (let i = 0; i < 16; i++) bytes[i] = u8[offset + i];
      return 0;
    }
    for (let i = 0; i < 16; i++) {
      const at = this.#translator.translate(address + i, 1, ACCESS_READ);
      if (at < 0) return at;
      bytes[i] = u8[at];
    }
    return 0;
  }
}
