import { InvalidArgumentError } from 'commander';

const SCALES: Readonly<Record<string, number>> = { '': 1, K: 2 ** 10, M: 2 ** 20, G: 2 ** 30 };

/** A whole number of a command line. */
export function wholeNumber(value: string): number {
  if (!/^\d+$/.test(value)) throw new InvalidArgumentError('a whole number is needed');
  return Number(value);
}

/** Whole numbers between commas. */
export function wholeNumbers(value: string): number[] {
  return value.split(',').map(wholeNumber);
}

/** A number of seconds, with a fraction or without. */
export function seconds(value: string): number {
  if (!/^\d+(\.\d+)?$/.test(value)) throw new InvalidArgumentError('a number of seconds is needed');
  return Number(value);
}

/** Bytes with K, M or G for their binary multiples: `256M`. */
export function byteCount(value: string): number {
  const found = /^(\d+)([KMG]?)$/i.exec(value);
  if (found === null) throw new InvalidArgumentError('a number of bytes is needed, such as 256M');
  return Number(found[1]) * SCALES[found[2].toUpperCase()];
}

/** A 64-bit mask, decimal or with 0x. */
export function mask64(value: string): bigint {
  if (!/^(0x[0-9a-f]+|\d+)$/i.test(value))
    throw new InvalidArgumentError('a mask is needed, such as 0x110008000');
  const mask = BigInt(value);
  if (mask >= 2n ** 64n) throw new InvalidArgumentError('a mask has 64 bits');
  return mask;
}
