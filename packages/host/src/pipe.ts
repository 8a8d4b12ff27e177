import { Fd } from './fd.ts';
import { checked, libc } from './libc.ts';
import { scratch } from './scratch.ts';

const O_CLOEXEC = 0o2000000;
const O_NONBLOCK = 0o4000;
const PAIR = 1904;

/** A pipe: what is written to the second end is read from the first. Neither end blocks. */
export function pipe(): [Fd, Fd] {
  checked(libc.pipe2(scratch.address + PAIR, O_CLOEXEC | O_NONBLOCK), 'pipe2');
  return [new Fd(scratch.i32[PAIR / 4], 'pipe'), new Fd(scratch.i32[PAIR / 4 + 1], 'pipe')];
}
