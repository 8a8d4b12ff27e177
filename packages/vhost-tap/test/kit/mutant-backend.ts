import {
  fdFacts,
  type MappedArena,
  Reactor,
  reserveArena,
  setNonBlocking,
  signalEvent,
  UnixListener,
  type UnixSocket,
} from '@vhostlab/host';
import { AddressSpace, Arena, PERMISSION_RW } from '@vhostlab/memory';
import { ArenaMapper, OffsetAllocator } from '@vhostlab/vhost-device';
import {
  type BackendDevice,
  BackendSession,
  type DeviceOffer,
  type Fd,
  HostSocket,
  type MemoryChange,
  protocolMask,
  type RingBase,
  type RingSetup,
} from '@vhostlab/vhost-user';
import { FeatureSet } from '@vhostlab/virtio-net';
import type { MutantOptions } from './mutant-options.ts';
import { MutantRing } from './mutant-ring.ts';

const ARENA_BYTES = 2 ** 30;

/**
 * A back end in this process that gives every frame back in the receive queue: sessions and rings of this project, and one
 * fault or none.
 */
export class MutantBackend {
  readonly #options: MutantOptions;
  readonly #reactor = new Reactor();
  readonly #listener: UnixListener;
  readonly #mapped: MappedArena = reserveArena(ARENA_BYTES);
  readonly #sessions = new Set<BackendSession>();

  constructor(path: string, options: MutantOptions = {}) {
    this.#options = options;
    this.#listener = UnixListener.listen(path);
    this.#reactor.watch(this.#listener.fd, () => {
      const socket = this.#listener.accept();
      if (socket !== undefined) void this.#serve(socket);
    });
  }

  async stop(): Promise<void> {
    this.#listener.close();
    for (const session of this.#sessions) {
      session.close({ why: 'local', text: 'the mutant ends' });
      await session.finished;
    }
    await this.#reactor.stop();
    this.#mapped.release();
  }

  async #serve(socket: UnixSocket): Promise<void> {
    const session = new BackendSession({
      socket: new HostSocket(socket, this.#reactor),
      device: new MutantDevice(this.#mapped, this.#options, this.#reactor),
      mapper: new ArenaMapper(this.#mapped, new OffsetAllocator(4096, ARENA_BYTES)),
      openChannel: () => 'no channel is wanted',
      signal: (fd) => void signalEvent(fd.number),
      checkEventFd: (fd) => {
        const { kind } = fdFacts(fd);
        return kind === 'socket' || kind === 'file' ? kind : null;
      },
    });
    this.#sessions.add(session);
    await session.finished;
    this.#sessions.delete(session);
  }
}

class MutantDevice implements BackendDevice {
  readonly offer: DeviceOffer;
  readonly #arena: Arena;
  readonly #space: AddressSpace;
  readonly #options: MutantOptions;
  readonly #reactor: Reactor;
  readonly #rings = new Map<number, MutantRing>();
  #features = 0n;

  constructor(mapped: MappedArena, options: MutantOptions, reactor: Reactor) {
    this.#arena = new Arena(mapped.buffer);
    this.#space = new AddressSpace(this.#arena);
    this.#options = options;
    this.#reactor = reactor;
    const names = ['VERSION_1', 'RING_PACKED', 'INDIRECT_DESC', 'EVENT_IDX', 'MRG_RXBUF'] as const;
    const features = FeatureSet.fromNames([
      ...names,
      ...(options.inOrder === true ? (['IN_ORDER'] as const) : []),
    ]);
    this.offer = {
      features: features.toBigInt(),
      protocolFeatures: protocolMask('MQ', 'REPLY_ACK', 'CONFIGURE_MEM_SLOTS', 'STATUS', 'RESET_DEVICE'),
      queuePairs: options.queuePairs ?? 1,
      maxQueueSize: 1024,
      memSlots: 32,
      config: () => new Uint8Array(12),
    };
  }

  async setFeatures(features: bigint): Promise<null> {
    this.#features = features;
    return null;
  }

  setProtocolFeatures(): void {}

  async memoryChanged({ regions }: MemoryChange): Promise<void> {
    this.#space.clear();
    for (const { gpa, bytes, mapping } of regions) {
      this.#space.map(gpa, bytes, mapping.arenaOffset, PERMISSION_RW);
    }
  }

  async startRing(setup: RingSetup): Promise<null> {
    if (setup.call !== null) setNonBlocking(setup.call);
    // as a device that sleeps: what it was not told of stays to be seen by the tap
    const turn = () => this.#turnOf(ring);
    const ring: MutantRing = new MutantRing(
      setup,
      this.#arena,
      this.#space,
      this.#features,
      this.#options,
      this.#reactor,
      turn,
    );
    this.#rings.set(setup.index, ring);
    return null;
  }

  async stopRing(index: number): Promise<RingBase> {
    this.#turn();
    const base = this.#rings.get(index)!.stop();
    this.#rings.delete(index);
    return base;
  }

  async setEnabled(): Promise<void> {
    this.#turn();
  }

  async setCall(index: number, fd: Fd | null): Promise<void> {
    const ring = this.#rings.get(index);
    if (fd !== null) setNonBlocking(fd);
    if (ring !== undefined) ring.call = fd?.number ?? -1;
  }

  async reset(): Promise<void> {
    for (const ring of this.#rings.values()) ring.stop();
    this.#rings.clear();
  }

  #turn(): void {
    for (const ring of this.#rings.values()) this.#turnOf(ring);
  }

  #turnOf(ring: MutantRing): void {
    if (ring.index % 2 === 0 || this.#options.isAsleep === true) return;
    for (let frame = ring.take(); frame !== null; frame = ring.take()) {
      this.#options.onFrame?.(frame);
      this.#rings.get(ring.index - 1)?.put(frame);
    }
  }

  kick(): void {
    this.#turn();
  }

  inflightBytesPerQueue(): number {
    return 64;
  }

  async setErr(): Promise<void> {}
  async setLog(): Promise<void> {}
  async setRingLog(): Promise<void> {}
  async setInflight(): Promise<void> {}
  async setStatus(): Promise<void> {}
  async iotlb(): Promise<void> {}
  async writeConfig(): Promise<null> {
    return null;
  }
  async rarp(): Promise<null> {
    return null;
  }
  async mtu(): Promise<null> {
    return null;
  }
  async saveState(): Promise<null> {
    return null;
  }
  async loadState(): Promise<null> {
    return null;
  }
}
