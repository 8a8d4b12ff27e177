import { fstatSync, type Stats, statfsSync } from 'node:fs';
import { type Descriptor, Fd } from './fd.ts';
import { HostError } from './host-error.ts';
import { checked, errno, libc } from './libc.ts';

const MFD_CLOEXEC = 1;
const MFD_ALLOW_SEALING = 2;
const MFD_HUGETLB = 4;
const HUGE_SHIFT = 26;
const F_ADD_SEALS = 1033;
const F_GET_SEALS = 1034;
export const F_SEAL_SEAL = 1;
export const F_SEAL_SHRINK = 2;
export const F_SEAL_GROW = 4;
const HUGETLBFS_MAGIC = 0x958458f6;

export interface MemfdOptions {
  /** 2 MiB or 1 GiB pages of hugetlbfs; the size is rounded up to whole pages. */
  hugePageBytes?: number;
  /** F_SEAL_… that it gets once it has its size. */
  seals?: number;
}

/** Anonymous memory as a file, to be shared by its descriptor. Throws a HostError: ENOMEM when pages are short. */
export function memfd(name: string, bytes: number, options: MemfdOptions = {}): Fd {
  const { hugePageBytes, seals = 0 } = options;
  const huge = hugePageBytes === undefined ? 0 : MFD_HUGETLB | (Math.log2(hugePageBytes) << HUGE_SHIFT);
  const number = libc.memfdCreate(name, (MFD_CLOEXEC | MFD_ALLOW_SEALING | huge) >>> 0);
  const fd = new Fd(checked(number, 'memfd_create', name), `memfd ${name}`);
  try {
    const unit = hugePageBytes ?? 1;
    checked(libc.ftruncate(fd.number, Math.ceil(bytes / unit) * unit), 'ftruncate', fd.kind);
    if (seals !== 0) checked(libc.fcntl(fd.number, F_ADD_SEALS, seals), 'fcntl F_ADD_SEALS', fd.kind);
    return fd;
  } catch (error) {
    fd.close();
    throw error;
  }
}

/** Changes the size of a file. Throws a HostError: EPERM when a seal forbids it. */
export function resize(fd: Descriptor, bytes: number): void {
  checked(libc.ftruncate(fd.number, bytes), 'ftruncate', fd.kind);
}

/** What a descriptor that a peer sent really is. */
export interface FdFacts {
  kind: 'file' | 'socket' | 'pipe' | 'character device' | 'other';
  sizeBytes: number;
  /** Bytes of a page of the file: 4096, or those of hugetlbfs. */
  pageBytes: number;
  /** F_SEAL_… of a memfd; 0 elsewhere. */
  seals: number;
  /** Device and inode: the same for every descriptor of one file. */
  identity: string;
}

/** Asks the kernel about a descriptor. Throws a HostError when it is not open. */
export function fdFacts(fd: Descriptor): FdFacts {
  const stat = statOf(fd);
  const seals = libc.fcntl(fd.number, F_GET_SEALS, 0);
  return {
    kind: stat.isFile()
      ? 'file'
      : stat.isSocket()
        ? 'socket'
        : stat.isFIFO()
          ? 'pipe'
          : stat.isCharacterDevice()
            ? 'character device'
            : 'other',
    sizeBytes: stat.size,
    pageBytes: stat.isFile() ? filePageBytes(fd) : 4096,
    seals: seals < 0 ? 0 : seals,
    identity: `${stat.dev}:${stat.ino}`,
  };
}

function statOf(fd: Descriptor): Stats {
  try {
    return fstatSync(fd.number);
  } catch {
    throw new HostError('fstat', errno(), fd.kind);
  }
}

function filePageBytes(fd: Descriptor): number {
  const { type, bsize } = statfsSync(`/proc/self/fd/${fd.number}`);
  return type === HUGETLBFS_MAGIC ? bsize : 4096;
}
