import { constants } from 'node:os';

const names = new Map(Object.entries(constants.errno).map(([name, number]) => [number, name]));

/** A system call that failed: which one, on what, and the errno with its name (`ENOENT`). */
export class HostError extends Error {
  override readonly name = 'HostError';
  readonly call: string;
  readonly errno: number;
  /** Name of the errno, as in `errno.h`. */
  readonly code: string;

  constructor(call: string, errno: number, what = '') {
    const code = errnoName(errno);
    super(`${call}${what === '' ? '' : ` ${what}`}: ${code}`);
    this.call = call;
    this.errno = errno;
    this.code = code;
  }
}

/** `ENOENT` for 2; the number itself when it has no name here. */
export function errnoName(errno: number): string {
  return names.get(errno) ?? String(errno);
}
