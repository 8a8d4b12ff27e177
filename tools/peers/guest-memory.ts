import { closeSync, fstatSync, openSync, readdirSync, readlinkSync, readSync } from 'node:fs';
import { join } from 'node:path';

/** Bytes of a page, the unit in which migration moves memory. */
const PAGE_BYTES = 4096;
const PIECE_BYTES = 16 * 1024 * 1024;

/** A copy of a machine's memory, as the file has it that QEMU shares with back ends. The machine must be paused. */
export function guestMemory(pid: number): Buffer {
  const folder = `/proc/${pid}/fd`;
  const name = readdirSync(folder).find((entry) =>
    readlinkSync(join(folder, entry)).startsWith('/memfd:memory-backend-memfd'),
  );
  if (name === undefined) throw new Error(`process ${pid} is no QEMU with shared memory`);
  const fd = openSync(join(folder, name), 'r');
  try {
    const memory = Buffer.alloc(fstatSync(fd).size);
    for (let at = 0; at < memory.length; at += PIECE_BYTES) {
      readSync(fd, memory, at, Math.min(PIECE_BYTES, memory.length - at), at);
    }
    return memory;
  } finally {
    closeSync(fd);
  }
}

/** Offsets of the pages in which two memories of one size differ. */
export function differingPages(a: Buffer, b: Buffer): number[] {
  if (a.length !== b.length) throw new Error(`memories of ${a.length} and ${b.length} bytes`);
  const pages: number[] = [];
  for (let at = 0; at < a.length; at += PAGE_BYTES) {
    if (a.compare(b, at, at + PAGE_BYTES, at, at + PAGE_BYTES) !== 0) pages.push(at);
  }
  return pages;
}
