import { errno, libc } from './libc.ts';
import type { MappedArena } from './mapped-arena.ts';

/** Reads up to `bytes` from a descriptor to `offset` of an arena. Answers the count, 0 at the end, -errno on failure. */
export function readInto(number: number, arena: MappedArena, offset: number, bytes: number): number {
  const got = libc.read(number, arena.address + offset, bytes);
  return got < 0 ? -errno() : got;
}

/** Writes `bytes` at `offset` of an arena to a descriptor. Answers the count, or -errno. */
export function writeFrom(number: number, arena: MappedArena, offset: number, bytes: number): number {
  const put = libc.write(number, arena.address + offset, bytes);
  return put < 0 ? -errno() : put;
}
