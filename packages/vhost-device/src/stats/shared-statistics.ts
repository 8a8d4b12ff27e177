import { COUNTER, QUEUE_COUNTERS, type QueueCounter } from './queue-counters.ts';

const BYTES = Float64Array.BYTES_PER_ELEMENT;

/** Statistics of one queue at one moment. */
export type QueueSnapshot = { readonly device: number; readonly queue: number } & Readonly<
  Record<QueueCounter, number>
>;

/**
 * The counters of all queues of a process. Each queue is written by one worker and read by whoever wants, while the ring
 * goes on; a value is one aligned 64-bit word, so it is never half written.
 */
export class SharedStatistics {
  readonly buffer: SharedArrayBuffer;
  readonly devices: number;
  readonly queues: number;
  readonly #values: Float64Array;

  constructor(devices: number, queues: number, buffer?: SharedArrayBuffer) {
    this.devices = devices;
    this.queues = queues;
    this.buffer = buffer ?? new SharedArrayBuffer(devices * queues * QUEUE_COUNTERS.length * BYTES);
    this.#values = new Float64Array(this.buffer);
  }

  /** The counters of one queue as its worker writes them: index with COUNTER. */
  counters(device: number, queue: number): Float64Array {
    const at = (device * this.queues + queue) * QUEUE_COUNTERS.length;
    return this.#values.subarray(at, at + QUEUE_COUNTERS.length);
  }

  /** Every queue as it is now. */
  snapshot(): QueueSnapshot[] {
    return Array.from({ length: this.devices * this.queues }, (_, at) => {
      const device = Math.floor(at / this.queues);
      const queue = at % this.queues;
      const counters = this.counters(device, queue);
      const values = QUEUE_COUNTERS.map(([name]) => [name, counters[COUNTER[name]]]);
      return { device, queue, ...Object.fromEntries(values) } as QueueSnapshot;
    });
  }
}
