import { ChainBatch } from './chain-batch.ts';
import type { DeviceQueue } from './device-queue.ts';
import type { DriverQueue } from './driver-queue.ts';
import { NO_F64, NO_I32 } from './no-arrays.ts';
import { SegmentList } from './segment-list.ts';
import { UsedBatch } from './used-batch.ts';

/** What stands around a shadow queue. Addresses are the guest's; the device is given the same ones. */
export interface ShadowSides {
  /** Bytes that the guest wrote and the device is to read: to be covered on the device's channel. */
  toDevice(address: number, length: number): void;
  /** Bytes that the device wrote: to be covered on the guest's channel, and dirty from now on. */
  toGuest(address: number, length: number): void;
  /** The buffer in `guestSlot` of the guest's ring is `shadowSlot` on the device's: what goes with it. */
  offered(guestSlot: number, shadowSlot: number): void;
  /** The buffer comes back, before `shadowSlot` is free again. */
  used(guestSlot: number, shadowSlot: number): void;
}

/** Chains of one step at most. */
const BURST = 64;

/**
 * A shadow virtqueue: a guest's split ring on one side, of which this is the device, and a split ring of the VMM's own on
 * the other, of which this is the driver. Every chain is relayed descriptor by descriptor, so whoever migrates the guest
 * sees each page that the device writes. Neither ring may have indirect descriptors or be in order.
 *
 * `relay`, `publish` and `shouldKick` are steps towards the device, `complete`, `publishUsed` and `shouldCall` those
 * towards the guest; the last of each needs a barrier before it.
 */
export class ShadowQueue {
  readonly guest: DeviceQueue;
  readonly shadow: DriverQueue;
  /** Chains that could not be carried out and were given back empty. */
  faults = 0;
  readonly #sides: ShadowSides;
  readonly #chains = new ChainBatch(BURST, BURST * 20);
  readonly #used = new UsedBatch(BURST);
  readonly #segments: SegmentList;
  /** Writable segments of the buffers in flight, one list per shadow slot; `#freeRecord` heads the free ones. */
  readonly #address: Float64Array = NO_F64;
  readonly #length: Float64Array = NO_F64;
  readonly #next: Int32Array = NO_I32;
  readonly #first: Int32Array = NO_I32;
  #freeRecord = 0;
  #relayed = 0;
  #completed = 0;

  constructor(guest: DeviceQueue, shadow: DriverQueue, sides: ShadowSides) {
    const { size } = shadow;
    this.guest = guest;
    this.shadow = shadow;
    this.#sides = sides;
    this.#segments = new SegmentList(size);
    this.#address = new Float64Array(size);
    this.#length = new Float64Array(size);
    this.#next = Int32Array.from({ length: size }, (_, i) => (i + 1 < size ? i + 1 : -1));
    this.#first = new Int32Array(size).fill(-1);
  }

  /** Buffers that the device has. */
  get inFlight(): number {
    return this.shadow.inFlight;
  }

  /** Takes chains from the guest and adds them to the device's ring; answers how many were taken, faulty ones too. */
  relay(max: number): number {
    const { guest, shadow } = this;
    const batch = this.#chains;
    const taken = guest.pop(batch, Math.min(max, BURST));
    for (let c = 0; c < taken; c++) {
      if (batch.status[c] !== 0) {
        this.faults++;
        guest.pushUsed(batch.slot[c], 0);
        this.#completed++;
      } else if (shadow.freeSlots < batch.segmentCount[c]) {
        guest.unpop(taken - c);
        return c;
      } else {
        this.#offer(batch, c);
      }
    }
    return taken;
  }

  #offer(batch: ChainBatch, chain: number): void {
    const segments = this.#segments;
    const sides = this.#sides;
    segments.clear();
    const first = batch.firstSegment[chain];
    let records = -1;
    for (let s = first; s < first + batch.segmentCount[chain]; s++) {
      const isWritable = batch.writable[s] === 1;
      segments.push(batch.address[s], batch.length[s], isWritable);
      if (!isWritable) sides.toDevice(batch.address[s], batch.length[s]);
    }
    for (let s = first + batch.segmentCount[chain] - 1; s >= first && batch.writable[s] === 1; s--) {
      const record = this.#freeRecord;
      this.#freeRecord = this.#next[record];
      this.#address[record] = batch.address[s];
      this.#length[record] = batch.length[s];
      this.#next[record] = records;
      records = record;
    }
    const guestSlot = batch.slot[chain];
    const slot = this.shadow.addChain(segments, guestSlot);
    this.#first[slot] = records;
    sides.offered(guestSlot, slot);
    this.#relayed++;
  }

  /** Makes what was relayed available to the device; false when there was nothing. */
  publish(): boolean {
    if (this.#relayed === 0) return false;
    this.#relayed = 0;
    this.shadow.publish();
    return true;
  }

  /** Takes buffers back from the device and gives them to the guest; answers how many. */
  complete(max: number): number {
    const used = this.#used;
    const count = this.shadow.popUsed(used, Math.min(max, BURST));
    for (let i = 0; i < count; i++) {
      const slot = used.slot[i];
      this.#written(slot, used.length[i]);
      this.#sides.used(used.token[i], slot);
      this.guest.pushUsed(used.token[i], used.length[i]);
    }
    this.#completed += count;
    return count;
  }

  /** Tells which bytes of the buffer in `slot` the device wrote, and forgets its segments. */
  #written(slot: number, bytes: number): void {
    let left = bytes;
    let record = this.#first[slot];
    this.#first[slot] = -1;
    while (record >= 0) {
      const part = Math.min(left, this.#length[record]);
      if (part > 0) this.#sides.toGuest(this.#address[record], part);
      left -= part;
      const next = this.#next[record];
      this.#next[record] = this.#freeRecord;
      this.#freeRecord = record;
      record = next;
    }
  }

  /** Publishes completed buffers to the guest; false when there were none. */
  publishUsed(): boolean {
    if (this.#completed === 0) return false;
    this.#completed = 0;
    this.guest.publishUsed();
    return true;
  }

  /** Buffers that were completed and are not published. */
  get unpublished(): number {
    return this.#completed;
  }
}
