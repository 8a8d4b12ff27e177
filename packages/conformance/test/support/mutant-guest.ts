import { type Fd, HostError, type Reactor, sleep, UnixSocket, within } from '@vhostlab/host';
import { FrontendRequestError, FrontendSession, HostSocket, type MessageSocket } from '@vhostlab/vhost-user';
import { FeatureSet } from '@vhostlab/virtio-net';
import type { PeerControl } from '../../src/index.ts';
import type { SocketFaults } from './faults.ts';
import { FaultySocket, type SocketHost, type SocketView } from './faulty-socket.ts';
import type { GuestFault } from './guest-faults.ts';
import { GuestRings } from './guest-rings.ts';

const FEATURES = FeatureSet.of('VERSION_1', 'RING_PACKED').toBigInt();
const VERSION_1 = FeatureSet.of('VERSION_1').toBigInt();
const PACKED = FeatureSet.of('RING_PACKED').toBigInt();
/** No check is that slow: only the end of the connection ends a wait for an answer. */
const REPLY_MS = 60_000;
/** Between two attempts to connect. */
const RETRY_MS = 2;
/** How long a back end without VERSION_1 is listened to before it is left. */
const LEAVE_MS = 1000;

/**
 * Our front end in this process: the session of package vhost-user and the driver queues of package virtqueue, connecting
 * again and again as `vhostlab vhost-user frontend --reconnect` does. Correct, unless the fault says otherwise.
 */
export class MutantGuest implements PeerControl {
  readonly #path: string;
  readonly #fault: GuestFault;
  readonly #reactor: Reactor;
  readonly #rings: GuestRings;
  readonly #kept: Fd[] = [];
  #session: FrontendSession | null = null;
  #life: Promise<void> = Promise.resolve();
  #isStopping = false;
  #isDead = false;
  /** A process of its own would be looked into: this one is. */
  readonly pid = process.pid;

  constructor(path: string, fault: GuestFault, reactor: Reactor) {
    this.#path = path;
    this.#fault = fault;
    this.#reactor = reactor;
    this.#rings = new GuestRings(fault.driver ?? {}, () => this.#die());
  }

  get ended(): string | null {
    return this.#isDead ? 'it was ended by SIGSEGV' : null;
  }

  get crashed(): boolean {
    return this.#isDead;
  }

  async start(): Promise<void> {
    await this.stop();
    this.#isStopping = false;
    this.#isDead = false;
    this.#life = this.#live();
  }

  async stop(): Promise<void> {
    this.#isStopping = true;
    this.#session?.close('the guest ends');
    await this.#life;
    for (const fd of this.#kept.splice(0)) fd.close();
  }

  /** Gives its memory back; nothing may follow. */
  async dispose(): Promise<void> {
    await this.stop();
    this.#rings.close();
  }

  async #live(): Promise<void> {
    while (!this.#isOver) {
      const socket = this.#connect();
      if (socket === null) {
        await sleep(RETRY_MS);
        continue;
      }
      const isSound = await this.#serve(socket);
      if (!isSound && this.#fault.sulks === true) return;
    }
  }

  get #isOver(): boolean {
    return this.#isStopping || this.#isDead;
  }

  #connect(): UnixSocket | null {
    try {
      return UnixSocket.connect(this.#path);
    } catch (error) {
      if (error instanceof HostError) return null;
      throw error;
    }
  }

  /** One connection until its end; false when the back end did not get as far as running rings. */
  async #serve(socket: UnixSocket): Promise<boolean> {
    const session = new FrontendSession(
      this.#wrap(new HostSocket(socket, this.#reactor), this.#fault.replies, {
        channel: 'main',
        role: 'reply',
      }),
      {
        features: FEATURES,
        timeoutMs: REPLY_MS,
        makeChannel: () => this.#makeChannel(),
        requests: {
          iotlb: async () => 'this guest has no IOMMU',
          configChanged: async () => null,
        },
      },
    );
    this.#session = session;
    try {
      if (!(await this.#begin(session))) return false;
      while (session.closed === null) {
        this.#rings.turn();
        await new Promise((resolve) => setImmediate(resolve));
      }
      return true;
    } catch (error) {
      if (!(error instanceof FrontendRequestError)) throw error;
      return false;
    } finally {
      session.close('the guest gives up');
      await session.finished;
    }
  }

  /** From the first question to running rings; false when the back end does not offer VERSION_1. */
  async #begin(session: FrontendSession): Promise<boolean> {
    const { features } = await session.negotiate();
    if ((features & VERSION_1) === 0n) {
      await within(session.finished, LEAVE_MS);
      return false;
    }
    await session.setFeatures(features);
    await session.setMemory([this.#rings.memory]);
    const rings = this.#rings.reset((features & PACKED) === 0n ? 'split' : 'packed');
    for (const ring of rings) await session.setUpRing(ring);
    for (const { index } of rings) await session.setEnabled(index, true);
    this.#rings.begin();
    return true;
  }

  #makeChannel(): { near: MessageSocket; far: Fd } {
    const [near, far] = UnixSocket.pair();
    const view = { channel: 'backend', role: 'request' } as const;
    return {
      near: this.#wrap(new HostSocket(near, this.#reactor), this.#fault.channel, view),
      far: far.fd,
    };
  }

  #wrap(inner: MessageSocket, faults: SocketFaults | undefined, view: SocketView): MessageSocket {
    if (faults === undefined) return inner;
    const host: SocketHost = {
      die: () => this.#die(),
      keep: (fd) => void this.#kept.push(fd as Fd),
      emptyConnection: () => {},
    };
    return new FaultySocket(inner, faults, host, view);
  }

  #die(): void {
    if (this.#isDead) return;
    this.#isDead = true;
    this.#session?.close('it crashed');
  }
}
