import { HostError, monotonicMs, type Reactor, sleep, UnixListener, UnixSocket } from '@vhostlab/host';
import { HostSocket } from '@vhostlab/vhost-user';
import { FrontendError } from '../errors.ts';
import type { FrontendEvent } from '../options.ts';

/** How long a client waits between two attempts. */
const RETRY_MS = 50;

/** Where sockets to back ends come from. */
export interface Link {
  /** The next back end. Throws a FrontendError when it takes longer than `timeoutMs`; undefined: the link was closed. */
  next(timeoutMs: number): Promise<HostSocket | undefined>;
  /** Takes and connects nothing any more. */
  close(): void;
}

/** Listens at `path` (a stale socket file is replaced). Throws a FrontendError when that is not possible. */
export function listenForBackends(
  path: string,
  reactor: Reactor,
  tell: (event: FrontendEvent) => void,
): Link {
  const listener = listenAt(path);
  tell({ kind: 'listening', path });
  let isClosed = false;
  let wake: () => void = () => undefined;
  const unwatch = reactor.watch(listener.fd, () => wake());
  return {
    async next(timeoutMs) {
      let timer: NodeJS.Timeout | undefined;
      let isLate = false;
      if (Number.isFinite(timeoutMs)) {
        timer = setTimeout(() => {
          isLate = true;
          wake();
        }, timeoutMs);
      }
      try {
        for (;;) {
          if (isClosed) return undefined;
          const socket = listener.accept();
          if (socket !== undefined) return new HostSocket(socket, reactor);
          if (isLate)
            throw new FrontendError(`no back end connected to ${path} within ${timeoutMs / 1000} s.`, 1);
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
        }
      } finally {
        clearTimeout(timer);
      }
    },
    close() {
      if (isClosed) return;
      isClosed = true;
      unwatch();
      listener.close();
      wake();
    },
  };
}

function listenAt(path: string): UnixListener {
  try {
    return UnixListener.listen(path);
  } catch (error) {
    if (!(error instanceof HostError)) throw error;
    throw new FrontendError(`cannot listen at ${path}: ${error.message}; choose another --socket-path.`);
  }
}

/** Connects to `path`, again and again until somebody listens there. */
export function connectToBackends(path: string, reactor: Reactor): Link {
  let isClosed = false;
  return {
    async next(timeoutMs) {
      const deadline = monotonicMs() + timeoutMs;
      for (;;) {
        if (isClosed) return undefined;
        const socket = connectTo(path);
        if (socket instanceof UnixSocket) return new HostSocket(socket, reactor);
        if (monotonicMs() > deadline) {
          throw new FrontendError(
            `no back end at ${path} within ${timeoutMs / 1000} s (${socket.code}): start one there, or listen with --server.`,
          );
        }
        await sleep(RETRY_MS);
      }
    },
    close() {
      isClosed = true;
    },
  };
}

function connectTo(path: string): UnixSocket | HostError {
  try {
    return UnixSocket.connect(path);
  } catch (error) {
    if (error instanceof HostError) return error;
    throw error;
  }
}
