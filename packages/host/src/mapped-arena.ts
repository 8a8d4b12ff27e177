import type { Descriptor } from './fd.ts';
import { HostError } from './host-error.ts';
import { checked, errno, libc, viewMemory } from './libc.ts';
import {
  MADV_HUGEPAGE,
  MAP_ANONYMOUS,
  MAP_FIXED,
  MAP_NORESERVE,
  MAP_POPULATE,
  MAP_PRIVATE,
  MAP_SHARED,
  PAGE_BYTES,
  PROT_NONE,
  PROT_READ,
  PROT_WRITE,
} from './mmap.ts';

/** Reservations begin at a multiple of this, so that hugetlbfs pages of any size can be mapped into them. */
const ALIGN_BYTES = 2 ** 30;
const RESERVED = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;

export interface MapFileOptions {
  /** Maps it for reading only: a write then ends the process. */
  readOnly?: boolean;
  /** Touches all pages at once, instead of at their first use. */
  populate?: boolean;
}

/**
 * A range of addresses, reserved once and seen through one ArrayBuffer. What is mapped into it appears at
 * `buffer[offset]`; a use of an offset that has nothing mapped ends the process, so callers translate and check first.
 */
export class MappedArena {
  /** Where it begins in this process: what `attachArena` in a worker thread needs. */
  readonly address: number;
  readonly sizeBytes: number;
  readonly buffer: ArrayBuffer;

  constructor(address: number, sizeBytes: number) {
    this.address = address;
    this.sizeBytes = sizeBytes;
    this.buffer = viewMemory(address, sizeBytes);
  }

  /**
   * Maps `bytes` of a file at `offset`. Both, and `fileOffset`, are multiples of the file's page size. Throws a HostError.
   * The mapping outlives the descriptor.
   */
  mapFile(
    offset: number,
    fd: Descriptor,
    fileOffset: number,
    bytes: number,
    options: MapFileOptions = {},
  ): void {
    const protection = options.readOnly === true ? PROT_READ : PROT_READ | PROT_WRITE;
    const flags = MAP_SHARED | MAP_FIXED | (options.populate === true ? MAP_POPULATE : 0);
    this.#map(offset, bytes, protection, flags, fd.number, fileOffset, fd.kind ?? `fd ${fd.number}`);
  }

  /** Maps private zeroed memory at `offset`, in transparent huge pages where the kernel has them. */
  mapAnonymous(offset: number, bytes: number): void {
    this.#map(
      offset,
      bytes,
      PROT_READ | PROT_WRITE,
      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
      -1,
      0,
      'memory',
    );
    libc.madvise(this.address + offset, bytes, MADV_HUGEPAGE);
  }

  /** Takes away what is mapped there; the addresses stay reserved. */
  unmap(offset: number, bytes: number): void {
    this.#map(offset, bytes, PROT_NONE, RESERVED | MAP_FIXED, -1, 0, 'reservation');
  }

  /** Gives all addresses back: no use of `buffer` may follow, in any thread. */
  release(): void {
    libc.munmap(this.address, this.sizeBytes);
  }

  #map(
    offset: number,
    bytes: number,
    protection: number,
    flags: number,
    fd: number,
    fileOffset: number,
    what: string,
  ): void {
    const isInside = offset >= 0 && bytes > 0 && offset + bytes <= this.sizeBytes;
    if (!isInside || offset % PAGE_BYTES !== 0) {
      throw new RangeError(`${bytes} bytes at ${offset} are no pages of an arena of ${this.sizeBytes} bytes`);
    }
    const at = libc.mmap(this.address + offset, bytes, protection, flags, fd, fileOffset);
    if (at === -1) throw new HostError('mmap', errno(), what);
  }
}

/** Reserves addresses for an arena of `bytes` (whole pages): no memory yet. Throws a HostError. */
export function reserveArena(bytes: number): MappedArena {
  const size = Math.ceil(bytes / PAGE_BYTES) * PAGE_BYTES;
  const asked = size + ALIGN_BYTES;
  const at = checked(libc.mmap(0, asked, PROT_NONE, RESERVED, -1, 0), 'mmap', `${asked} bytes`);
  const start = Math.ceil(at / ALIGN_BYTES) * ALIGN_BYTES;
  if (start > at) libc.munmap(at, start - at);
  const end = start + size;
  if (at + asked > end) libc.munmap(end, at + asked - end);
  return new MappedArena(start, size);
}

/** The same arena in another thread of this process. */
export function attachArena(address: number, sizeBytes: number): MappedArena {
  return new MappedArena(address, sizeBytes);
}
