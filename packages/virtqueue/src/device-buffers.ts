import type { ChainBatch } from './chain-batch.ts';
import { NO_F64, NO_U8, NO_U16 } from './no-arrays.ts';

/**
 * What a device remembers of the buffers it has taken, by slot (head descriptor or buffer id), in its own memory:
 * ring words can be changed by the driver at any time and are never read back.
 */
export class DeviceBuffers {
  /** Ring descriptors that the buffer takes; 0: the slot is not in flight. */
  readonly descriptors: Uint16Array = NO_U16;
  /** Slots in the order of popping; the queue keeps the index. */
  readonly order: Uint16Array = NO_U16;
  /** In order only: bytes that the device may write, whether it is done, and how many it has written. */
  readonly writable: Float64Array = NO_F64;
  readonly completed: Uint8Array = NO_U8;
  readonly written: Float64Array = NO_F64;

  constructor(size: number, inOrder: boolean) {
    this.descriptors = new Uint16Array(size);
    this.order = new Uint16Array(size);
    this.writable = new Float64Array(inOrder ? size : 0);
    this.completed = new Uint8Array(inOrder ? size : 0);
    this.written = new Float64Array(inOrder ? size : 0);
  }

  /** In order: notes what the device may write into the chains of a batch. */
  noteWritable(batch: ChainBatch): void {
    const { slot, writableBytes } = batch;
    for (let i = 0; i < batch.count; i++) this.writable[slot[i]] = writableBytes[i];
  }

  /** In order: marks `slot` as done. */
  complete(slot: number, written: number): void {
    this.completed[slot] = 1;
    this.written[slot] = written;
  }

  /** In order: true when the device has said that not all of the buffer's writable bytes were written. */
  isPartial(slot: number): boolean {
    return this.written[slot] !== this.writable[slot];
  }

  /** The slot leaves. */
  remove(slot: number): void {
    this.descriptors[slot] = 0;
    if (this.completed.length > 0) this.completed[slot] = 0;
  }

  clear(): void {
    this.descriptors.fill(0);
    this.completed.fill(0);
  }
}

/** Throws: a device completed or gave back a buffer that it does not have. */
export function failNotInFlight(slot: number): never {
  throw new Error(`the buffer in slot ${slot} is not in flight`);
}

/** Counters of a queue that has done nothing. */
export function zeroCounters() {
  return { chains: 0, chainFaults: 0, used: 0, usedEntries: 0, usedPublications: 0, violations: 0 };
}
