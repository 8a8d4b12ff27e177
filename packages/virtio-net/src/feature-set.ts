import { FEATURES, type FeatureName, featureByBit, featureByName } from './features.ts';

/** An immutable set of the feature bits 0 to 63, as two unsigned 32-bit words like the registers that carry it. */
export class FeatureSet {
  static readonly EMPTY = new FeatureSet(0, 0);
  /** Bits 0 to 31. */
  readonly low: number;
  /** Bits 32 to 63. */
  readonly high: number;

  constructor(low: number, high: number) {
    this.low = low >>> 0;
    this.high = high >>> 0;
  }

  /** The set of these features. */
  static of(...names: FeatureName[]): FeatureSet {
    return FeatureSet.EMPTY.with(...names);
  }

  /** The same from names of a file or command line; throws a RangeError that names an unknown one. */
  static fromNames(names: Iterable<string>): FeatureSet {
    return FeatureSet.fromBits(Array.from(names, (name) => featureByName(name).bit));
  }

  /** The set of these bits; throws a RangeError outside 0 to 63. */
  static fromBits(bits: Iterable<number>): FeatureSet {
    let low = 0;
    let high = 0;
    for (const bit of bits) {
      if (!Number.isInteger(bit) || bit < 0 || bit > 63) {
        throw new RangeError(`${bit} is not a feature bit: 0 to 63`);
      }
      if (bit < 32) low |= 1 << bit;
      else high |= 1 << (bit - 32);
    }
    return new FeatureSet(low, high);
  }

  /** From the 64-bit number of a message; for set-up only. */
  static fromBigInt(value: bigint): FeatureSet {
    return new FeatureSet(Number(value & 0xffffffffn), Number((value >> 32n) & 0xffffffffn));
  }

  has(name: FeatureName): boolean {
    return this.hasBit(featureByName(name).bit);
  }

  hasBit(bit: number): boolean {
    return (((bit < 32 ? this.low : this.high) >>> (bit & 31)) & 1) === 1;
  }

  with(...names: FeatureName[]): FeatureSet {
    return this.or(FeatureSet.fromNames(names));
  }

  without(...names: FeatureName[]): FeatureSet {
    return this.minus(FeatureSet.fromNames(names));
  }

  and(other: FeatureSet): FeatureSet {
    return new FeatureSet(this.low & other.low, this.high & other.high);
  }

  or(other: FeatureSet): FeatureSet {
    return new FeatureSet(this.low | other.low, this.high | other.high);
  }

  minus(other: FeatureSet): FeatureSet {
    return new FeatureSet(this.low & ~other.low, this.high & ~other.high);
  }

  equals(other: FeatureSet): boolean {
    return this.low === other.low && this.high === other.high;
  }

  get isEmpty(): boolean {
    return this.low === 0 && this.high === 0;
  }

  /** Bits that are set, rising. */
  bits(): number[] {
    const bits: number[] = [];
    for (let bit = 0; bit < 64; bit++) if (this.hasBit(bit)) bits.push(bit);
    return bits;
  }

  /** Names of the known bits that are set, in the order of the bits. */
  names(): FeatureName[] {
    return FEATURES.filter((feature) => this.hasBit(feature.bit)).map((feature) => feature.name);
  }

  /** 32-bit word `select` of device_feature and driver_feature (virtio 1.3, 4.1.4.3); 0 beyond bit 63. */
  word(select: number): number {
    return select === 0 ? this.low : select === 1 ? this.high : 0;
  }

  toBigInt(): bigint {
    return (BigInt(this.high) << 32n) | BigInt(this.low);
  }

  /** 16 hexadecimal digits, as kernels print feature sets. */
  toHex(): string {
    return `0x${this.high.toString(16).padStart(8, '0')}${this.low.toString(16).padStart(8, '0')}`;
  }

  /** Names, and `bit N` for bits without a meaning. */
  toString(): string {
    return this.bits()
      .map((bit) => featureByBit(bit)?.name ?? `bit ${bit}`)
      .join(' ');
  }
}
