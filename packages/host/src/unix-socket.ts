import { type Descriptor, Fd } from './fd.ts';
import { checked, errno, libc } from './libc.ts';
import { SCRATCH_BYTES, scratch } from './scratch.ts';
import { unixAddress } from './socket-address.ts';

const AF_UNIX = 1;
const SOCK_STREAM = 1;
const SOCK_CLOEXEC = 0o2000000;
const SOCK_NONBLOCK = 0o4000;
export const STREAM_FLAGS = SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK;
const SOL_SOCKET = 1;
const SCM_RIGHTS = 1;
const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;
const MSG_CMSG_CLOEXEC = 0x40000000;
const MSG_CTRUNC = 8;
const EAGAIN = 11;
const EINTR = 4;

/** SCM_MAX_FD of Linux: no message brings more. */
export const MAX_FDS = 253;

// Places in the scratch memory: msghdr (56 bytes), iovec (16), control (16 + 4 * 253), payload.
const HEADER = 2048;
const IOVEC = 2112;
const CONTROL = 2176;
const PAYLOAD = 8192;
/** Most bytes that one call sends or receives. */
export const MAX_TRANSFER_BYTES = SCRATCH_BYTES - PAYLOAD;

const CMSG_HEADER_BYTES = 16;

/** What one `receive` brought. The descriptors are the caller's to close. */
export interface Received {
  bytes: number;
  fds: Fd[];
  /** The kernel had to drop descriptors: more were sent than there was room for. */
  truncated: boolean;
}

/** A connected stream socket that carries descriptors beside bytes (SCM_RIGHTS). It never blocks. */
export class UnixSocket {
  readonly fd: Fd;

  constructor(fd: Fd) {
    this.fd = fd;
  }

  /** Connects to a listening socket. Throws a HostError: ENOENT, ECONNREFUSED. */
  static connect(path: string): UnixSocket {
    const fd = new Fd(checked(libc.socket(AF_UNIX, STREAM_FLAGS, 0), 'socket'), `socket ${path}`);
    try {
      const { address, bytes } = unixAddress(path);
      checked(libc.connect(fd.number, address, bytes), 'connect', path);
      return new UnixSocket(fd);
    } catch (error) {
      fd.close();
      throw error;
    }
  }

  /** Two ends joined to each other. */
  static pair(): [UnixSocket, UnixSocket] {
    checked(libc.socketpair(AF_UNIX, STREAM_FLAGS, 0, scratch.address + HEADER), 'socketpair');
    const at = HEADER / 4;
    return [
      new UnixSocket(new Fd(scratch.i32[at], 'socket pair')),
      new UnixSocket(new Fd(scratch.i32[at + 1], 'socket pair')),
    ];
  }

  /**
   * Sends bytes (at most MAX_TRANSFER_BYTES are taken) and, with the first of them, descriptors, which stay the caller's.
   * Answers how many bytes went out: 'again' when the peer is slow (descriptors have not gone either), 'closed' when it is gone.
   */
  send(bytes: Uint8Array, fds: readonly Descriptor[] = []): number | 'again' | 'closed' {
    const count = Math.min(bytes.length, MAX_TRANSFER_BYTES);
    scratch.u8.set(count === bytes.length ? bytes : bytes.subarray(0, count), PAYLOAD);
    prepare(count, fds.length === 0 ? 0 : CMSG_HEADER_BYTES + 4 * fds.length);
    if (fds.length > 0) {
      scratch.u64[CONTROL / 8] = BigInt(CMSG_HEADER_BYTES + 4 * fds.length);
      scratch.u32[CONTROL / 4 + 2] = SOL_SOCKET;
      scratch.u32[CONTROL / 4 + 3] = SCM_RIGHTS;
      for (let i = 0; i < fds.length; i++) scratch.i32[CONTROL / 4 + 4 + i] = fds[i].number;
    }
    const sent = libc.sendmsg(this.fd.number, scratch.address + HEADER, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent >= 0) return sent;
    const error = errno();
    return error === EAGAIN || error === EINTR ? 'again' : 'closed';
  }

  /**
   * Receives up to `into.length` bytes and up to `maxFds` descriptors. 'again' when nothing is there, 'closed' when the
   * peer has closed or the connection broke.
   */
  receive(into: Uint8Array, maxFds = 8): Received | 'again' | 'closed' {
    const room = Math.min(into.length, MAX_TRANSFER_BYTES);
    const fdRoom = Math.min(maxFds, MAX_FDS);
    prepare(room, CMSG_HEADER_BYTES + 4 * fdRoom);
    const got = libc.recvmsg(this.fd.number, scratch.address + HEADER, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (got < 0) {
      const error = errno();
      return error === EAGAIN || error === EINTR ? 'again' : 'closed';
    }
    const fds = receivedFds();
    const truncated = (scratch.u32[HEADER / 4 + 12] & MSG_CTRUNC) !== 0;
    if (got === 0) {
      for (const fd of fds) fd.close();
      return 'closed';
    }
    into.set(scratch.u8.subarray(PAYLOAD, PAYLOAD + got));
    return { bytes: got, fds, truncated };
  }

  close(): void {
    this.fd.close();
  }
}

/** Fills msghdr and iovec for a payload of `bytes` and a control area of `controlBytes`. */
function prepare(bytes: number, controlBytes: number): void {
  const { u64, address } = scratch;
  const header = HEADER / 8;
  u64.fill(0n, header, header + 7);
  u64[header + 2] = BigInt(address + IOVEC);
  u64[header + 3] = 1n;
  if (controlBytes > 0) {
    u64[header + 4] = BigInt(address + CONTROL);
    u64[header + 5] = BigInt(controlBytes);
  }
  u64[IOVEC / 8] = BigInt(address + PAYLOAD);
  u64[IOVEC / 8 + 1] = BigInt(bytes);
}

/** Takes over the descriptors of the control area that `recvmsg` filled. */
function receivedFds(): Fd[] {
  const fds: Fd[] = [];
  const end = CONTROL + Number(scratch.u64[HEADER / 8 + 5]);
  for (let at = CONTROL; at + CMSG_HEADER_BYTES <= end; ) {
    const length = Number(scratch.u64[at / 8]);
    if (length < CMSG_HEADER_BYTES) break;
    if (scratch.u32[at / 4 + 2] === SOL_SOCKET && scratch.u32[at / 4 + 3] === SCM_RIGHTS) {
      const count = Math.floor((Math.min(length, end - at) - CMSG_HEADER_BYTES) / 4);
      for (let i = 0; i < count; i++) fds.push(new Fd(scratch.i32[at / 4 + 4 + i], 'received'));
    }
    at += Math.ceil(length / 8) * 8;
  }
  return fds;
}
