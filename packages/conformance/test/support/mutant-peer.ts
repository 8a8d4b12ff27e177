import {
  EVENT_READABLE,
  Fd,
  fdFacts,
  type MappedArena,
  type Reactor,
  reserveArena,
  signalEvent,
  UnixListener,
  UnixSocket,
} from '@vhostlab/host';
import { ArenaMapper, OffsetAllocator } from '@vhostlab/vhost-device';
import {
  BACKEND_PROTOCOL_FEATURES,
  BackendSession,
  type DeviceOffer,
  HostSocket,
  type MemoryMapper,
  type MessageSocket,
} from '@vhostlab/vhost-user';
import { featureByName } from '@vhostlab/virtio-net';
import type { PeerControl } from '../../src/index.ts';
import { EchoDevice } from './echo-device.ts';
import type { Fault } from './faults.ts';
import { FaultySocket } from './faulty-socket.ts';

const ARENA_BYTES = 2 ** 26;
const FEATURES = [
  'VERSION_1',
  'RING_PACKED',
  'INDIRECT_DESC',
  'EVENT_IDX',
  'MRG_RXBUF',
  'MAC',
  'CSUM',
  'HOST_TSO4',
  'ACCESS_PLATFORM',
];

const OFFER: DeviceOffer = {
  features: FEATURES.reduce((mask, name) => mask | (1n << BigInt(featureByName(name).bit)), 0n),
  protocolFeatures: BACKEND_PROTOCOL_FEATURES,
  queuePairs: 2,
  maxQueueSize: 1024,
  memSlots: 32,
  config: () => new Uint8Array(12),
};

/**
 * Our back end in this process, with the rings of an EchoDevice and one fault or none. One connection at a time, as real
 * ones. Its death is that it listens no more; `start` brings it back.
 */
export class MutantPeer implements PeerControl {
  readonly pid = null;
  readonly #path: string;
  readonly #fault: Fault;
  readonly #reactor: Reactor;
  readonly #kept: Fd[] = [];
  readonly #arena: MappedArena = reserveArena(ARENA_BYTES);
  #listener: UnixListener | null = null;
  #unwatch: () => void = () => {};
  #session: BackendSession | null = null;
  #isDead = false;
  #emptyConnections = 0;

  constructor(path: string, fault: Fault, reactor: Reactor) {
    this.#path = path;
    this.#fault = fault;
    this.#reactor = reactor;
  }

  get ended(): string | null {
    return this.#isDead ? 'it was ended by SIGSEGV' : null;
  }

  get crashed(): boolean {
    return this.#isDead;
  }

  async start(): Promise<void> {
    await this.stop();
    this.#isDead = false;
    this.#emptyConnections = 0;
    this.#listener = UnixListener.listen(this.#path);
    this.#accept();
  }

  async stop(): Promise<void> {
    this.#unwatch();
    this.#unwatch = () => {};
    this.#listener?.close();
    this.#listener = null;
    const session = this.#session;
    session?.close({ why: 'local', text: 'the peer ends' });
    await session?.finished;
    for (const fd of this.#kept.splice(0)) fd.close();
  }

  /** Gives its memory back; nothing may follow. */
  async dispose(): Promise<void> {
    await this.stop();
    this.#arena.release();
  }

  #accept(): void {
    const listener = this.#listener;
    if (listener === null) return;
    this.#unwatch = this.#reactor.watch(
      listener.fd,
      () => {
        const socket = listener.accept();
        if (socket === undefined) return;
        this.#unwatch();
        void this.#serve(socket);
      },
      EVENT_READABLE,
    );
  }

  async #serve(socket: UnixSocket): Promise<void> {
    const device: EchoDevice = new EchoDevice(
      OFFER,
      this.#arena.buffer,
      this.#reactor,
      this.#fault.device ?? {},
      { broken: () => session.needsReset(), die: () => this.#die() },
    );
    const session: BackendSession = new BackendSession({
      socket: this.#wrap(new HostSocket(socket, this.#reactor)),
      device,
      mapper: this.#mapper(),
      openChannel: (fd) => {
        const own = new Fd(fd.number, 'channel');
        return fdFacts(own).kind === 'socket'
          ? new HostSocket(new UnixSocket(own), this.#reactor)
          : 'no socket';
      },
      signal: (fd) => void signalEvent(fd.number),
      checkEventFd: (fd) => {
        const { kind } = fdFacts(fd);
        return this.#fault.takesAnyEventFd !== true && (kind === 'socket' || kind === 'file') ? kind : null;
      },
    });
    this.#session = session;
    await session.finished;
    this.#session = null;
    this.#accept();
  }

  #wrap(inner: MessageSocket): MessageSocket {
    const { socket } = this.#fault;
    if (socket === undefined) return inner;
    return new FaultySocket(inner, socket, {
      die: () => this.#die(),
      keep: (fd) => void this.#kept.push(fd as Fd),
      emptyConnection: () => {
        this.#emptyConnections++;
        if (socket.diesOfConnections === true && this.#emptyConnections >= 100) this.#die();
      },
    });
  }

  #mapper(): MemoryMapper {
    return new ArenaMapper(this.#arena, new OffsetAllocator(4096, ARENA_BYTES));
  }

  #die(): void {
    if (this.#isDead) return;
    this.#isDead = true;
    this.#unwatch();
    this.#listener?.close();
    this.#listener = null;
    this.#session?.close({ why: 'local', text: 'it crashed' });
  }
}
