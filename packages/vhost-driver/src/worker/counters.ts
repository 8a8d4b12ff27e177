/**
 * Counters of every queue in one shared block of numbers: a worker adds once per burst, anybody reads at any time.
 * 64-bit stores do not tear on x86-64.
 */
export const COUNTER_NAMES = [
  /** Frames: received and sound, or given to the device. */
  'packets',
  /** Bytes of these frames, without virtio header and FCS. */
  'bytes',
  'bursts',
  /** Kicks sent, and publications that needed none. */
  'kicks',
  'kicksSuppressed',
  /** Call eventfds found signalled. */
  'interrupts',
  /** Turns in which there was a frame to send and no room in the ring. */
  'full',
  /** Buffers offered again to a new back end. */
  'replayed',
  /** Times that the back end broke the ring. */
  'broken',
  /** Received and dropped: fewer bytes than header and Ethernet header. */
  'dropShort',
  /** Received and dropped: num_buffers was 0 or beyond the ring, or the buffers do not hold a frame. */
  'dropMerge',
  /** Forward: dropped because it cannot be sent (offloads that were not negotiated, too many buffers). */
  'dropForward',
  /** Received while nothing was expected, and dropped. */
  'dropUnwanted',
  /** Frames given to the device whose buffers came back. */
  'completed',
] as const;

export type CounterName = (typeof COUNTER_NAMES)[number];

/** Counters of one queue, by name. */
export type QueueCounters = Record<CounterName, number>;

/** Numbers per queue: whole cache lines, so that no two threads write one. */
const STRIDE = Math.ceil(COUNTER_NAMES.length / 8) * 8;

/** Places of the counters behind a queue's base, as constants for the hot path. */
export const COUNTER = Object.freeze(
  Object.fromEntries(COUNTER_NAMES.map((name, at) => [name, at])),
) as Readonly<Record<CounterName, number>>;

/** Memory for the counters of `queues` queues. */
export function counterMemory(queues: number): SharedArrayBuffer {
  return new SharedArrayBuffer(queues * STRIDE * 8);
}

/** The counters of queue `index` as an array of its own over the shared block. */
export function countersOf(memory: SharedArrayBuffer, index: number): Float64Array {
  return new Float64Array(memory, index * STRIDE * 8, STRIDE);
}

/** A copy of the counters of queue `index`. */
export function readCounters(memory: SharedArrayBuffer, index: number): QueueCounters {
  const counters = countersOf(memory, index);
  return Object.fromEntries(COUNTER_NAMES.map((name, at) => [name, counters[at]])) as QueueCounters;
}
