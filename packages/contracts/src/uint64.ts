/** First moment that virtual time does not have: 2^53 ps, 2.5 hours. */
const END_OF_TIME_PS = 2n ** 53n;

/** A uint64 of a contract as number of picoseconds (or any count); throws RangeError from 2^53 on and below 0. */
export function toNumber(value: bigint): number {
  if (value < 0n || value >= END_OF_TIME_PS) {
    throw new RangeError(`${value} is outside 0 to 2^53 - 1.`);
  }
  return Number(value);
}

/** A number of picoseconds (or any count) as uint64 of a contract; throws RangeError for what is no such integer. */
export function toUint64(value: number): bigint {
  if (!Number.isSafeInteger(value) || value < 0) {
    throw new RangeError(`${value} is not an integer from 0 to 2^53 - 1.`);
  }
  return BigInt(value);
}
