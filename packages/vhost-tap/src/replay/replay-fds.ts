import {
  closeAll,
  drainEvent,
  drainedCount,
  eventFd,
  type Fd,
  pipe,
  signalEvent,
  UnixSocket,
} from '@vhostlab/host';
import type { FdNote } from '../record/record-lines.ts';
import type { ReplayMemory } from './replay-memory.ts';
import type { MessageStep } from './steps.ts';

const EVENTS: Readonly<Record<string, 'kick' | 'call' | 'err'>> = {
  SET_VRING_KICK: 'kick',
  SET_VRING_CALL: 'call',
  SET_VRING_ERR: 'err',
};

/** Descriptors of the front end: new ones of the kinds that the record has. */
export class ReplayFds {
  readonly #memory: ReplayMemory;
  /** Who gets our end of a socket that the back end may send requests through. */
  readonly #takeChannel: (socket: UnixSocket) => void;
  /** By kind and ring. */
  readonly #events = new Map<string, Fd>();
  readonly #others: Fd[] = [];

  constructor(memory: ReplayMemory, takeChannel: (socket: UnixSocket) => void) {
    this.#memory = memory;
    this.#takeChannel = takeChannel;
  }

  /** What to send with a message; they stay this object's. Throws a RecordError or a HostError. */
  of({ message, fds }: MessageStep): Fd[] {
    const { name, payload } = message;
    const kind = EVENTS[name];
    if (kind !== undefined && payload?.kind === 'vring-fd') {
      const key = `${kind}/${payload.index}`;
      this.#events.get(key)?.close();
      this.#events.delete(key);
      if (fds.length === 1 && fds[0]!.kind === 'eventfd') {
        const fd = eventFd();
        this.#events.set(key, fd);
        return [fd];
      }
    }
    if (name === 'SET_BACKEND_REQ_FD' && fds.length === 1) {
      const [ours, theirs] = UnixSocket.pair();
      this.#takeChannel(ours);
      this.#others.push(theirs.fd);
      return [theirs.fd];
    }
    return fds.map((note) => this.#make(note));
  }

  /** Messages with sockets are sent: the back end has its end, and an end of its own closes the channel. */
  sent({ message }: MessageStep): void {
    if (message.name === 'SET_BACKEND_REQ_FD') this.#others.pop()?.close();
  }

  kick(queue: number, times = 1): boolean {
    const fd = this.#events.get(`kick/${queue}`);
    if (fd === undefined) return false;
    for (let i = 0; i < times; i++) signalEvent(fd.number);
    return true;
  }

  /** Calls that came since the last time. */
  calls(queue: number): number {
    const fd = this.#events.get(`call/${queue}`);
    return fd !== undefined && drainEvent(fd.number) ? drainedCount() : 0;
  }

  /** True when the back end has signalled an error of the ring since the last time. */
  hasError(queue: number): boolean {
    const fd = this.#events.get(`err/${queue}`);
    return fd !== undefined && drainEvent(fd.number);
  }

  close(): void {
    closeAll([...this.#events.values(), ...this.#others.splice(0)]);
    this.#events.clear();
  }

  #make(note: FdNote): Fd {
    switch (note.kind) {
      case 'file':
        return this.#memory.file(note);
      case 'socket': {
        const [ours, theirs] = UnixSocket.pair();
        this.#others.push(ours.fd, theirs.fd);
        return theirs.fd;
      }
      case 'pipe': {
        const [reader, writer] = pipe();
        this.#others.push(reader, writer);
        return writer;
      }
      default: {
        const fd = eventFd();
        this.#others.push(fd);
        return fd;
      }
    }
  }
}
