import { signalEvent } from '@vhostlab/host';
import type { GuestMemory } from './memory/guest-memory.ts';
import type { QueuePlan } from './worker/plan.ts';

/** One descriptor as a test wants it. Split rings use `next`, packed ones `id`. */
export interface RawDescriptor {
  readonly address: bigint;
  readonly length: number;
  readonly flags: number;
  readonly next?: number;
  readonly id?: number;
}

/**
 * A ring whose every word a test may write, right or wrong: descriptors, indices, event words. Nothing is checked, nothing
 * is remembered; words are stored one by one, sequentially consistent. For rings that nobody drives (workload `raw`).
 */
export class RawRing {
  readonly plan: QueuePlan;
  readonly #memory: GuestMemory;
  readonly #u16: Uint16Array;
  readonly #u32: Uint32Array;
  readonly #kick: () => number;

  /** `kick`: number of the ring's kick eventfd at the time, -1 when there is none. */
  constructor(memory: GuestMemory, plan: QueuePlan, kick: () => number) {
    this.plan = plan;
    this.#memory = memory;
    this.#u16 = memory.arena.u16;
    this.#u32 = memory.arena.u32;
    this.#kick = kick;
  }

  /** Writes descriptor `slot` of the table or of the packed ring, its flags last. */
  descriptor(slot: number, { address, length, flags, next = 0, id = 0 }: RawDescriptor): void {
    this.descriptorAt(this.plan.descOffset + 16 * slot, { address, length, flags, next, id });
  }

  /** Writes a descriptor anywhere in the arena: in an indirect table, for example. */
  descriptorAt(offset: number, { address, length, flags, next = 0, id = 0 }: RawDescriptor): void {
    const w = offset >>> 2;
    Atomics.store(this.#u32, w, Number(BigInt.asUintN(32, address)));
    Atomics.store(this.#u32, w + 1, Number(BigInt.asUintN(32, address >> 32n)));
    Atomics.store(this.#u32, w + 2, length >>> 0);
    const [first, second] = this.plan.format === 'split' ? [flags, next] : [id, flags];
    Atomics.store(this.#u16, (offset + 12) >>> 1, first);
    Atomics.store(this.#u16, (offset + 14) >>> 1, second);
  }

  /** Flags of descriptor `slot` alone. */
  descriptorFlags(slot: number, flags: number): void {
    const at = this.plan.format === 'split' ? 12 : 14;
    Atomics.store(this.#u16, (this.plan.descOffset + 16 * slot + at) >>> 1, flags);
  }

  /** Split: the available ring's entry `slot`. */
  available(slot: number, head: number): void {
    Atomics.store(this.#u16, (this.plan.driverOffset + 4 + 2 * slot) >>> 1, head);
  }

  /** Split: the available ring's index. */
  availableIndex(index: number): void {
    Atomics.store(this.#u16, (this.plan.driverOffset + 2) >>> 1, index);
  }

  /** Split: the available ring's flags. */
  availableFlags(flags: number): void {
    Atomics.store(this.#u16, this.plan.driverOffset >>> 1, flags);
  }

  /** Split: used_event. */
  usedEvent(event: number): void {
    Atomics.store(this.#u16, (this.plan.driverOffset + 4 + 2 * this.plan.size) >>> 1, event);
  }

  /** Packed: the driver's event suppression structure, offset and wrap counter in one word. */
  driverEvent(offWrap: number, flags: number): void {
    Atomics.store(this.#u16, this.plan.driverOffset >>> 1, offWrap);
    Atomics.store(this.#u16, (this.plan.driverOffset + 2) >>> 1, flags);
  }

  /** Writes the device's own words: what only a broken driver does. Split: used index. */
  overwriteUsedIndex(index: number): void {
    Atomics.store(this.#u16, (this.plan.deviceOffset + 2) >>> 1, index);
  }

  /** Split: the used ring's index as it is now. */
  get usedIndex(): number {
    return Atomics.load(this.#u16, (this.plan.deviceOffset + 2) >>> 1);
  }

  /** Split: used entry `slot`. */
  used(slot: number): { id: number; length: number } {
    const w = (this.plan.deviceOffset + 4 + 8 * slot) >>> 2;
    return { id: Atomics.load(this.#u32, w), length: Atomics.load(this.#u32, w + 1) };
  }

  /** Descriptor `slot` as it is now. */
  read(slot: number): RawDescriptor {
    const offset = this.plan.descOffset + 16 * slot;
    const w = offset >>> 2;
    const flagsAt = (offset + 14) >>> 1;
    const second = Atomics.load(this.#u16, flagsAt);
    const first = Atomics.load(this.#u16, flagsAt - 1);
    const address = (BigInt(this.#u32[w + 1]) << 32n) | BigInt(this.#u32[w]);
    const length = this.#u32[w + 2];
    return this.plan.format === 'split'
      ? { address, length, flags: first, next: second }
      : { address, length, flags: second, id: first };
  }

  /** Reserves `bytes` of guest memory for buffers or tables: arena offset and guest address. */
  buffer(bytes: number, align = 16): { offset: number; gpa: bigint } {
    const offset = this.#memory.alloc(bytes, align);
    return { offset, gpa: BigInt(this.#memory.gpaOf(offset)) };
  }

  /** Kicks, whatever the device says. */
  kick(): void {
    const number = this.#kick();
    if (number >= 0) signalEvent(number);
  }
}
