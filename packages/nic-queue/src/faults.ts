/** The tail register names no descriptor of the ring. */
export const NIC_FAULT_TAIL = -1;
/** A packet has more descriptors than the device takes, or more than the ring holds. */
export const NIC_FAULT_TOO_LONG = -2;
/** A data descriptor of length 0. */
export const NIC_FAULT_EMPTY = -3;
/** A context descriptor that no packet follows at once. */
export const NIC_FAULT_CONTEXT = -4;

const NAMES = ['none', 'tail out of range', 'packet too long', 'empty descriptor', 'stray context'] as const;

/** The name of a fault, for counters and reports. Throws on a number that is no fault. */
export function nicFaultName(code: number): string {
  const name = NAMES[-code];
  if (name === undefined) throw new RangeError(`${code} is no NIC ring fault`);
  return name;
}
