import {
  F_SEAL_GROW,
  F_SEAL_SEAL,
  F_SEAL_SHRINK,
  type Fd,
  HostError,
  type MappedArena,
  memfd,
  reserveArena,
} from '@vhostlab/host';
import { Arena } from '@vhostlab/memory';
import { FrontendError } from '../errors.ts';

/** One region of guest memory: a file of its own. Sizes and addresses in bytes. */
export interface GuestRegion {
  readonly fd: Fd;
  readonly bytes: number;
  readonly gpa: number;
  /** Virtual address of this process, which vhost-user's messages about rings use. */
  readonly userAddress: number;
  readonly arenaOffset: number;
}

export interface GuestMemoryOptions {
  readonly bytes: number;
  readonly regions: number;
  readonly hugePages: 'none' | '2M' | '1G';
  /** Private memory behind the guest's, for threads of this process. */
  readonly scratchBytes: number;
  readonly warn: (text: string) => void;
}

const PAGE_BYTES = { none: 4096, '2M': 2 ** 21, '1G': 2 ** 30 } as const;
/** Regions begin 4 GiB apart, so that guest addresses and offsets never look alike by chance. */
const GPA_STRIDE = 2 ** 32;

/**
 * Memory of a guest that lives in this process: shared files, sealed against every change of their size, mapped into one
 * arena. Behind them comes private memory for this process alone.
 */
export class GuestMemory {
  readonly regions: readonly GuestRegion[];
  readonly arena: Arena;
  readonly mapped: MappedArena;
  /** Bytes of a page that the regions really got. */
  readonly pageBytes: number;
  readonly #next: number[];
  #scratchNext: number;

  private constructor(mapped: MappedArena, regions: GuestRegion[], pageBytes: number, scratchAt: number) {
    this.mapped = mapped;
    this.arena = new Arena(mapped.buffer);
    this.regions = regions;
    this.pageBytes = pageBytes;
    // nothing lies at the start of a region: an address of 0 is then a mistake
    this.#next = regions.map(({ arenaOffset }) => arenaOffset + 4096);
    this.#scratchNext = scratchAt;
  }

  /** Makes the memory; falls back to smaller pages with a warning. Throws a FrontendError when there is not enough. */
  static create(options: GuestMemoryOptions): GuestMemory {
    const kinds = ['1G', '2M', 'none'] as const;
    for (const kind of kinds.slice(kinds.indexOf(options.hugePages))) {
      const memory = tryCreate(options, PAGE_BYTES[kind]);
      if (memory instanceof GuestMemory) return memory;
      if (kind === 'none')
        throw new FrontendError(`no guest memory of ${options.bytes} bytes: ${memory.message}.`);
      options.warn(
        `no pages of ${kind} for ${options.bytes} bytes of guest memory (${memory.code}), trying smaller ones`,
      );
    }
    throw new Error('unreachable');
  }

  /** For `tryCreate`. */
  static of(mapped: MappedArena, regions: GuestRegion[], pageBytes: number, scratchAt: number): GuestMemory {
    return new GuestMemory(mapped, regions, pageBytes, scratchAt);
  }

  /** Reserves guest memory in one region; answers its arena offset. Throws a FrontendError when the region is full. */
  alloc(bytes: number, align: number, region = 0): number {
    const { arenaOffset, bytes: room } = this.regions[region];
    const at = Math.ceil(this.#next[region] / align) * align;
    if (at + bytes > arenaOffset + room) {
      throw new FrontendError(
        `guest memory is too small: ${bytes} bytes asked for, ${Math.max(0, arenaOffset + room - at)} left in region ${region}; give more memory, or smaller or fewer queues.`,
      );
    }
    this.#next[region] = at + bytes;
    return at;
  }

  /** Reserves private memory, which no back end sees. */
  allocScratch(bytes: number): number {
    const at = this.#scratchNext;
    if (at + bytes > this.mapped.sizeBytes) throw new Error(`${bytes} bytes of scratch memory are not there`);
    this.#scratchNext = Math.ceil((at + bytes) / 4096) * 4096;
    return at;
  }

  /** Guest-physical address of an arena offset inside the guest's memory. */
  gpaOf(offset: number): number {
    const region = this.#regionOf(offset);
    return offset - region.arenaOffset + region.gpa;
  }

  /** Virtual address of this process for the same. */
  userAddressOf(offset: number): number {
    const region = this.#regionOf(offset);
    return offset - region.arenaOffset + region.userAddress;
  }

  /** Closes the files and unmaps everything: no thread may use the arena any more. */
  close(): void {
    for (const { fd } of this.regions) fd.close();
    this.mapped.release();
  }

  #regionOf(offset: number): GuestRegion {
    const region = this.regions.find((r) => offset >= r.arenaOffset && offset < r.arenaOffset + r.bytes);
    if (region === undefined) throw new RangeError(`offset ${offset} is outside the guest's memory`);
    return region;
  }
}

function tryCreate(options: GuestMemoryOptions, pageBytes: number): GuestMemory | HostError {
  const regionBytes = Math.ceil(options.bytes / options.regions / pageBytes) * pageBytes;
  const guestBytes = regionBytes * options.regions;
  const scratchBytes = Math.ceil(options.scratchBytes / 4096) * 4096;
  const mapped = reserveArena(guestBytes + scratchBytes);
  const regions: GuestRegion[] = [];
  try {
    for (let i = 0; i < options.regions; i++) {
      const arenaOffset = i * regionBytes;
      const fd = memfd(`guest${i}`, regionBytes, {
        ...(pageBytes > 4096 ? { hugePageBytes: pageBytes } : {}),
        seals: F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL,
      });
      regions.push({
        fd,
        bytes: regionBytes,
        gpa: i * GPA_STRIDE,
        userAddress: mapped.address + arenaOffset,
        arenaOffset,
      });
      mapped.mapFile(arenaOffset, fd, 0, regionBytes);
    }
    if (scratchBytes > 0) mapped.mapAnonymous(guestBytes, scratchBytes);
    return GuestMemory.of(mapped, regions, pageBytes, guestBytes);
  } catch (error) {
    for (const { fd } of regions) fd.close();
    mapped.release();
    if (error instanceof HostError) return error;
    throw error;
  }
}
