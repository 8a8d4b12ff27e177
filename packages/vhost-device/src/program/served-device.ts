import { Fd, fdFacts, type Reactor, signalEvent, UnixSocket } from '@vhostlab/host';
import {
  type BackendControl,
  BackendSession,
  explainMessage,
  HostSocket,
  type MemoryMapper,
  type SessionCounters,
  type SessionObserver,
} from '@vhostlab/vhost-user';
import type { WorkerNote } from '../control/commands.ts';
import type { RealDevice } from '../control/device.ts';
import type { ConnectionSource } from './socket-server.ts';

/** A device and the front ends that come to its socket, one after the other. */
export class ServedDevice {
  readonly device: RealDevice;
  readonly socket: string;
  /** Front ends that have come so far. */
  connections = 0;
  readonly #source: ConnectionSource;
  readonly #mapper: MemoryMapper;
  readonly #reactor: Reactor;
  readonly #log: (line: string) => void;
  readonly #logsMessages: boolean;
  #session: BackendControl | undefined;
  /** Resolves when there will be no further front end. */
  readonly ended: Promise<void>;

  constructor(
    device: RealDevice,
    source: ConnectionSource,
    mapper: MemoryMapper,
    reactor: Reactor,
    log: (line: string) => void,
    logsMessages: boolean,
  ) {
    this.device = device;
    this.socket = source.name;
    this.#source = source;
    this.#mapper = mapper;
    this.#reactor = reactor;
    this.#log = (line) => log(`${source.name}: ${line}`);
    this.#logsMessages = logsMessages;
    this.ended = this.#serve();
  }

  /** True while a front end is connected. */
  get isConnected(): boolean {
    return this.#session !== undefined;
  }

  /** Messages and refusals of the present connection. */
  counters(): SessionCounters | undefined {
    return this.#session?.counters();
  }

  /** What a worker tells: passed on to the front end. */
  onNote(note: WorkerNote): void {
    switch (note.note) {
      case 'violation':
        this.#log(`ring ${note.index} is broken by its driver: ${note.reason}`);
        this.#session?.needsReset();
        this.#session?.errInBand(note.index);
        break;
      case 'iotlb-miss':
        this.#session?.requestTranslation(note.iova, note.write ? 2 : 1);
        break;
      case 'port-done':
        this.#log(note.text);
        break;
    }
  }

  async close(): Promise<void> {
    this.#source.close();
    this.#session?.close({ why: 'local', text: 'the back end ends' });
    await this.ended;
  }

  async #serve(): Promise<void> {
    for (;;) {
      const socket = await this.#source.next();
      if (socket === undefined) return;
      this.connections++;
      this.#log('front end connected');
      const session = new BackendSession({
        socket,
        device: this.device,
        mapper: this.#mapper,
        openChannel: (fd) => this.#openChannel(fd.number),
        signal: (fd) => void signalEvent(fd.number),
        checkEventFd: eventFdProblem,
        observer: this.#observer(),
      });
      this.#session = session;
      const reason = await session.finished;
      this.#session = undefined;
      this.#log(`front end gone: ${reason.text}`);
    }
  }

  #openChannel(number: number): HostSocket | string {
    const fd = new Fd(number, 'back-end channel');
    const { kind } = fdFacts(fd);
    if (kind !== 'socket') return `it is a ${kind}, not a socket`;
    return new HostSocket(new UnixSocket(fd), this.#reactor);
  }

  #observer(): SessionObserver {
    const told: SessionObserver = {
      refused: (message, refusal, closes) =>
        this.#log(
          `${explainMessage(message)} refused${closes ? ', connection closed' : ''}: ${refusal.text} (${refusal.clause})`,
        ),
      ring: (index, event, text) => this.#log(`ring ${index} ${event}${text === '' ? '' : `: ${text}`}`),
      note: (text) => this.#log(text),
    };
    if (!this.#logsMessages) return told;
    return { ...told, received: (message) => this.#log(explainMessage(message)) };
  }
}

/** Why a descriptor is no eventfd; null when it can stand for one, as a pipe does. */
function eventFdProblem(fd: Fd): string | null {
  const { kind } = fdFacts(fd);
  return kind === 'socket' || kind === 'file' ? `its descriptor is a ${kind}, not an eventfd` : null;
}
