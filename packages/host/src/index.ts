export { setAffinity } from './affinity.ts';
export { readBytes, setBlocking, setNonBlocking, writeBytes } from './bytes.ts';
export { type Child, type ChildExit, type ChildOptions, startChild } from './child.ts';
export { monotonicMs, monotonicNs, sleep, wallClockMs, within } from './clock.ts';
export { drainEvent, drainedCount, eventFd, signalEvent } from './event-fd.ts';
export { closeAll, type Descriptor, Fd, openDescriptors } from './fd.ts';
export {
  eventFdId,
  isEventFd,
  isNonBlocking,
  type ProcessDescriptor,
  type ProcessMapping,
  processDescriptor,
  processDescriptors,
  processIds,
  processMappings,
  sharesFile,
} from './fd-status.ts';
export { createFile, readFileBytes } from './file.ts';
export { errnoName, HostError } from './host-error.ts';
export { ioctlBytes, ioctlValue } from './ioctl.ts';
export { attachArena, type MapFileOptions, MappedArena, reserveArena } from './mapped-arena.ts';
export {
  F_SEAL_GROW,
  F_SEAL_SEAL,
  F_SEAL_SHRINK,
  type FdFacts,
  fdFacts,
  type MemfdOptions,
  memfd,
  resize,
} from './memfd.ts';
export {
  openTap,
  setTapOffloads,
  type TapOptions,
  TUN_F_CSUM,
  TUN_F_TSO4,
  TUN_F_TSO6,
} from './network.ts';
export { openPath } from './open-path.ts';
export { openPacketSocket } from './packet-socket.ts';
export { peerProcess } from './peer-process.ts';
export { pidfdGetfd, pidfdOpen } from './pidfd.ts';
export { pipe } from './pipe.ts';
export { EVENT_ERROR, EVENT_HANGUP, EVENT_READABLE, EVENT_WRITABLE, Poller } from './poller.ts';
export { type ProcessFacts, processFacts } from './process-facts.ts';
export { Reactor } from './reactor.ts';
export { Thread } from './thread.ts';
export { type ThreadInbox, threadInbox } from './thread-inbox.ts';
export { readInto, writeFrom } from './transfer.ts';
export { UnixListener } from './unix-listener.ts';
export { MAX_FDS, MAX_TRANSFER_BYTES, type Received, UnixSocket } from './unix-socket.ts';
