const NONE = -1;

/**
 * Prefixes of one 32-bit field of a table's rules, as a binary trie. A lookup tells how many leading bits of a
 * value decide which of the prefixes it has.
 */
export class PrefixTrie {
  readonly #zero: number[] = [NONE];
  readonly #one: number[] = [NONE];
  readonly #count: number[] = [0];
  readonly #below: number[] = [0];
  /** Result of the last lookup: leading bits that must match. */
  bits = 0;
  /** Result of the last lookup: bit n - 1 is set when a prefix of length n matches. */
  lengths = 0;

  /** Adds (`by` 1) or takes away (-1) one rule with the prefix of `length` bits, 1..32. */
  change(value: number, length: number, by: 1 | -1): void {
    let node = 0;
    this.#below[0] += by;
    for (let depth = 0; depth < length; depth++) {
      const side = (value >>> (31 - depth)) & 1 ? this.#one : this.#zero;
      if (side[node] === NONE) side[node] = this.#grow();
      node = side[node];
      this.#below[node] += by;
    }
    this.#count[node] += by;
  }

  /** Sets `bits` and `lengths` for a value. */
  lookup(value: number): void {
    let node = 0;
    let depth = 0;
    let lengths = 0;
    while (depth < 32) {
      const next = (value >>> (31 - depth)) & 1 ? this.#one[node] : this.#zero[node];
      if (next === NONE || this.#below[next] === 0) break;
      node = next;
      depth++;
      if (this.#count[node] > 0) lengths |= 1 << (depth - 1);
    }
    this.lengths = lengths;
    const diverges = depth < 32 && this.#below[node] > this.#count[node];
    this.bits = diverges ? depth + 1 : depth;
  }

  #grow(): number {
    this.#zero.push(NONE);
    this.#one.push(NONE);
    this.#count.push(0);
    return this.#below.push(0) - 1;
  }
}

/** Mask of `length` leading bits, 0..32. */
export function prefixMask(length: number): number {
  return length === 0 ? 0 : (0xffffffff << (32 - length)) >>> 0;
}

/** Length of a mask that is a prefix, 0 when it is none. */
export function prefixLength(mask: number): number {
  const rest = ~mask >>> 0;
  return mask === 0 || (rest & (rest + 1)) !== 0 ? 0 : Math.clz32(rest);
}
