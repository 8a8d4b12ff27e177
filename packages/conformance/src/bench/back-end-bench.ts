import {
  closeAll,
  eventFd,
  type Fd,
  fdFacts,
  HostError,
  type MappedArena,
  memfd,
  type ProcessFacts,
  UnixSocket,
} from '@vhostlab/host';
import { F_PROTOCOL_FEATURES, protocolMask } from '@vhostlab/vhost-user';
import { CheckEnded, fail } from '../check-ended.ts';
import type { Limits } from '../limits.ts';
import { notClaimed } from '../report/verdict.ts';
import type { BackEndTarget } from './back-end-target.ts';
import { feature } from './feature.ts';
import { FrontLink, type Wanted } from './front-link.ts';
import { GUEST_BYTES, GuestMemory } from './guest-memory.ts';
import { Rig, type RigOptions } from './rig.ts';

const HUGE_BYTES = 2 ** 21;
/** Most guests of one check. */
const GUESTS = 4;
/** Where files are mapped for a moment, and the most that is of one. */
const FILE_AT = GUESTS * GUEST_BYTES;
const FILE_BYTES = 2 ** 22;
/** Bytes of the arena that a bench needs. */
export const BENCH_BYTES = FILE_AT + FILE_BYTES;

/** What every check negotiates: replies, queues, and the ring rules of virtio 1. */
const PROTOCOL = protocolMask('REPLY_ACK', 'MQ');
const FEATURES = F_PROTOCOL_FEATURES | feature('VERSION_1');

/** What is known of the peer before a check. */
export interface PeerOffer {
  readonly features: bigint;
  readonly protocol: bigint;
  readonly queuePairs: number;
}

/** What one check works with. All that it makes is taken away at the check's end, however it ends. */
export class BackEndBench {
  readonly limits: Limits;
  readonly offer: PeerOffer;
  /** Repetitions of leak checks. */
  readonly repeats: number;
  readonly #target: BackEndTarget;
  readonly #arena: MappedArena;
  readonly #wanted: Wanted;
  readonly #links: FrontLink[] = [];
  readonly #fds: Fd[] = [];
  readonly #memories: GuestMemory[] = [];

  /** `wanted`: what the check needs beyond what all negotiate. */
  constructor(
    target: BackEndTarget,
    arena: MappedArena,
    limits: Limits,
    repeats: number,
    offer: PeerOffer,
    wanted: Wanted,
  ) {
    this.#target = target;
    this.#arena = arena;
    this.limits = limits;
    this.repeats = repeats;
    this.offer = offer;
    this.#wanted = { protocol: PROTOCOL | wanted.protocol, features: FEATURES | wanted.features };
  }

  /** A connection on which nothing was said yet. Ends the check as died when nobody listens. */
  async connect(): Promise<FrontLink> {
    const wire = await this.#target.connect(this.limits.recoverMs);
    if (wire === null) throw new CheckEnded({ verdict: 'died', observed: this.#target.describeEnd() });
    const link = new FrontLink(wire, this.limits);
    this.#links.push(link);
    return link;
  }

  /** A connection with everything negotiated. */
  async link(more: Partial<Wanted> = {}): Promise<FrontLink> {
    const link = await this.connect();
    await link.negotiate({
      protocol: this.#wanted.protocol | (more.protocol ?? 0n),
      features: this.#wanted.features | (more.features ?? 0n),
    });
    return link;
  }

  /** A connection with both feature words read, and SET_FEATURES left to the check. */
  async unfinished(): Promise<FrontLink> {
    const link = await this.connect();
    await link.negotiate(this.#wanted, false);
    return link;
  }

  /** Feature bits that the check negotiates. */
  get features(): bigint {
    return this.#wanted.features & this.offer.features;
  }

  /** A connection whose back end has guest memory. */
  async linkWithMemory(more: Partial<Wanted> = {}): Promise<{ link: FrontLink; memory: GuestMemory }> {
    const link = await this.link(more);
    const memory = this.memory();
    await link.must({ request: 'SET_MEM_TABLE', payload: memory.table, fds: memory.fds });
    return { link, memory };
  }

  /** A device with memory and rings, not running yet. */
  async rig(options: RigOptions): Promise<Rig> {
    const features = options.format === 'packed' ? feature('RING_PACKED') : 0n;
    const link = await this.link({ protocol: protocolMask('STATUS'), features });
    return new Rig(link, this.memory(), options, this.limits, () => this.event());
  }

  /** A running device. */
  async running(options: RigOptions): Promise<Rig> {
    const rig = await this.rig(options);
    await rig.start();
    return rig;
  }

  /** Memory of a guest. */
  memory(): GuestMemory {
    const memory = new GuestMemory(this.#arena, this.#memories.length * GUEST_BYTES);
    this.#memories.push(memory);
    return memory;
  }

  /** An eventfd. */
  event(initial = 0): Fd {
    return this.own(eventFd(initial));
  }

  /** A file of zeros. */
  file(bytes: number, seals = 0): Fd {
    return this.own(memfd('conformance', bytes, { seals }));
  }

  /** A file of one page of 2 MiB; ends the check where the system has none. */
  hugeFile(): Fd {
    try {
      return this.own(memfd('conformance', HUGE_BYTES, { hugePageBytes: HUGE_BYTES }));
    } catch (error) {
      if (!(error instanceof HostError)) throw error;
      throw new CheckEnded(notClaimed(`this system has no huge pages: ${error.message}`));
    }
  }

  /** Both ends of a socket. */
  socketPair(): [Fd, Fd] {
    const [a, b] = UnixSocket.pair();
    return [this.own(a.fd), this.own(b.fd)];
  }

  /** Closes the descriptor at the end of the check. */
  own(fd: Fd): Fd {
    this.#fds.push(fd);
    return fd;
  }

  /** The first `bytes` of a file. */
  readFile(fd: Fd, bytes: number): Uint8Array {
    return this.#mapped(fd, bytes, (view) => view.slice(0, bytes));
  }

  /** Writes into a file; ends the check when it has no such bytes. */
  writeFile(fd: Fd, at: number, bytes: Uint8Array): void {
    if (fdFacts(fd).sizeBytes < at + bytes.length)
      fail(`the file of ${fdFacts(fd).sizeBytes} bytes is too short`);
    this.#mapped(fd, at + bytes.length, (view) => view.set(bytes, at));
  }

  #mapped<T>(fd: Fd, bytes: number, use: (view: Uint8Array) => T): T {
    const size = Math.ceil(bytes / 4096) * 4096;
    this.#arena.mapFile(FILE_AT, fd, 0, size);
    try {
      return use(new Uint8Array(this.#arena.buffer, FILE_AT, size));
    } finally {
      this.#arena.unmap(FILE_AT, size);
    }
  }

  /** What the peer's process holds now; undefined when it cannot be seen. */
  facts(): ProcessFacts | undefined {
    return this.#target.facts();
  }

  /** What was wrong with replies by themselves. */
  get complaints(): readonly string[] {
    return this.#links.flatMap(({ complaints }) => complaints);
  }

  dispose(): void {
    for (const { wire } of this.#links) wire.close();
    closeAll(this.#fds);
    for (const memory of this.#memories) memory.dispose();
  }
}
