import { type Descriptor, fdFacts, HostError, type MappedArena, reserveArena } from '@vhostlab/host';
import { AddressSpace, Arena, PERMISSION_RW } from '@vhostlab/memory';
import { OffsetAllocator } from '@vhostlab/vhost-device';
import type { MemRegion } from '@vhostlab/vhost-user';
import type { FlowRuleCode } from '../flow/rules.ts';

/** Offsets in an arena have 32 bits. */
const ARENA_BYTES = 2 ** 32;
const LIMIT = 2n ** 53n;
const PAGE_BYTES = 4096;

/** Why a region is not watched: a rule that the front end broke, or only that there is no room for it here. */
export interface RegionProblem {
  readonly code: FlowRuleCode | null;
  readonly text: string;
}

interface Watched {
  readonly region: MemRegion;
  readonly arenaOffset: number;
  /** Whole pages of the file. */
  readonly placeOffset: number;
  readonly placeBytes: number;
}

/**
 * Guest memory as its front end shares it, mapped for reading only unless it is the front end's own. A region whose file is shorter than it says is not
 * mapped, because a look at it would end the process; a file that is truncated later still does.
 */
export class WatchedMemory {
  readonly arena: Arena;
  readonly #mapped: MappedArena;
  readonly #offsets: OffsetAllocator;
  readonly #readOnly: boolean;
  #regions: Watched[] = [];
  #space: AddressSpace;

  /** `access`: `write` for a front end that plays the guest itself. */
  constructor(access: 'read' | 'write' = 'read') {
    this.#readOnly = access === 'read';
    this.#mapped = reserveArena(ARENA_BYTES);
    this.arena = new Arena(this.#mapped.buffer);
    // offset 0 is nobody's
    this.#offsets = new OffsetAllocator(PAGE_BYTES, ARENA_BYTES);
    this.#space = new AddressSpace(this.arena);
  }

  /** Guest-physical addresses; a new object after every change. */
  get space(): AddressSpace {
    return this.#space;
  }

  get regions(): readonly MemRegion[] {
    return this.#regions.map(({ region }) => region);
  }

  /** Adds a region; the descriptor stays the caller's. */
  add(region: MemRegion, fd: Descriptor): RegionProblem | null {
    const problem = this.#problemOf(region);
    if (problem !== null) return problem;
    const placed = this.#map(region, fd);
    if ('text' in placed) return placed;
    this.#regions.push(placed);
    this.#rebuild();
    return null;
  }

  /** Takes away the region with this guest address and size. */
  remove(region: MemRegion): RegionProblem | null {
    const at = this.#regions.findIndex(
      (each) =>
        each.region.guestPhysAddr === region.guestPhysAddr && each.region.memorySize === region.memorySize,
    );
    if (at < 0) {
      const text = `no region of ${region.memorySize} bytes at guest address 0x${region.guestPhysAddr.toString(16)}`;
      return { code: 'region-unknown', text };
    }
    const [removed] = this.#regions.splice(at, 1);
    this.#rebuild();
    this.#unmap(removed!);
    return null;
  }

  clear(): void {
    const before = this.#regions;
    this.#regions = [];
    this.#rebuild();
    for (const watched of before) this.#unmap(watched);
  }

  /** Arena offset of `bytes` at a front-end virtual address; -1 unless one region holds them all. */
  ofUser(address: bigint, bytes: number): number {
    for (const { region, arenaOffset } of this.#regions) {
      const at = address - region.userspaceAddr;
      if (at >= 0n && at + BigInt(bytes) <= region.memorySize) return arenaOffset + Number(at);
    }
    return -1;
  }

  /** Guest address of an offset; 0 when nothing is mapped there. */
  gpaOf(offset: number): number {
    for (const { region, arenaOffset } of this.#regions) {
      const at = offset - arenaOffset;
      if (at >= 0 && at < Number(region.memorySize)) return Number(region.guestPhysAddr) + at;
    }
    return 0;
  }

  /** Gives everything back; no look at `arena` may follow. */
  release(): void {
    this.#regions = [];
    this.#mapped.release();
  }

  #problemOf(region: MemRegion): RegionProblem | null {
    const { guestPhysAddr: gpa, memorySize: bytes, userspaceAddr: user, mmapOffset } = region;
    const name = `the region of ${bytes} bytes at guest address 0x${gpa.toString(16)}`;
    if (bytes === 0n || gpa + bytes > LIMIT || user + bytes > 2n ** 64n || mmapOffset + bytes > LIMIT) {
      return { code: 'region-size', text: `${name} is empty or wraps around` };
    }
    for (const { region: other } of this.#regions) {
      if (gpa < other.guestPhysAddr + other.memorySize && other.guestPhysAddr < gpa + bytes) {
        const text = `${name} overlaps the one at 0x${other.guestPhysAddr.toString(16)}`;
        return { code: 'region-overlap', text };
      }
    }
    return null;
  }

  #map(region: MemRegion, fd: Descriptor): Watched | RegionProblem {
    const facts = factsOf(fd);
    const fileOffset = Number(region.mmapOffset);
    const bytes = Number(region.memorySize);
    const name = `the region at guest address 0x${region.guestPhysAddr.toString(16)}`;
    if (facts === null || facts.kind !== 'file') {
      return {
        code: 'region-file',
        text: `${name} came with a ${facts?.kind ?? 'closed descriptor'}, not a file`,
      };
    }
    const { pageBytes, sizeBytes } = facts;
    if (fileOffset % PAGE_BYTES !== 0 || fileOffset + bytes > sizeBytes) {
      const text = `${name}, ${bytes} bytes at ${fileOffset} of its file, which has ${sizeBytes}`;
      return { code: 'region-file', text };
    }
    const start = Math.floor(fileOffset / pageBytes) * pageBytes;
    const placeBytes = Math.ceil((fileOffset + bytes) / pageBytes) * pageBytes - start;
    const placeOffset = this.#offsets.alloc(placeBytes, pageBytes);
    if (placeOffset < 0)
      return { code: null, text: `${name} has ${bytes} bytes, and more than 4 GiB are not watched` };
    try {
      this.#mapped.mapFile(placeOffset, fd, start, placeBytes, { readOnly: this.#readOnly });
    } catch (error) {
      this.#offsets.free(placeOffset, placeBytes);
      if (!(error instanceof HostError)) throw error;
      return { code: null, text: `${name} cannot be mapped: ${error.message}` };
    }
    return { region, arenaOffset: placeOffset + fileOffset - start, placeOffset, placeBytes };
  }

  #unmap({ placeOffset, placeBytes }: Watched): void {
    this.#mapped.unmap(placeOffset, placeBytes);
    this.#offsets.free(placeOffset, placeBytes);
  }

  #rebuild(): void {
    this.#space = new AddressSpace(this.arena);
    for (const { region, arenaOffset } of this.#regions) {
      this.#space.map(Number(region.guestPhysAddr), Number(region.memorySize), arenaOffset, PERMISSION_RW);
    }
  }
}

function factsOf(fd: Descriptor): ReturnType<typeof fdFacts> | null {
  try {
    return fdFacts(fd);
  } catch {
    return null;
  }
}
