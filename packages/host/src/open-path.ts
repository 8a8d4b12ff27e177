import { constants } from 'node:fs';
import { Fd } from './fd.ts';
import { checked, libc } from './libc.ts';

const O_CLOEXEC = 0o2000000;

/** Opens a path (a file, a device, `/proc/PID/fd/N`). Throws a HostError that names it. */
export function openPath(path: string, access: 'read' | 'read-write', nonBlocking = false): Fd {
  const flags =
    (access === 'read' ? constants.O_RDONLY : constants.O_RDWR) |
    (nonBlocking ? constants.O_NONBLOCK : 0) |
    O_CLOEXEC;
  return new Fd(checked(libc.open(path, flags, 0), 'open', path), path);
}
