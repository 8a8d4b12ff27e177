/** Bits of device_status (virtio 1.3, 2.1). */
export const STATUS_ACKNOWLEDGE = 1;
export const STATUS_DRIVER = 2;
export const STATUS_DRIVER_OK = 4;
export const STATUS_FEATURES_OK = 8;
export const STATUS_NEEDS_RESET = 64;
export const STATUS_FAILED = 128;

/**
 * What a device makes of a status write. Every answer but `accepted` and `reset` leaves the status as it was,
 * except `features-refused`, which takes over the other bits and leaves FEATURES_OK clear.
 */
export type StatusAnswer =
  | 'accepted'
  | 'reset'
  | 'features-refused'
  | 'bit-cleared'
  | 'out-of-order'
  | 'unknown-bit'
  | 'failed';

const DRIVER_BITS =
  STATUS_ACKNOWLEDGE | STATUS_DRIVER | STATUS_DRIVER_OK | STATUS_FEATURES_OK | STATUS_FAILED;

/** The device's side of the status field; refused transitions are answers, never exceptions. */
export class StatusMachine {
  #value = 0;

  get value(): number {
    return this.#value;
  }

  /** DRIVER_OK is set, and neither FAILED nor NEEDS_RESET: buffers may be used. */
  get live(): boolean {
    return (this.#value & (STATUS_DRIVER_OK | STATUS_FAILED | STATUS_NEEDS_RESET)) === STATUS_DRIVER_OK;
  }

  get featuresOk(): boolean {
    return (this.#value & STATUS_FEATURES_OK) !== 0;
  }

  /**
   * A driver wrote `value` (8 bits). `featuresAcceptable` is asked only when FEATURES_OK becomes set. The
   * driver may set several bits at once; NEEDS_RESET belongs to the device and is ignored in the write.
   */
  write(value: number, featuresAcceptable: () => boolean): StatusAnswer {
    const written = value & 0xff;
    if (written === 0) {
      this.#value = 0;
      return 'reset';
    }
    const wanted = written & DRIVER_BITS;
    if ((written & ~(DRIVER_BITS | STATUS_NEEDS_RESET)) !== 0) return 'unknown-bit';
    if ((this.#value & STATUS_FAILED) !== 0) return 'failed';
    if ((this.#value & DRIVER_BITS & ~wanted) !== 0) return 'bit-cleared';
    if (!inOrder(wanted)) return 'out-of-order';
    const ownBits = this.#value & STATUS_NEEDS_RESET;
    if ((wanted & ~this.#value & STATUS_FEATURES_OK) !== 0 && !featuresAcceptable()) {
      this.#value = ownBits | (wanted & ~(STATUS_FEATURES_OK | STATUS_DRIVER_OK));
      return 'features-refused';
    }
    this.#value = ownBits | wanted;
    return 'accepted';
  }

  /**
   * The device met an error that only a reset mends. True when a configuration change notification must be
   * sent (virtio 1.3, 2.1.2: DRIVER_OK was set).
   */
  setNeedsReset(): boolean {
    const changed = (this.#value & STATUS_NEEDS_RESET) === 0;
    this.#value |= STATUS_NEEDS_RESET;
    return changed && (this.#value & STATUS_DRIVER_OK) !== 0;
  }
}

/** Every bit has the bits before it: ACKNOWLEDGE, DRIVER, FEATURES_OK, DRIVER_OK (virtio 1.3, 3.1.1). */
function inOrder(value: number): boolean {
  if ((value & STATUS_DRIVER) !== 0 && (value & STATUS_ACKNOWLEDGE) === 0) return false;
  if ((value & STATUS_FEATURES_OK) !== 0 && (value & STATUS_DRIVER) === 0) return false;
  return (value & STATUS_DRIVER_OK) === 0 || (value & STATUS_FEATURES_OK) !== 0;
}

/** Names of the bits that are set, such as `ACKNOWLEDGE DRIVER`; `reset` for 0. */
export function statusNames(value: number): string {
  if (value === 0) return 'reset';
  const names: string[] = [];
  if ((value & STATUS_ACKNOWLEDGE) !== 0) names.push('ACKNOWLEDGE');
  if ((value & STATUS_DRIVER) !== 0) names.push('DRIVER');
  if ((value & STATUS_FEATURES_OK) !== 0) names.push('FEATURES_OK');
  if ((value & STATUS_DRIVER_OK) !== 0) names.push('DRIVER_OK');
  if ((value & STATUS_NEEDS_RESET) !== 0) names.push('DEVICE_NEEDS_RESET');
  if ((value & STATUS_FAILED) !== 0) names.push('FAILED');
  return names.join(' ');
}
