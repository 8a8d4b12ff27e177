/**
 * Seeded generator of pseudo-random numbers: xoshiro128** (Blackman and Vigna), its state filled by splitmix32
 * from the seed. 32-bit integer arithmetic only, so the same seed gives the same sequence on every machine.
 */
export class Prng {
  #a: number;
  #b: number;
  #c: number;
  #d: number;

  /** `seed`: the low 32 bits count. */
  constructor(seed: number) {
    let state = seed | 0;
    const splitmix = () => {
      state = (state + 0x9e3779b9) | 0;
      let z = state ^ (state >>> 16);
      z = Math.imul(z, 0x21f0aaad);
      z ^= z >>> 15;
      z = Math.imul(z, 0x735a2d97);
      return z ^ (z >>> 15);
    };
    this.#a = splitmix();
    this.#b = splitmix();
    this.#c = splitmix();
    this.#d = splitmix();
  }

  /** 32 random bits as a signed number, which V8 keeps without an allocation. */
  nextInt32(): number {
    const times5 = Math.imul(this.#b, 5);
    const result = Math.imul((times5 << 7) | (times5 >>> 25), 9);
    const t = this.#b << 9;
    this.#c ^= this.#a;
    this.#d ^= this.#b;
    this.#b ^= this.#c;
    this.#a ^= this.#d;
    this.#c ^= t;
    this.#d = (this.#d << 11) | (this.#d >>> 21);
    return result;
  }

  /** A whole number in [0, bound), `bound` up to 2^31; the bias is below bound / 2^32. */
  nextBelow(bound: number): number {
    return Math.floor(((this.nextInt32() >>> 0) / 4294967296) * bound);
  }
}
