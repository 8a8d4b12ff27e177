import type { Descriptor } from './fd.ts';
import { checked, libc } from './libc.ts';
import { scratch } from './scratch.ts';

const SOL_SOCKET = 1;
const SO_PEERCRED = 17;
/** Places in the scratch memory: `struct ucred` (pid, uid, gid), and its length. */
const CREDENTIALS = 1856;
const LENGTH = 1872;

/**
 * Process at the other end of a connected Unix socket: the one that connected, or that called listen() on the socket
 * that was connected to. Throws a HostError.
 */
export function peerProcess(socket: Descriptor): number {
  scratch.u32[LENGTH / 4] = 12;
  const credentials = scratch.address + CREDENTIALS;
  const result = libc.getsockopt(
    socket.number,
    SOL_SOCKET,
    SO_PEERCRED,
    credentials,
    scratch.address + LENGTH,
  );
  checked(result, 'getsockopt SO_PEERCRED', socket.kind);
  return scratch.i32[CREDENTIALS / 4];
}
