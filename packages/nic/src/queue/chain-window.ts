import type { ReceiveChains } from '@vhostlab/virtio-net';
import type { ChainBatch } from '@vhostlab/virtqueue';

/**
 * Chains that a queue has fetched and not yet used up, oldest at `head`: struct of arrays, so that offload code can
 * work on it. Chains are appended at the end and taken from the front; what is left moves to the front now and then.
 */
export class ChainWindow implements ReceiveChains {
  readonly slot: Uint16Array;
  readonly firstSegment: Int32Array;
  readonly segmentCount: Int32Array;
  readonly readableBytes: Float64Array;
  readonly writableBytes: Float64Array;
  /** CHAIN_OK, CHAIN_…, or the translation's fault below 0. */
  readonly status: Int32Array;
  /** Moment that the owner remembers for a chain: when its bytes have arrived. */
  readonly atPs: Float64Array;
  readonly address: Float64Array;
  readonly length: Uint32Array;
  readonly writable: Uint8Array;
  readonly offset: Float64Array;
  head = 0;
  tail = 0;
  readonly #capacity: number;
  readonly #segmentCapacity: number;
  #segmentTail = 0;

  /** Holds `capacity` chains with `segments` segments in all. */
  constructor(capacity: number, segments: number) {
    // twice the room, so that moving to the front is rare
    const chains = capacity * 2;
    const places = segments * 2;
    this.#capacity = capacity;
    this.#segmentCapacity = segments;
    this.slot = new Uint16Array(chains);
    this.firstSegment = new Int32Array(chains);
    this.segmentCount = new Int32Array(chains);
    this.readableBytes = new Float64Array(chains);
    this.writableBytes = new Float64Array(chains);
    this.status = new Int32Array(chains);
    this.atPs = new Float64Array(chains);
    this.address = new Float64Array(places);
    this.length = new Uint32Array(places);
    this.writable = new Uint8Array(places);
    this.offset = new Float64Array(places);
  }

  get count(): number {
    return this.tail - this.head;
  }

  /** Chains that can be appended for sure when each may have `segments` segments more than the others together. */
  room(segments: number): number {
    const used = this.head === this.tail ? 0 : this.#segmentTail - this.firstSegment[this.head];
    if (used + segments > this.#segmentCapacity) return 0;
    return this.#capacity - this.count;
  }

  /** Appends chain `chain` of a batch and answers its index; `room` was asked before. */
  append(batch: ChainBatch, chain: number): number {
    const segments = batch.segmentCount[chain];
    if (this.tail === this.slot.length || this.#segmentTail + segments > this.offset.length) this.#compact();
    const i = this.tail++;
    const first = this.#segmentTail;
    this.slot[i] = batch.slot[chain];
    this.firstSegment[i] = first;
    this.segmentCount[i] = segments;
    this.readableBytes[i] = batch.readableBytes[chain];
    this.writableBytes[i] = batch.writableBytes[chain];
    this.status[i] = batch.status[chain];
    this.atPs[i] = 0;
    const from = batch.firstSegment[chain];
    for (let s = 0; s < segments; s++) {
      this.address[first + s] = batch.address[from + s];
      this.length[first + s] = batch.length[from + s];
      this.writable[first + s] = batch.writable[from + s];
      this.offset[first + s] = batch.offset[from + s];
    }
    this.#segmentTail = first + segments;
    return i;
  }

  /** Takes the oldest chain away. */
  shift(): void {
    this.head++;
    if (this.head === this.tail) this.clear();
  }

  clear(): void {
    this.head = 0;
    this.tail = 0;
    this.#segmentTail = 0;
  }

  #compact(): void {
    const { head, tail } = this;
    const firstSegment = this.firstSegment[head];
    for (const array of [this.slot, this.firstSegment, this.segmentCount, this.readableBytes]) {
      array.copyWithin(0, head, tail);
    }
    for (const array of [this.writableBytes, this.status, this.atPs]) array.copyWithin(0, head, tail);
    for (const array of [this.address, this.length, this.writable, this.offset]) {
      array.copyWithin(0, firstSegment, this.#segmentTail);
    }
    this.tail -= head;
    this.head = 0;
    this.#segmentTail -= firstSegment;
    for (let i = 0; i < this.tail; i++) this.firstSegment[i] -= firstSegment;
  }
}
