import { type Descriptor, Fd } from './fd.ts';
import { checked, libc } from './libc.ts';

const SYS_PIDFD_OPEN = 434;
const SYS_PIDFD_GETFD = 438;

/** A descriptor that stands for a process. Throws a HostError: ESRCH, EPERM. */
export function pidfdOpen(pid: number): Fd {
  return new Fd(
    checked(libc.syscall(SYS_PIDFD_OPEN, pid, 0, 0), 'pidfd_open', `process ${pid}`),
    `pidfd ${pid}`,
  );
}

/** A copy of descriptor `number` of another process. Throws a HostError: EBADF, EPERM (ptrace rights are needed). */
export function pidfdGetfd(process: Descriptor, number: number): Fd {
  const result = libc.syscall(SYS_PIDFD_GETFD, process.number, number, 0);
  return new Fd(
    checked(result, 'pidfd_getfd', `${process.kind} fd ${number}`),
    `${process.kind} fd ${number}`,
  );
}
