import type { Arena, Publisher } from '@vhostlab/memory';
import { type ChainBatch, PackedDevice, type RingPlace, type Translator } from '@vhostlab/virtqueue';
import { PackedInflight, type UsedPosition } from './packed-inflight.ts';

/**
 * Device side of a packed ring that keeps the region for buffers in flight: every buffer is copied there before it can
 * be overwritten. Buffers are completed in the order in which they were taken. Throws as PackedDevice does.
 */
export class JournaledPacked extends PackedDevice {
  readonly #region: PackedInflight;
  /** Region entry of each buffer id in flight. */
  readonly #entryOf: Uint16Array;
  /** Ids in the order in which they were taken, up to a ring's worth before `#taken`. */
  readonly #order: Uint16Array;
  #taken = 0;
  /** Entries of buffers that were given back untouched, the next one to be taken again last. */
  readonly #returned: Uint16Array;
  #returns = 0;
  /** Entries of buffers that are done and not published, and their descriptors. */
  readonly #done: Uint16Array;
  #doneCount = 0;
  #doneDescriptors = 0;

  /** `part`: arena offset of the queue's part; `used`: where the ring goes on, with nothing in flight. */
  constructor(
    arena: Arena,
    publisher: Publisher,
    translator: Translator,
    place: RingPlace,
    part: number,
    used: UsedPosition,
  ) {
    super(arena, publisher, translator, place);
    this.#region = new PackedInflight(arena, place, part, used);
    this.#entryOf = new Uint16Array(place.size);
    this.#order = new Uint16Array(place.size);
    this.#returned = new Uint16Array(place.size);
    this.#done = new Uint16Array(place.size);
  }

  override pop(batch: ChainBatch, max: number): number {
    const from = this.position & 0x7fff;
    const count = super.pop(batch, max);
    if (count === 0) return 0;
    let slot = from;
    for (let c = 0; c < count; c++) {
      const id = batch.slot[c];
      const slots = this.slotsOf(id);
      // one that was given back stands there already
      const entry = this.#returns > 0 ? this.#returned[--this.#returns] : this.#region.take(slot, slots);
      slot = (slot + slots) % this.size;
      this.#entryOf[id] = entry;
      this.#order[this.#taken++ % this.size] = id;
    }
    return count;
  }

  override unpop(n: number): void {
    super.unpop(n);
    for (let i = 0; i < n; i++) {
      this.#taken--;
      this.#returned[this.#returns++] = this.#entryOf[this.#order[this.#taken % this.size]];
    }
  }

  override pushUsed(slot: number, length: number): void {
    super.pushUsed(slot, length);
    this.#note(slot);
  }

  override pushUsedBurst(slots: Uint16Array, count: number, length: number): void {
    for (let i = 0; i < count; i++) this.pushUsed(slots[i], length);
  }

  #note(slot: number): void {
    if (this.violation !== 0) return;
    const entry = this.#entryOf[slot];
    this.#done[this.#doneCount++] = entry;
    this.#doneDescriptors += this.#region.countOf(entry);
  }

  override publishUsed(): void {
    if (this.violation !== 0) return;
    const region = this.#region;
    if (this.#doneCount > 0) {
      for (let i = 0; i < this.#doneCount; i++) region.free(this.#done[i]);
      region.advance(this.#doneDescriptors);
      super.publishUsed();
      for (let i = 0; i < this.#doneCount; i++) region.clear(this.#done[i]);
      region.commit();
      this.#doneCount = 0;
      this.#doneDescriptors = 0;
    }
    this.#forgetReturned();
  }

  /** Buffers that were given back are the ring's alone again. */
  #forgetReturned(): void {
    if (this.#returns === 0) return;
    for (let i = 0; i < this.#returns; i++) this.#region.free(this.#returned[i]);
    this.#region.commit();
    for (let i = 0; i < this.#returns; i++) this.#region.clear(this.#returned[i]);
    this.#returns = 0;
  }
}
