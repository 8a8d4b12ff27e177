import { closeAll, type Reactor, type UnixSocket } from '@vhostlab/host';
import { type CloseReason, Connection, type Frame, HostSocket } from '@vhostlab/vhost-user';

/** Who is told of what goes through a back end's request channel. */
export interface ChannelWatcher {
  /** A request of the back end; its descriptors are passed on afterwards. */
  asked(frame: Frame): void;
  /** An answer of the front end. */
  told(frame: Frame): void;
}

/** The socket of SET_BACKEND_REQ_FD, in two halves with the tap between them. */
export class BackendChannel {
  readonly #backend: Connection;
  readonly #frontend: Connection;

  /** `backend`: our end of the pair that the back end got; `frontend`: the socket that the front end gave. */
  constructor(reactor: Reactor, backend: UnixSocket, frontend: UnixSocket, watcher: ChannelWatcher) {
    this.#backend = new Connection(new HostSocket(backend, reactor), {
      frame: (frame) => {
        watcher.asked(frame);
        this.#frontend.send(frame.bytes, frame.fds);
        closeAll(frame.fds);
      },
      closed: (reason) => this.#closed(reason),
    });
    this.#frontend = new Connection(new HostSocket(frontend, reactor), {
      frame: (frame) => {
        watcher.told(frame);
        this.#backend.send(frame.bytes, frame.fds);
        closeAll(frame.fds);
      },
      closed: (reason) => this.#closed(reason),
    });
  }

  close(): void {
    this.#closed({ why: 'local', text: 'the tap closes it' });
  }

  #closed(reason: CloseReason): void {
    this.#backend.close(reason);
    this.#frontend.close(reason);
  }
}
