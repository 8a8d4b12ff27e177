import { Fd } from './fd.ts';
import { checked, errno, libc } from './libc.ts';
import { scratch } from './scratch.ts';

const EFD_CLOEXEC = 0o2000000;
const EFD_NONBLOCK = 0o4000;
const EAGAIN = 11;
/** Words of the scratch memory that nothing else uses: one to write, one to read into. */
const ONE = 1;
const READ = 2;
scratch.u64[ONE] = 1n;
const oneAddress = scratch.address + 8 * ONE;
const readAddress = scratch.address + 8 * READ;

/** A new eventfd, not blocking, at `initial`. */
export function eventFd(initial = 0): Fd {
  return new Fd(checked(libc.eventfd(initial, EFD_CLOEXEC | EFD_NONBLOCK), 'eventfd'), 'eventfd');
}

/**
 * Signals an eventfd (or writes 8 bytes to whatever a peer sent instead). True when it was written or is full already,
 * which wakes its reader as well; false when nobody can be woken through it.
 */
export function signalEvent(number: number): boolean {
  if (libc.write(number, oneAddress, 8) === 8) return true;
  return errno() === EAGAIN;
}

/** Reads an eventfd; true when it had been signalled. Never blocks on a descriptor that is not blocking. */
export function drainEvent(number: number): boolean {
  return libc.read(number, readAddress, 8) > 0;
}

/** The count of the last `drainEvent` that answered true: how many signals it took together. */
export function drainedCount(): number {
  return scratch.u32[2 * READ];
}
