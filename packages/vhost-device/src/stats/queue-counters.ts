/**
 * Counters of a queue, in the order of the shared array: name and what it counts. Everything that shows statistics is
 * made from this table.
 */
export const QUEUE_COUNTERS = [
  ['frames', 'frames that went through'],
  ['bytes', 'bytes of those frames'],
  ['batch_1', 'bursts of 1 frame'],
  ['batch_2_3', 'bursts of 2 or 3'],
  ['batch_4_7', 'bursts of 4 to 7'],
  ['batch_8_15', 'bursts of 8 to 15'],
  ['batch_16_31', 'bursts of 16 to 31'],
  ['batch_32_63', 'bursts of 32 to 63'],
  ['batch_64', 'bursts of 64'],
  ['polls', 'looks at the ring'],
  ['empty_polls', 'looks that found nothing'],
  ['kicks', 'kicks that came'],
  ['calls', 'calls that were sent'],
  ['calls_suppressed', 'bursts that the driver wanted no call for'],
  ['next_available', 'where the device reads next: available index, or slot of a packed ring'],
  ['next_used', 'where the device writes next: used index, or slot of a packed ring'],
  ['drop_no_buffer', 'frames for which the guest had no buffers'],
  ['drop_too_long', 'frames longer than a buffer, or than the guest may send'],
  ['drop_too_short', 'frames shorter than an Ethernet header, chains without a frame'],
  ['drop_address', 'chains with an address that is not mapped or not permitted'],
  ['drop_chain', 'chains that cannot be carried out: order, length, number of descriptors'],
  ['drop_header', 'frames whose virtio_net_hdr makes no sense'],
  ['drop_offload', 'frames that need an offload which the guest did not negotiate'],
  ['drop_disabled', 'frames of a ring that is not enabled'],
  ['drop_stopped', 'frames for a ring that is not started or not enabled'],
  ['violations', 'times the ring was broken by the driver'],
  [
    'seen',
    'buffers that were in the ring when bursts of the fast path were taken (packed: as far as a burst)',
  ],
  ['fast_bursts', 'bursts of the fast path'],
  ['timed_ns', 'nanoseconds that every 256th look took which found something'],
  ['timed_frames', 'frames of those'],
] as const;

export type QueueCounter = (typeof QUEUE_COUNTERS)[number][0];

/** Place of a counter in a queue's part of the array. */
export const COUNTER: Readonly<Record<QueueCounter, number>> = Object.fromEntries(
  QUEUE_COUNTERS.map(([name], at) => [name, at]),
) as Record<QueueCounter, number>;

/** First batch counter; that of `n` frames is `31 - clz32(n)` behind it. */
export const FIRST_BATCH: number = COUNTER.batch_1;
