import { type Descriptor, fdFacts, isEventFd } from '@vhostlab/host';
import type { Fd } from '@vhostlab/vhost-user';
import type { FdNote } from '../record/record-lines.ts';

/** What descriptors are, for the record. */
export function noteFds(fds: readonly Fd[]): FdNote[] {
  return fds.map(noteOf);
}

function noteOf(fd: Descriptor): FdNote {
  if (isEventFd(fd)) return { kind: 'eventfd' };
  try {
    const { kind, sizeBytes, pageBytes } = fdFacts(fd);
    return kind === 'file' ? { kind, bytes: sizeBytes, pageBytes } : { kind };
  } catch {
    return { kind: 'other' };
  }
}
