/** What a device wants to do with guest memory. A region's permission is a mask of the same bits. */
export const ACCESS_READ = 1;
export const ACCESS_WRITE = 2;

/** Permission of a region; the numbers are those of `vhost_iotlb_msg.perm`. */
export const PERMISSION_RO = 1;
export const PERMISSION_WO = 2;
export const PERMISSION_RW = 3;

/** No region holds some byte of the range. */
export const FAULT_UNMAPPED = -1;
/** A region holds it, without the permission that the access needs. */
export const FAULT_PERMISSION = -2;
/** The range needs more pieces than the caller has room for. */
export const FAULT_TOO_LONG = -3;
/** The range is not within 0..2^53: it wraps, or its address is no exact number. */
export const FAULT_OVERFLOW = -4;
/** `translate` only: mapped and permitted, but in more than one piece; ask `translateSplit`. */
export const FAULT_SPLIT = -5;
/** `map` only: some byte of the range is mapped already. */
export const FAULT_OVERLAP = -6;

const FAULT_NAMES = ['none', 'unmapped', 'permission', 'too long', 'overflow', 'split', 'overlap'] as const;

/** How many reasons there are; a reason's index in counters is its code negated. */
export const FAULT_COUNT = FAULT_NAMES.length;

/** The name of a negative answer, for counters, drops and traces. Throws on a number that is no reason. */
export function faultName(code: number): string {
  const name = FAULT_NAMES[-code];
  if (name === undefined) throw new RangeError(`${code} is no translation fault`);
  return name;
}
