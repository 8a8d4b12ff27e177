import type { RingViolation } from '../observe/rules.ts';
import type { OfferLine } from '../record/record-lines.ts';
import type { OfferedBuffer } from './offered-buffer.ts';

/** Says that the device broke a rule. */
export type Say = (violation: RingViolation) => void;

/**
 * A buffer that came back. `length`: null where the device did not say (IN_ORDER). `together`: buffers, with this one, that
 * can be of the same packet.
 */
export type Returned = (buffer: OfferedBuffer, length: number | null, together: number) => void;

/** The driver's half of a ring of one format: offers what the record has, and knows exactly what is outstanding. */
export interface DriverSide {
  /** Buffers of a split ring, descriptors of a packed one; as `progress` lines count them. */
  readonly outstanding: number;
  /** The device broke the ring: nothing more can be told of it. */
  readonly isBroken: boolean;
  /** What the record would call the place of the next buffer. */
  readonly nextPlace: number;
  /** True when the driver may write the buffer: its descriptors are not the device's. */
  isFree(buffer: OfferedBuffer): boolean;
  /** Writes descriptors, not yet visible. */
  put(line: OfferLine, buffer: OfferedBuffer): void;
  /** Makes visible what was put. */
  publish(): void;
  /** Notification words as the record has them; -1: none. */
  words(flags: number, event: number): void;
  /** True when the device wants to be told of what was published since `kicked`. */
  asksForKick(): boolean;
  kicked(): void;
  /** Reads what the device has used since the last call. */
  take(returned: Returned): void;
  /** What is wrong with a base that the device stopped at; null: nothing, or nothing that can be told. */
  baseProblem(num: number): string | null;
}
