import { type Descriptor, eventFdId, fdFacts, isEventFd } from '@vhostlab/host';
import type { Fd } from '@vhostlab/vhost-user';
import type { FdNote } from '../record/record-lines.ts';

/** What descriptors are, for the record. */
export function noteFds(fds: readonly Fd[]): FdNote[] {
  return fds.map(noteOf);
}

function noteOf(fd: Descriptor): FdNote {
  if (isEventFd(fd)) {
    const id = eventFdId(fd);
    return { kind: 'eventfd', ...(id === undefined ? {} : { id }) };
  }
  try {
    const { kind, sizeBytes, pageBytes, identity } = fdFacts(fd);
    if (kind !== 'file') return { kind };
    return { kind, bytes: sizeBytes, pageBytes, inode: Number(identity.split(':')[1]) };
  } catch {
    return { kind: 'other' };
  }
}
