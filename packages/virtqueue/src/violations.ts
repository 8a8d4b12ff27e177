/**
 * Why a queue is broken. A violation is caused by the other side, is final until `reset`, and leaves the process
 * and all other queues alone.
 */
export const VIOLATION_NONE = 0;
/** Device, split: the available index moved by more than the queue size (also when it moved back). */
export const VIOLATION_AVAIL_JUMP = 1;
/** Device, split: the head of a chain is not a descriptor of the table. */
export const VIOLATION_HEAD_RANGE = 2;
/** Device: `next` points outside the descriptor table or the indirect table. */
export const VIOLATION_NEXT_RANGE = 3;
/** Device: a chain has more descriptors than the queue or the indirect table, so it loops. */
export const VIOLATION_CHAIN_LENGTH = 4;
/** Device: a chain describes more than 2^32 bytes. */
export const VIOLATION_CHAIN_BYTES = 5;
/** Device: INDIRECT without VIRTIO_F_INDIRECT_DESC. */
export const VIOLATION_INDIRECT_FEATURE = 6;
/** Device: an indirect table of 0 bytes, of a broken entry, or of more entries than the queue. */
export const VIOLATION_INDIRECT_LENGTH = 7;
/** Device: INDIRECT inside an indirect table. */
export const VIOLATION_INDIRECT_NESTED = 8;
/** Device: INDIRECT together with NEXT (packed: INDIRECT anywhere in a list linked by NEXT). */
export const VIOLATION_INDIRECT_NEXT = 9;
/** Device: the head or buffer id is outstanding already. */
export const VIOLATION_BUFFER_BUSY = 10;
/** Device, packed: a buffer id that is not below the queue size. */
export const VIOLATION_ID_RANGE = 11;
/** Device, packed: a later descriptor of a list is not available although the first one is. */
export const VIOLATION_CHAIN_TORN = 12;
/** Driver: more used buffers than were made available. */
export const VIOLATION_USED_JUMP = 13;
/** Driver: a used id that was never made available or is completed already. */
export const VIOLATION_USED_ID = 14;
/** Driver: more bytes used than the buffer can take. */
export const VIOLATION_USED_LENGTH = 15;

const NAMES = [
  'none',
  'avail_jump',
  'head_range',
  'next_range',
  'chain_length',
  'chain_bytes',
  'indirect_feature',
  'indirect_length',
  'indirect_nested',
  'indirect_next',
  'buffer_busy',
  'id_range',
  'chain_torn',
  'used_jump',
  'used_id',
  'used_length',
];

/** The counter suffix of a violation code, for example `avail_jump`. */
export function violationName(code: number): string {
  return NAMES[code] ?? `violation_${code}`;
}

/**
 * Why a chain cannot be carried out although the ring around it is sound. Codes above 0 are these; a code below 0
 * is the translator's reason. The device drops what the chain stood for and completes it with length 0.
 */
export const CHAIN_OK = 0;
/** A device-readable descriptor comes after a device-writable one (virtio 1.3, 2.7.4.2). */
export const CHAIN_READ_AFTER_WRITE = 1;
/** More segments than the batch can hold. */
export const CHAIN_SEGMENTS = 2;
