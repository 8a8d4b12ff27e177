import type { Descriptor } from './fd.ts';
import { checked, errno, libc } from './libc.ts';
import { SCRATCH_BYTES, scratch } from './scratch.ts';

const AT = 8192;
const ROOM = SCRATCH_BYTES - AT;
const EAGAIN = 11;
const EINTR = 4;
const F_GETFL = 3;
const F_SETFL = 4;
const O_NONBLOCK = 0o4000;

/** Reads what is there: how many bytes, 'again' when nothing is yet, 'closed' at the end or when it broke. */
export function readBytes(fd: Descriptor, into: Uint8Array): number | 'again' | 'closed' {
  const got = libc.read(fd.number, scratch.address + AT, Math.min(into.length, ROOM));
  if (got === 0) return 'closed';
  if (got < 0) return isRetry() ? 'again' : 'closed';
  into.set(scratch.u8.subarray(AT, AT + got));
  return got;
}

/** Writes what there is room for: how many bytes, 'again' when none, 'closed' when nobody reads any more. */
export function writeBytes(fd: Descriptor, bytes: Uint8Array): number | 'again' | 'closed' {
  const count = Math.min(bytes.length, ROOM);
  scratch.u8.set(bytes.subarray(0, count), AT);
  const put = libc.write(fd.number, scratch.address + AT, count);
  if (put >= 0) return put;
  return isRetry() ? 'again' : 'closed';
}

/** Makes reads and writes of a descriptor, and of all that share its file, answer 'again' instead of waiting. */
export function setNonBlocking(fd: Descriptor): void {
  changeFlags(fd, O_NONBLOCK, 0);
}

/** Makes them wait again: what a careless or hostile peer may hand over. */
export function setBlocking(fd: Descriptor): void {
  changeFlags(fd, 0, O_NONBLOCK);
}

function changeFlags(fd: Descriptor, set: number, clear: number): void {
  const flags = checked(libc.fcntl(fd.number, F_GETFL, 0), 'fcntl F_GETFL', fd.kind);
  checked(libc.fcntl(fd.number, F_SETFL, (flags & ~clear) | set), 'fcntl F_SETFL', fd.kind);
}

function isRetry(): boolean {
  const error = errno();
  return error === EAGAIN || error === EINTR;
}
