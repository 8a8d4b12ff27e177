import { fdFacts, type MappedArena, type Reactor, signalEvent, UnixSocket } from '@vhostlab/host';
import { ArenaMapper, OffsetAllocator } from '@vhostlab/vhost-device';
import {
  BackendSession,
  type DeviceOffer,
  F_PROTOCOL_FEATURES,
  type Fd,
  HostSocket,
  type MessageSocket,
  PROTOCOL_F,
  protocolMask,
} from '@vhostlab/vhost-user';
import { Wire } from '../wire/wire.ts';
import { DriverRing } from './driver-ring.ts';
import { feature } from './feature.ts';
import { processOf } from './peer-pid.ts';
import { type Tamper, TamperedSocket } from './tampered-socket.ts';
import { until } from './until.ts';
import { WatchedDevice } from './watched-device.ts';

/** Bytes of the arena that a visit maps the front end's memory into. */
export const VISIT_BYTES = 2 ** 32;

const PROTOCOL = protocolMask(
  'MQ',
  'REPLY_ACK',
  'STATUS',
  'BACKEND_REQ',
  'BACKEND_SEND_FD',
  'CONFIG',
  'CONFIGURE_MEM_SLOTS',
);
const FEATURES = ['VERSION_1', 'MRG_RXBUF', 'MAC', 'INDIRECT_DESC'];

/** What a check offers the front end. */
export interface VisitOptions {
  readonly packed: boolean;
  readonly tamper?: Tamper;
}

/** One connection of a front end under test to a back end that is correct until a check makes it otherwise. */
export class Visit {
  readonly device: WatchedDevice;
  /** Names of the messages that came. */
  readonly messages: string[] = [];
  /** The channel of SET_BACKEND_REQ_FD, on which this side asks. */
  channel: Wire | null = null;
  /** Process of the front end; null when the system does not say. */
  readonly peerProcess: number | null;
  readonly #arena: MappedArena;
  readonly #reactor: Reactor;
  readonly #session: BackendSession;
  readonly #socket: HostSocket;
  readonly #rings = new Map<number, DriverRing>();
  #end: string | null = null;

  constructor(socket: UnixSocket, reactor: Reactor, arena: MappedArena, options: VisitOptions) {
    this.#arena = arena;
    this.#reactor = reactor;
    this.peerProcess = processOf(socket.fd);
    this.device = new WatchedDevice(makeOffer(options.packed), (setup) => this.#ringOf(setup).base());
    this.#socket = new HostSocket(socket, reactor);
    const inner = this.#socket;
    const { tamper } = options;
    this.#session = new BackendSession({
      socket: tamper === undefined ? inner : new TamperedSocket(inner, tamper),
      device: this.device,
      mapper: new ArenaMapper(arena, new OffsetAllocator(2 ** 21, VISIT_BYTES)),
      openChannel: (fd) => this.#openChannel(fd),
      signal: (fd) => void signalEvent(fd.number),
      observer: { received: ({ name }) => void this.messages.push(name) },
    });
    void this.#session.finished.then(({ why, text }) => {
      this.#end = why === 'peer' ? 'closes' : text;
    });
  }

  /** How the connection ended: `closes`, or what the front end did wrong; null while it is open. */
  get ended(): string | null {
    return this.#end;
  }

  /** True when the front end acknowledged the channel for requests of the back end. */
  get hasChannel(): boolean {
    return (this.device.protocolFeatures & PROTOCOL_F.BACKEND_REQ) !== 0n;
  }

  get isPacked(): boolean {
    return (this.device.features & feature('RING_PACKED')) !== 0n;
  }

  /** A ring once it runs, or null when it does not within `timeoutMs` or the connection ends. */
  async ring(index: number, timeoutMs: number): Promise<DriverRing | null> {
    const isThere = await until(() => this.device.rings.has(index) || this.#end !== null, timeoutMs);
    const setup = this.device.rings.get(index);
    return isThere && setup !== undefined ? this.#ringOf(setup) : null;
  }

  /** A ring that runs, is enabled and has buffers. */
  async stocked(index: number, timeoutMs: number): Promise<DriverRing | null> {
    const ring = await this.ring(index, timeoutMs);
    if (ring === null) return null;
    const isStocked = await until(() => this.#end !== null || this.#isStocked(index, ring), timeoutMs);
    return isStocked && this.#end === null ? ring : null;
  }

  /** Sends bytes on the main socket, past the session. */
  sendRaw(bytes: Uint8Array): void {
    this.#socket.send(bytes, []);
  }

  /** Ends the connection, and gives everything back. */
  async close(): Promise<void> {
    this.#session.close({ why: 'local', text: 'the check is over' });
    await this.#session.finished;
    this.channel?.close();
  }

  #isStocked(index: number, ring: DriverRing): boolean {
    return this.device.rings.get(index)?.enabled === true && ring.waiting > 0;
  }

  #ringOf(setup: DriverRing['setup']): DriverRing {
    const known = this.#rings.get(setup.index);
    if (known !== undefined) return known;
    const ring = new DriverRing(this.#arena, setup, () => this.device.rings.has(setup.index));
    this.#rings.set(setup.index, ring);
    return ring;
  }

  /** Keeps the channel for the check; the session gets one that says and hears nothing. */
  #openChannel(fd: Fd): MessageSocket | string {
    if (fdFacts(fd).kind !== 'socket') return 'it is no socket';
    this.channel?.close();
    this.channel = new Wire(new UnixSocket(fd.dup()), this.#reactor, 'reply', 'backend');
    return quiet(fd);
  }
}

/** A socket that the session owns, and on which nothing happens. */
function quiet(fd: Fd): MessageSocket {
  return {
    send: (bytes) => bytes.length,
    receive: () => 'again',
    listen: () => {},
    want: () => {},
    close: () => fd.close(),
  };
}

function makeOffer(packed: boolean): DeviceOffer {
  const names = packed ? [...FEATURES, 'RING_PACKED'] : FEATURES;
  return {
    features: names.reduce((mask, name) => mask | feature(name), F_PROTOCOL_FEATURES),
    protocolFeatures: PROTOCOL,
    queuePairs: 1,
    maxQueueSize: 32768,
    memSlots: 32,
    config: () => Uint8Array.of(0x52, 0x54, 0, 0, 0, 1, 1, 0, 1, 0, 0xdc, 5),
  };
}
