import { Fd, HostError, type Reactor, sleep, UnixListener, UnixSocket } from '@vhostlab/host';
import { HostSocket } from '@vhostlab/vhost-user';

/** Pause between two attempts to reach a front end that does not listen yet. */
const RETRY_MS = 100;

/** Where the connections of one device come from, one after the other. */
export interface ConnectionSource {
  /** For people: the path. */
  readonly name: string;
  /** The next connection; undefined when there will be none any more (closed, or an inherited socket was used up). */
  next(): Promise<HostSocket | undefined>;
  close(): void;
}

/** Listens at `path`. Further front ends wait until the one before has gone. Throws a HostError. */
export function listenAt(path: string, reactor: Reactor): ConnectionSource {
  const listener = UnixListener.listen(path);
  let wake: () => void = () => undefined;
  let isClosed = false;
  const next = async (): Promise<HostSocket | undefined> => {
    while (!isClosed) {
      const socket = listener.accept();
      if (socket !== undefined) return new HostSocket(socket, reactor);
      await new Promise<void>((resolve) => {
        const unwatch = reactor.watch(listener.fd, () => wake());
        wake = () => {
          unwatch();
          resolve();
        };
      });
    }
    return undefined;
  };
  const close = (): void => {
    isClosed = true;
    wake();
    listener.close();
  };
  return { name: path, next, close };
}

/** Connects to a front end that listens at `path`, again and again until one does. */
export function connectTo(path: string, reactor: Reactor): ConnectionSource {
  let isClosed = false;
  const next = async (): Promise<HostSocket | undefined> => {
    while (!isClosed) {
      try {
        return new HostSocket(UnixSocket.connect(path), reactor);
      } catch (error) {
        if (!(error instanceof HostError)) throw error;
        await sleep(RETRY_MS);
      }
    }
    return undefined;
  };
  return {
    name: path,
    next,
    close: () => {
      isClosed = true;
    },
  };
}

/** One connection that this process inherited as descriptor `number`. */
export function inherited(number: number, reactor: Reactor): ConnectionSource {
  let fd: Fd | undefined = new Fd(number, 'inherited socket');
  return {
    name: `descriptor ${number}`,
    next: () => {
      const socket = fd && new HostSocket(new UnixSocket(fd), reactor);
      fd = undefined;
      return Promise.resolve(socket);
    },
    close: () => fd?.close(),
  };
}
