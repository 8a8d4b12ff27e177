import type { FieldSpec } from '@vhostlab/datapath';
import { P_WORDS } from './words.ts';

/** Why a bit of a megaflow's mask is set. */
export interface BitReason {
  readonly word: number;
  readonly bits: number;
  /** One phrase: the table and rule mask, trie or action that needed it. */
  readonly because: string;
}

/** The mask of a megaflow while a packet is translated; optionally remembers why each bit came. */
export class Wildcards {
  readonly bits = new Uint32Array(P_WORDS);
  /** What adds bits from now on; only read when reasons are kept. */
  because: () => string = () => '';
  readonly reasons: BitReason[] | undefined;

  constructor(keepReasons = false) {
    this.reasons = keepReasons ? [] : undefined;
  }

  /** Starts anew. */
  clear(): void {
    this.bits.fill(0);
    if (this.reasons !== undefined) this.reasons.length = 0;
  }

  /** Sets bits of a word. */
  add(word: number, bits: number): void {
    const fresh = (bits & ~this.bits[word]) >>> 0;
    if (fresh === 0) return;
    this.bits[word] |= fresh;
    this.reasons?.push({ word, bits: fresh, because: this.because() });
  }

  /** Sets all bits of a field. */
  addField(field: FieldSpec): void {
    for (const { word, shift, width } of field.parts) {
      this.add(word, (width === 32 ? 0xffffffff : ((1 << width) - 1) << shift) >>> 0);
    }
  }
}
