import { type MappedArena, signalEvent } from '@vhostlab/host';
import type { RingBase, RingSetup } from '@vhostlab/vhost-user';
import { VIRTQ_DESC_F_AVAIL, VIRTQ_DESC_F_USED, VIRTQ_DESC_F_WRITE } from '@vhostlab/virtqueue';

/**
 * A ring of the front end under test, as the device sees it and without any rule: reads what the driver offers, and
 * writes used entries, right or wrong.
 */
export class DriverRing {
  readonly setup: RingSetup;
  readonly #isRunning: () => boolean;
  readonly #u8: Uint8Array;
  readonly #u16: Uint16Array;
  readonly #u32: Uint32Array;
  /** Position of the next used entry (split), or of the next used descriptor (packed). */
  #next: number;
  #wrap: boolean;

  /** `isRunning`: false once the ring was stopped, by the front end or by its end, and its memory may be gone. */
  constructor(arena: MappedArena, setup: RingSetup, isRunning: () => boolean) {
    this.setup = setup;
    this.#isRunning = isRunning;
    this.#u8 = new Uint8Array(arena.buffer);
    this.#u16 = new Uint16Array(arena.buffer);
    this.#u32 = new Uint32Array(arena.buffer);
    const { base } = setup;
    this.#next = base.format === 'split' ? base.lastAvail : base.used;
    this.#wrap = base.format === 'split' || base.usedWrap;
  }

  /** Ask again after each wait: nothing else here may be used once this is false. */
  get isRunning(): boolean {
    return this.#isRunning();
  }

  get size(): number {
    return this.setup.size;
  }

  /** The driver's available index (split). */
  get availIdx(): number {
    return Atomics.load(this.#u16, this.setup.areas.driver / 2 + 1);
  }

  /** The used index as it stands in memory; settable to anything. */
  get usedIdx(): number {
    return Atomics.load(this.#u16, this.setup.areas.device / 2 + 1);
  }

  set usedIdx(value: number) {
    Atomics.store(this.#u16, this.setup.areas.device / 2 + 1, value & 0xffff);
  }

  /** Buffers that wait: split, by the indices; packed, 1 when the next descriptor is available. */
  get waiting(): number {
    if (this.setup.format === 'split') return (this.availIdx - this.#next) & 0xffff;
    const flags = this.packedFlags(this.#next);
    const both = VIRTQ_DESC_F_AVAIL | VIRTQ_DESC_F_USED;
    return (flags & both) === (this.#wrap ? VIRTQ_DESC_F_AVAIL : VIRTQ_DESC_F_USED) ? 1 : 0;
  }

  /** Head of the `at`th buffer that waits (split). */
  head(at = 0): number {
    const slot = (this.#next + at) & (this.size - 1);
    return this.#u16[this.setup.areas.driver / 2 + 2 + slot];
  }

  /** Heads that are with the device (split). */
  heads(): Set<number> {
    return new Set(Array.from({ length: Math.min(this.waiting, this.size) }, (_, at) => this.head(at)));
  }

  /** Length and id of the next descriptor (packed). */
  get nextPacked(): { readonly id: number; readonly length: number } {
    const word = this.setup.areas.descriptor / 4 + 4 * this.#next;
    return { id: this.#u32[word + 3] & 0xffff, length: this.#u32[word + 2] };
  }

  /** Writes a used entry and publishes it (split). */
  use(id: number, length: number): void {
    this.write(id, length);
    this.usedIdx = this.#next;
  }

  /** Writes a used entry without publishing it (split). */
  write(id: number, length: number): void {
    const word = this.setup.areas.device / 4 + 1 + 2 * (this.#next & (this.size - 1));
    this.#u32[word] = id;
    this.#u32[word + 1] = length;
    this.#next = (this.#next + 1) & 0xffff;
  }

  /**
   * Publishes the used entries as a careless device does, one byte after the other. `between` lets the driver look. False
   * when the ring was stopped meanwhile.
   */
  async publishTorn(between: () => Promise<void>): Promise<boolean> {
    const at = this.setup.areas.device + 2;
    this.#u8[at] = this.#next & 0xff;
    await between();
    if (!this.isRunning) return false;
    this.#u8[at + 1] = this.#next >>> 8;
    return true;
  }

  /** Writes a used descriptor over the next `slots` and publishes it (packed). */
  usePacked(id: number, length: number, slots = 1, isWritten = true): void {
    const word = this.setup.areas.descriptor / 4 + 4 * this.#next;
    const flags =
      (this.#wrap ? VIRTQ_DESC_F_AVAIL | VIRTQ_DESC_F_USED : 0) | (isWritten ? VIRTQ_DESC_F_WRITE : 0);
    this.#u32[word + 2] = length;
    Atomics.store(this.#u32, word + 3, ((flags << 16) | (id & 0xffff)) >>> 0);
    this.#next += slots;
    if (this.#next < this.size) return;
    this.#next -= this.size;
    this.#wrap = !this.#wrap;
  }

  /** Where GET_VRING_BASE says that the ring stands. */
  base(): RingBase {
    if (this.setup.format === 'split') return { format: 'split', lastAvail: this.#next };
    return {
      format: 'packed',
      avail: this.#next,
      availWrap: this.#wrap,
      used: this.#next,
      usedWrap: this.#wrap,
    };
  }

  /** Interrupts the driver. */
  call(): void {
    const { call } = this.setup;
    if (call !== null) signalEvent(call.number);
  }

  packedFlags(slot: number): number {
    return Atomics.load(this.#u32, this.setup.areas.descriptor / 4 + 4 * slot + 3) >>> 16;
  }
}
