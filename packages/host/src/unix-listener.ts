import { chmodSync, lstatSync, unlinkSync } from 'node:fs';
import { Fd } from './fd.ts';
import { HostError } from './host-error.ts';
import { checked, errno, libc } from './libc.ts';
import { unixAddress } from './socket-address.ts';
import { STREAM_FLAGS, UnixSocket } from './unix-socket.ts';

const AF_UNIX = 1;
const EADDRINUSE = 98;
const ACCEPT_FLAGS = STREAM_FLAGS & ~1;

/** A listening stream socket, its file readable and writable by its owner only. */
export class UnixListener {
  readonly fd: Fd;
  readonly path: string;

  private constructor(fd: Fd, path: string) {
    this.fd = fd;
    this.path = path;
  }

  /**
   * Listens at `path`. A socket file that nobody listens on any more is replaced; one that somebody does is EADDRINUSE.
   * Throws a HostError.
   */
  static listen(path: string): UnixListener {
    const fd = new Fd(checked(libc.socket(AF_UNIX, STREAM_FLAGS, 0), 'socket'), `listener ${path}`);
    try {
      if (bind(fd, path) === EADDRINUSE) {
        if (!lstatSync(path).isSocket()) throw new HostError('bind', EADDRINUSE, `${path}: not a socket`);
        if (isServed(path)) throw new HostError('bind', EADDRINUSE, `${path}: somebody listens there`);
        unlinkSync(path);
        const second = bind(fd, path);
        if (second !== 0) throw new HostError('bind', second, path);
      }
      chmodSync(path, 0o600);
      checked(libc.listen(fd.number, 16), 'listen', path);
      return new UnixListener(fd, path);
    } catch (error) {
      fd.close();
      throw error;
    }
  }

  /** The next connection, or undefined when none waits. */
  accept(): UnixSocket | undefined {
    const number = libc.accept(this.fd.number, 0, 0, ACCEPT_FLAGS);
    return number < 0 ? undefined : new UnixSocket(new Fd(number, `connection ${this.path}`));
  }

  /** Stops listening and removes the socket file. */
  close(): void {
    if (!this.fd.isOpen) return;
    this.fd.close();
    try {
      unlinkSync(this.path);
    } catch {
      // somebody else removed it
    }
  }
}

/** 0, EADDRINUSE, or throws. */
function bind(fd: Fd, path: string): number {
  const { address, bytes } = unixAddress(path);
  if (libc.bind(fd.number, address, bytes) === 0) return 0;
  const error = errno();
  if (error !== EADDRINUSE) throw new HostError('bind', error, path);
  return error;
}

function isServed(path: string): boolean {
  try {
    UnixSocket.connect(path).close();
    return true;
  } catch (error) {
    return error instanceof HostError && error.code === 'EAGAIN';
  }
}
