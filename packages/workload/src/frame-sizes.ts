import { NAMED_MIXES, parseGenome } from './mixes.ts';

/** Largest frame with FCS that a stream of ordinary frames may have: genome letter j. */
export const MAX_FRAME_SIZE_BYTES = 16000;
/** Smallest frame with FCS on Ethernet. */
export const MIN_FRAME_SIZE_BYTES = 64;

/**
 * Parses `--size`: a number (FCS included: 64 is 60 bytes in memory), the name of a mix, or an RFC 6985 genome.
 * Answers one period of sizes with FCS. Throws a RangeError that says what is possible.
 */
export function parseFrameSizes(text: string): number[] {
  const sizes = sizesOf(text.trim());
  for (const size of sizes) {
    if (size < MIN_FRAME_SIZE_BYTES || size > MAX_FRAME_SIZE_BYTES) {
      throw new RangeError(
        `frame size ${size} is outside ${MIN_FRAME_SIZE_BYTES} to ${MAX_FRAME_SIZE_BYTES} bytes (FCS included)`,
      );
    }
  }
  return sizes;
}

function sizesOf(text: string): number[] {
  if (/^\d+$/.test(text)) return [Number(text)];
  const mix = NAMED_MIXES.find(({ name }) => name === text.toLowerCase());
  if (mix) return [...mix.sizes];
  if (/^IMIX\s*-/i.test(text) || /^[a-jzA-Z]+(,|$)/.test(text)) {
    try {
      return parseGenome(text);
    } catch (error) {
      throw new RangeError(`size "${text}" is not understood: ${(error as Error).message}`);
    }
  }
  const names = NAMED_MIXES.map(({ name }) => name).join(', ');
  throw new RangeError(
    `size "${text}" is not understood: use a number of bytes, ${names} or an RFC 6985 genome`,
  );
}
