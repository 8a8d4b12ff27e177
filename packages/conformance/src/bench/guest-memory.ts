import { type Fd, type MappedArena, memfd } from '@vhostlab/host';
import type { MemRegion, PayloadOf } from '@vhostlab/vhost-user';

/** A stretch of guest-physical memory. */
export interface Range {
  readonly gpa: number;
  readonly bytes: number;
}

interface Part {
  readonly gpa: number;
  readonly bytes: number;
  readonly uva: bigint;
  readonly arenaOffset: number;
  readonly fd: Fd;
}

/** What memory outside rings and buffers is filled with: a write there changes it. */
export const CANARY = 0xa5;

/**
 * Guest-physical addresses begin here, so that address 0 belongs to nothing. The second region follows the first in
 * guest-physical memory, but is another file at other front-end addresses: a buffer across the border is in two places.
 */
export const LOW_GPA = 0x100000;
export const LOW_BYTES = 0x100000;
export const HIGH_GPA = LOW_GPA + LOW_BYTES;
export const HIGH_BYTES = 0x40000;
/** Guest-physical addresses of no region. */
export const HOLE_GPA = HIGH_GPA + HIGH_BYTES + 0x100000;
const LOW_UVA = 0x7f00_0010_0000n;
const HIGH_UVA = 0x7f00_4000_0000n;

/** Bytes of the arena that one guest takes. */
export const GUEST_BYTES = LOW_BYTES + HIGH_BYTES;

/**
 * The memory of a guest: two files, mapped here and handed to the peer. Ring words are read and written through `u16`
 * and `u32`, with Atomics where both sides use them.
 */
export class GuestMemory {
  readonly u8: Uint8Array;
  readonly u16: Uint16Array;
  readonly u32: Uint32Array;
  readonly b64: BigUint64Array;
  readonly #arena: MappedArena;
  readonly #parts: readonly Part[];
  #before: BigUint64Array[] = [];

  /** Makes it at `offset` of the arena, filled with the canary. */
  constructor(arena: MappedArena, offset: number) {
    this.#arena = arena;
    this.#parts = [
      makePart(arena, offset, LOW_GPA, LOW_BYTES, LOW_UVA),
      makePart(arena, offset + LOW_BYTES, HIGH_GPA, HIGH_BYTES, HIGH_UVA),
    ];
    this.u8 = new Uint8Array(arena.buffer);
    this.u16 = new Uint16Array(arena.buffer);
    this.u32 = new Uint32Array(arena.buffer);
    this.b64 = new BigUint64Array(arena.buffer);
    this.u8.fill(CANARY, offset, offset + GUEST_BYTES);
  }

  /** Descriptors of the files, in the order of the regions. */
  get fds(): Fd[] {
    return this.#parts.map(({ fd }) => fd);
  }

  get regions(): MemRegion[] {
    return this.#parts.map(({ gpa, bytes, uva }) => ({
      guestPhysAddr: BigInt(gpa),
      memorySize: BigInt(bytes),
      userspaceAddr: uva,
      mmapOffset: 0n,
    }));
  }

  /** The payload of SET_MEM_TABLE. */
  get table(): PayloadOf<'mem-table'> {
    return { kind: 'mem-table', regions: this.regions };
  }

  /** Offset in the arena of an address that is in a region. */
  offset(gpa: number): number {
    const part = this.#partOf(gpa);
    return part.arenaOffset + (gpa - part.gpa);
  }

  /** The front end's virtual address of a guest-physical one. */
  uva(gpa: number): bigint {
    const part = this.#partOf(gpa);
    return part.uva + BigInt(gpa - part.gpa);
  }

  /** Fills a stretch with zeros. */
  clear(gpa: number, bytes: number): void {
    const at = this.offset(gpa);
    this.u8.fill(0, at, at + bytes);
  }

  write(gpa: number, bytes: Uint8Array): void {
    this.u8.set(bytes, this.offset(gpa));
  }

  /** Writes one descriptor of 16 bytes, of either format: `third` is flags and next, or id and flags. */
  descriptor(gpa: number, address: number | bigint, length: number, third: number): void {
    const at = this.offset(gpa);
    this.b64[at / 8] = BigInt.asUintN(64, BigInt(address));
    this.u32[at / 4 + 2] = length;
    Atomics.store(this.u32, at / 4 + 3, third >>> 0);
  }

  /** Remembers all bytes, to compare with later. */
  remember(): void {
    this.#before = this.#parts.map(
      ({ arenaOffset, bytes }) => new BigUint64Array(this.u8.slice(arenaOffset, arenaOffset + bytes).buffer),
    );
  }

  /** The first stretch that changed since `remember` outside of what may change; null when there is none. */
  changeOutside(allowed: readonly Range[]): Range | null {
    for (const [i, before] of this.#before.entries()) {
      const { gpa, bytes, arenaOffset } = this.#parts[i];
      const image = new Uint8Array(before.buffer);
      // a copy: the device may go on writing
      const now = this.u8.slice(arenaOffset, arenaOffset + bytes);
      for (const range of allowed) {
        const from = Math.max(range.gpa - gpa, 0);
        const to = Math.min(range.gpa + range.bytes - gpa, bytes);
        if (from < to) image.set(now.subarray(from, to), from);
      }
      const first = firstDifference(before, new BigUint64Array(now.buffer));
      if (first < 0) continue;
      let from = first * 8;
      while (image[from] === now[from]) from++;
      let to = from + 1;
      while (to < bytes && image[to] !== now[to]) to++;
      return { gpa: gpa + from, bytes: to - from };
    }
    return null;
  }

  /** Takes the mappings away: nothing here may touch the memory any more, whose files stay. */
  unmap(): void {
    for (const { arenaOffset, bytes } of this.#parts) this.#arena.unmap(arenaOffset, bytes);
  }

  /** Closes the files and takes their mappings away. */
  dispose(): void {
    this.unmap();
    for (const { fd } of this.#parts) fd.close();
  }

  #partOf(gpa: number): Part {
    const part = this.#parts.find((one) => gpa >= one.gpa && gpa < one.gpa + one.bytes);
    if (part === undefined) throw new RangeError(`guest memory has nothing at ${gpa}`);
    return part;
  }
}

function makePart(arena: MappedArena, arenaOffset: number, gpa: number, bytes: number, uva: bigint): Part {
  const fd = memfd('conformance guest', bytes);
  arena.mapFile(arenaOffset, fd, 0, bytes);
  return { gpa, bytes, uva, arenaOffset, fd };
}

function firstDifference(before: BigUint64Array, now: BigUint64Array): number {
  for (let i = 0; i < before.length; i++) if (before[i] !== now[i]) return i;
  return -1;
}
