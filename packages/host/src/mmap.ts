import { checked, libc } from './libc.ts';

export const PROT_NONE = 0;
export const PROT_READ = 1;
export const PROT_WRITE = 2;
export const MAP_SHARED = 0x01;
export const MAP_PRIVATE = 0x02;
export const MAP_FIXED = 0x10;
export const MAP_ANONYMOUS = 0x20;
export const MAP_NORESERVE = 0x4000;
export const MAP_POPULATE = 0x8000;
export const MADV_HUGEPAGE = 14;

export const PAGE_BYTES = 4096;

/** Address of new private zeroed memory. Throws a HostError. */
export function mapPrivate(bytes: number): number {
  const flags = MAP_PRIVATE | MAP_ANONYMOUS;
  return checked(libc.mmap(0, bytes, PROT_READ | PROT_WRITE, flags, -1, 0), 'mmap', `${bytes} bytes`);
}
