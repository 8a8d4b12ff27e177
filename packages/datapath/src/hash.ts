import {
  KEY_WORDS_V4,
  W_ETH0,
  W_ETH1,
  W_ETH2,
  W_IP_DST,
  W_IP_META,
  W_IP_SRC,
  W_IP6_DST,
  W_IP6_SRC,
  W_TP,
  W_TYPE_TCI,
} from './key.ts';

/** One round of the word hash of this package; `h` and the result are signed 32-bit. */
export function mix(h: number, word: number): number {
  const x = Math.imul(h ^ word, 0x9e3779b1);
  return x ^ (x >>> 15);
}

/** Last round; the result is signed 32-bit: V8 keeps that unboxed wherever it goes. */
export function finish(h: number): number {
  const x = Math.imul(h ^ (h >>> 13), 0x85ebca6b);
  return x ^ (x >>> 16);
}

/**
 * Hash (signed 32-bit) of the connection of the key at word offset `at`: IP addresses, protocol and ports, or MACs and
 * EtherType without IP. What a NIC without RSS leaves to software; later fragments have no ports.
 */
export function flowHash(words: Uint32Array, at: number): number {
  const type = words[at + W_TYPE_TCI] >>> 16;
  if (type !== 0x0800 && type !== 0x86dd) {
    let h = mix(type, words[at + W_ETH0]);
    h = mix(h, words[at + W_ETH1]);
    return finish(mix(h, words[at + W_ETH2]));
  }
  let h = mix(words[at + W_IP_META] >>> 24, words[at + W_IP_SRC]);
  h = mix(h, words[at + W_IP_DST]);
  h = mix(h, words[at + W_TP]);
  if (type === 0x86dd) {
    for (let i = 0; i < 3; i++) {
      h = mix(h, words[at + W_IP6_SRC + i]);
      h = mix(h, words[at + W_IP6_DST + i]);
    }
  }
  return finish(h);
}

/** True when the keys at `a` of `left` and `b` of `right` are the same in every word. */
export function sameKey(left: Uint32Array, a: number, right: Uint32Array, b: number, words: number): boolean {
  for (let i = 0; i < KEY_WORDS_V4; i++) if (left[a + i] !== right[b + i]) return false;
  if (left[a + W_TYPE_TCI] >>> 16 !== 0x86dd) return true;
  for (let i = KEY_WORDS_V4; i < words; i++) if (left[a + i] !== right[b + i]) return false;
  return true;
}
