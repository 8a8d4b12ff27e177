import { readlinkSync } from 'node:fs';
import { type Fd as HostFd, reserveArena } from '@vhostlab/host';
import type { Fd } from '@vhostlab/vhost-user';

const PAGE_BYTES = 4096;

/** Whether a descriptor is an eventfd. */
export function isEventFd(fd: Fd): boolean {
  return readlinkSync(`/proc/self/fd/${fd.number}`).includes('eventfd');
}

/** Whether a region in flight of a split queue has version 1, 64 descriptors, and indices that fit them. */
export function isConsistent(fd: Fd): boolean {
  const arena = reserveArena(PAGE_BYTES);
  try {
    arena.mapFile(0, fd as HostFd, 0, PAGE_BYTES);
    const [version, count, batch, usedIdx] = new Uint16Array(arena.buffer, 8, 4);
    arena.unmap(0, PAGE_BYTES);
    return version === 1 && count === 64 && batch < 64 && usedIdx === 0;
  } finally {
    arena.release();
  }
}
